"""Talking to the bot by the browser's microphone: real browser, real SIP and RTP."""

from __future__ import annotations

import time
import wave
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import FLAGS, Console
from tests.browser.lines import serving
from tests.integration.scripted import Line, Server
from voicebot.domain.audio import LINE_RATE_HZ
from voicebot.domain.call import EndCause
from voicebot.domain.script import Style
from voicebot.domain.speech import UtteranceKind
from voicebot.domain.users import Role
from voicebot.registry import resources
from voicebot.speech.synthesis.clips import ClipLibrary

pytestmark = pytest.mark.browser
SLOW_MS = 60_000  # processes start on a machine that may be busy


@pytest.fixture
def speaker(browser: Browser, chromium: str, console: Console, tmp_path: Path) -> Iterator[Page]:
    """A manager's browser whose microphone hears somebody speak, over and over."""
    library = ClipLibrary(resources.demo_dir() / "customers" / "interested")
    clip = library.find("有的，我家最近要装修。", Style.NEUTRAL)
    assert clip is not None
    with wave.open(str(tmp_path / "microphone.wav"), "wb") as file:
        file.setparams((1, 2, LINE_RATE_HZ, 0, "NONE", ""))
        file.writeframes(library.audio(clip).pcm + bytes(2 * LINE_RATE_HZ * 3))
    flags = [
        *FLAGS,
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-audio-capture={tmp_path / 'microphone.wav'}",
        "--autoplay-policy=no-user-gesture-required",
    ]
    own = browser.browser_type.launch(executable_path=chromium, args=flags)
    page = own.new_context(locale="zh-CN").new_page()
    page.set_default_timeout(20_000)
    page.goto(console.link(console.user(Role.MANAGER)))
    page.click("button[type=submit]")
    page.wait_for_selector("main.vb-main")
    yield page
    own.close()


def test_a_manager_talks_to_the_bot_and_both_are_heard(console: Console, speaker: Page) -> None:
    server = Server([Line(1000, 400), Line(1000, 600)])
    with serving(console, server) as journal:
        time.sleep(0.5)  # until its first heartbeat is written
        speaker.goto(f"{console.url}/try")
        speaker.get_by_role("button", name="开始通话").click()
        expect(speaker.get_by_text("通话中，请说话")).to_be_visible(timeout=SLOW_MS)
        speaker.wait_for_function("window.vbTalked > 8000", timeout=SLOW_MS)
        deadline = time.monotonic() + SLOW_MS / 1000
        while not any(one.kind is UtteranceKind.SPEECH for one in server.asked):
            assert time.monotonic() < deadline, "the bot has not heard the microphone"
            time.sleep(0.2)
        expect(speaker.get_by_text("机器人 · s1")).to_be_visible(timeout=SLOW_MS)
        speaker.get_by_role("button", name="挂断").click()
        expect(speaker.get_by_text("通话结束")).to_be_visible(timeout=SLOW_MS)
        expect(speaker.get_by_role("button", name="开始通话")).to_be_visible()
    (record,) = journal.records
    assert record.cause in (EndCause.CUSTOMER_HUNG_UP, EndCause.BOT_HUNG_UP)
    assert record.answered_at is not None


def test_a_trial_says_so_when_no_line_runs(console: Console, speaker: Page) -> None:
    speaker.goto(f"{console.url}/try")
    speaker.get_by_role("button", name="开始通话").click()
    expect(speaker.get_by_text("没有空闲线路")).to_be_visible(timeout=SLOW_MS)
