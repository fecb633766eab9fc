"""Simulated customers answer over SIP with real speech, and react to what they hear."""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

from voicebot.domain.call import EndCause
from voicebot.registry import resources
from voicebot.simulate.hearing import SPEECH_DBOV, level_dbov
from voicebot.speech.synthesis.clips import ClipLibrary
from voicebot.telephony import Answered, Ended, Leg, LegEvent, TransferEnded, UserAgent, UserAgentConfig

pytestmark = pytest.mark.integration
Event = TypeVar("Event", bound=LegEvent)


class Customers:
    """The process of simulated customers."""

    def __init__(self, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "voicebot.cli.main",
                "simulate",
                "--sip-port",
                "0",
                "--rtp-port",
                "0",
                *arguments,
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).resolve().parents[2],
        )
        self._lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()
        self.seen: list[dict[str, Any]] = []
        self.host = str(self.wait("ready", timeout_s=60)["sip_uri"]).partition("@")[2]

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line)

    def wait(self, event: str, timeout_s: float = 20) -> dict[str, Any]:
        while True:
            facts: dict[str, Any] = json.loads(self._lines.get(timeout=timeout_s))
            self.seen.append(facts)
            if facts["event"] == event:
                return facts


@pytest.fixture(scope="module")
def customers() -> Iterator[Customers]:
    running = Customers()
    yield running
    running.process.terminate()
    assert running.process.wait(15) == 0


@pytest.fixture(scope="module")
def bot() -> Iterator[UserAgent]:
    agent = UserAgent(UserAgentConfig(sip_port=0, rtp_port=0))
    agent.start()
    yield agent
    agent.stop()


class Ear:
    """Events of a leg, and how much speech came."""

    def __init__(self, leg: Leg) -> None:
        self.leg = leg
        self.speech_ms = 0
        self._events: queue.Queue[LegEvent] = queue.Queue()
        leg.on_frame = self._hear
        leg.listen(self._events.put)

    def _hear(self, pcm: bytes) -> None:
        self.speech_ms += 20 * (level_dbov(pcm) > SPEECH_DBOV)

    def wait(self, kind: type[Event], timeout_s: float = 15) -> Event:
        while True:
            event = self._events.get(timeout=timeout_s)
            if isinstance(event, kind):
                return event


def prompt() -> bytes:
    """Return a prompt of the bot."""
    library = ClipLibrary(resources.demo_dir() / "prompts" / "consumer_loan")
    clip = min((clip for clip in library.clips if clip.kind == "prompt"), key=lambda clip: clip.duration_ms)
    return library.audio(clip).pcm


def ring(bot: UserAgent, customers: Customers, number: str, **more: Any) -> Ear:
    return Ear(bot.call(f"sip:{number}@{customers.host}", headers={"X-Attempt-Id": f"a-{number}"}, **more))


def test_a_customer_speaks_after_the_prompt_and_says_what_it_logs(
    bot: UserAgent, customers: Customers
) -> None:
    ear = ring(bot, customers, "8012")
    ear.wait(Answered)
    time.sleep(1)
    assert ear.speech_ms == 0, "waits for the bot to speak"

    ear.leg.playout.play(prompt())
    said = customers.wait("said")
    time.sleep(said["duration_s"] + 0.5)
    ear.leg.hang_up()

    assert (said["attempt"], said["persona"], said["text"]) == ("a-8012", "polite_no", "不需要，谢谢。")
    assert said["after_ms"] == 900
    assert ear.speech_ms == pytest.approx(said["duration_s"] * 1000, rel=0.4)
    assert customers.wait("ended")["by"] == "bot"


def test_an_announcement_plays_without_being_asked_and_hangs_up(bot: UserAgent, customers: Customers) -> None:
    ear = ring(bot, customers, "8008")
    assert ear.wait(Ended, 30).cause is EndCause.CUSTOMER_HUNG_UP
    assert ear.speech_ms > 3000


def test_busy_and_unanswered_and_unknown_numbers(bot: UserAgent, customers: Customers) -> None:
    assert ring(bot, customers, "8009").wait(Ended).cause is EndCause.BUSY
    assert ring(bot, customers, "8010", ring_timeout_s=1.5).wait(Ended).cause is EndCause.NO_ANSWER
    assert ring(bot, customers, "4711").wait(Ended).status == 404


def test_a_customer_follows_a_transfer_to_the_human_agent(bot: UserAgent, customers: Customers) -> None:
    ear = ring(bot, customers, "8005")
    ear.wait(Answered)
    ear.leg.transfer(f"sip:8100@{customers.host}")

    assert ear.wait(TransferEnded, 20).ok
    answered = customers.wait("answered")
    while answered["persona"] != "human_agent":
        answered = customers.wait("answered")


def test_an_unknown_persona_is_a_clear_error() -> None:
    command = [sys.executable, "-m", "voicebot.cli.main", "simulate", "--only", "nobody"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert "nobody" in done.stderr
    assert "interested" in done.stderr
