"""What answers is told from tones, words and the shape of speech, human first."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.integration.phone import voice
from voicebot.call.answering import with_finding
from voicebot.call.overhearing import Overhearing
from voicebot.domain.answering import (
    AnsweredBy,
    Finding,
    NumberStatus,
    Teller,
    Told,
    cause_of,
    disposition_of,
)
from voicebot.domain.audio import FRAME_BYTES
from voicebot.domain.call import Disposition, EndCause, IntentLevel, Outcome, PromptRef
from voicebot.speech.answering.detector import AnsweringDetector, Words
from voicebot.speech.answering.tones import Signal, ToneEar, signal
from voicebot.speech.segmentation.vad import VoiceDetector
from voicebot.text.announcements import announced, by_table

pytestmark = pytest.mark.unit

Cadence = Sequence[tuple[int, int]]  # (on, off) in ms


def tones(frequencies: Sequence[float], cadence: Cadence, times: int = 3, level: float = 0.1) -> bytes:
    """Return a call-progress tone with a little line noise, after 200 ms of it."""
    parts: list[NDArray[np.float64]] = [np.zeros(1600)]
    for on_ms, off_ms in [*cadence] * times:
        at = np.arange(on_ms * 8) / 8000
        parts += [sum(level * np.sin(2 * np.pi * hz * at) for hz in frequencies), np.zeros(off_ms * 8)]  # type: ignore[list-item]
    sound = np.concatenate(parts)
    sound += 1e-3 * np.random.default_rng(1).standard_normal(len(sound))
    return (sound * 32767).astype("<i2").tobytes()


def frames(pcm: bytes) -> list[bytes]:
    return [pcm[at : at + FRAME_BYTES] for at in range(0, len(pcm) - FRAME_BYTES + 1, FRAME_BYTES)]


def heard(pcm: bytes) -> list[tuple[Signal, int]]:
    """Return every signal with the millisecond at which it is first known."""
    ear, found = ToneEar(), list[tuple[Signal, int]]()
    for frame in frames(pcm):
        ear.push(frame)
        said = signal(ear.bursts(), ear.now_ms)
        if said is not None and (not found or found[-1][0] is not said):
            found.append((said, ear.now_ms))
    return found


@pytest.mark.parametrize(
    ("frequencies", "cadence", "expected"),
    [
        ((450,), [(1000, 4000)], Signal.RING_BACK),
        ((450,), [(350, 350)], Signal.BUSY),
        ((450,), [(700, 700)], Signal.CONGESTION),
        ((450,), [(100, 100), (100, 100), (100, 100), (400, 400)], Signal.VACANT),
        ((440, 480), [(2000, 4000)], Signal.RING_BACK),
        ((480, 620), [(500, 500)], Signal.BUSY),
        ((480, 620), [(250, 250)], Signal.CONGESTION),
        ((425,), [(500, 500)], Signal.BUSY),
        ((425,), [(200, 200)], Signal.CONGESTION),
        ((1000,), [(400, 2000)], Signal.BEEP),
        ((2100,), [(2600, 500)], Signal.FAX),
    ],
)
@pytest.mark.parametrize("level", [0.3, 0.02])
def test_a_networks_tone_is_known_by_its_cadence(
    frequencies: tuple[float, ...], cadence: Cadence, expected: Signal, level: float
) -> None:
    found = heard(tones(frequencies, cadence, level=level))
    assert {said for said, _ in found} == {expected}
    if expected is not Signal.RING_BACK:
        assert found[0][1] <= 2500, "within two and a half seconds of audio"


def test_a_special_information_tone_is_known() -> None:
    pcm = b"".join(tones((hz,), [(330, 0)], times=1)[3200:] for hz in (950, 1400, 1800))
    assert [said for said, _ in heard(bytes(1600) + pcm + bytes(1600))] == [Signal.SIT]


def test_speech_and_noise_are_no_tones() -> None:
    noise = (0.1 * np.random.default_rng(1).standard_normal(40000) * 32767).astype("<i2").tobytes()
    assert heard(voice(5000)) == []
    assert heard(noise) == []
    assert heard(bytes(80000)) == []


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("您好，您拨打的用户正在通话中，请稍后再拨", NumberStatus.BUSY),
        ("您拨打的用户正忙", NumberStatus.BUSY),
        ("对不起您拨打的用户已关机", NumberStatus.SWITCHED_OFF),
        ("您好您拨打的电话已停机", NumberStatus.SUSPENDED),
        ("您播打的号码是空号请核对后再播", NumberStatus.VACANT),
        ("您拨打的用户暂时无法接通请稍后再拨", NumberStatus.OUT_OF_REACH),
        ("您拨打的用户不在服务区", NumberStatus.OUT_OF_REACH),
        ("您拨打的电话暂时无人接听请稍后再拨", NumberStatus.NO_ANSWER),
        ("您拨打的号码已暂停服务", NumberStatus.BARRED),
        ("网络忙请稍后再拨", NumberStatus.CONGESTED),
        ("您好，您拨打的", NumberStatus.UNKNOWN),
        ("您好，我现在不方便接电话，请在嘀声后留言", NumberStatus.MAILBOX),
        ("你好我是机主的智能助理", NumberStatus.MAILBOX),
        ("Sorry, the subscriber you dialed is busy now, please redial later.", NumberStatus.BUSY),
        ("Sorry, the number you dialed is power off", NumberStatus.SWITCHED_OFF),
        ("The number you have dialed does not exist", NumberStatus.VACANT),
        ("Please leave a message after the tone", NumberStatus.MAILBOX),
        ("The number you have reached is not in service", NumberStatus.VACANT),
        ("The subscriber you dialed can not be connected for the moment", NumberStatus.OUT_OF_REACH),
    ],
)
def test_an_announcement_tells_the_numbers_status(text: str, status: NumberStatus) -> None:
    assert announced(text) is status


@pytest.mark.parametrize(
    "text",
    [
        *("喂，你好", "我在打电话呢，等会儿再说", "我手机快没电了要关机了", "我现在不方便接电话", "你打错了"),
        *("我在开会请稍后再打", "你们线路不好我听不清", "网络不好请稍后再打给我", "用户是我爱人"),
        *("不需要，别打了", "我正忙着呢", "你说的那个号码我不知道", "这个用户是谁", "帮我留个言吧", ""),
    ],
)
def test_a_person_is_no_announcement(text: str) -> None:
    assert announced(text) is None


class Listener:
    """Feeds a detector; what is wanted is heard as `said(age_ms)`."""

    def __init__(self, said: Callable[[int], str], tells: Teller = by_table) -> None:
        self.detector = AnsweringDetector(tells)
        self.wanted: list[Words] = []
        self._said = said
        self._voice = VoiceDetector()

    def hears(self, pcm: bytes, *, sparing: bool = False) -> list[Finding]:
        for frame in frames(pcm):
            wanted = self.detector.push(frame, self._voice.is_speech(frame), sparing=sparing)
            if wanted is not None:
                self.wanted.append(wanted)
                self.detector.words(self._said(wanted.age_ms), wanted)
        return self.detector.findings()


def facts(findings: Sequence[Finding]) -> list[tuple[AnsweredBy, NumberStatus | None, bool]]:
    return [(finding.by, finding.status, finding.final) for finding in findings]


def test_a_short_greeting_is_a_person_and_costs_no_recognition() -> None:
    listener = Listener(lambda _: "您拨打的用户已关机")
    listener.detector.answered()
    found = listener.hears(bytes(8000) + voice(600) + bytes(16000 * 3))
    assert facts(found) == [(AnsweredBy.PERSON, None, True)]
    assert found[0].at_ms <= 2500
    assert listener.wanted == []


def test_an_announcement_is_known_early_and_named_as_soon_as_its_kind_is_heard() -> None:
    listener = Listener(lambda age_ms: "您好您拨打的电话已关机" if age_ms > 2000 else "您好您拨打的")
    listener.detector.answered()
    found = listener.hears(bytes(3200) + voice(5000))
    assert facts(found) == [
        (AnsweredBy.ANNOUNCEMENT, NumberStatus.UNKNOWN, False),
        (AnsweredBy.ANNOUNCEMENT, NumberStatus.SWITCHED_OFF, True),
    ]
    assert found[0].at_ms <= 2000
    assert found[1].at_ms <= 2700
    assert listener.detector.done


@pytest.mark.parametrize(
    ("spoken_ms", "usual", "spared"),
    [
        (5000, [1500, 2400], [2400]),
        (2000, [1500, 2400], [2400]),  # a pause is read
        (1600, [1500], [2000]),
    ],
)
def test_where_decoders_are_in_demand_the_first_look_is_left_to_the_second_and_none_is_lost(
    spoken_ms: int, usual: list[int], spared: list[int]
) -> None:
    def looks(sparing: bool) -> list[int]:
        listener = Listener(lambda age_ms: "您拨打的电话已关机" if age_ms >= 2000 else "")
        listener.detector.answered()
        listener.hears(voice(spoken_ms) + bytes(16000 * 2), sparing=sparing)
        return [words.age_ms for words in listener.wanted]

    assert looks(sparing=False) == pytest.approx(usual, abs=200)
    assert looks(sparing=True) == pytest.approx(spared, abs=200)


def test_an_announcement_that_never_says_why_is_still_no_person() -> None:
    listener = Listener(lambda _: "您拨打的用户")
    listener.detector.answered()
    found = listener.hears(voice(3000) + bytes(16000 * 4))
    assert facts(found)[-1] == (AnsweredBy.ANNOUNCEMENT, NumberStatus.UNKNOWN, True)


def test_where_the_kind_stays_uncertain_the_likeliest_is_taken() -> None:
    listener = Listener(lambda _: "", lambda _: Told(NumberStatus.UNKNOWN, NumberStatus.BUSY))
    listener.detector.answered()
    assert facts(listener.hears(voice(3000) + bytes(16000 * 4))) == [
        (AnsweredBy.ANNOUNCEMENT, NumberStatus.UNKNOWN, False),
        (AnsweredBy.ANNOUNCEMENT, NumberStatus.BUSY, True),
    ]


def test_who_can_not_take_the_call_may_be_a_mailbox_that_comes_to_the_point_later() -> None:
    def said(age_ms: int) -> str:
        return "您拨打的用户无法接听您的电话" + ("请在提示音后留言" if age_ms > 4000 else "")

    listener = Listener(said)
    listener.detector.answered()
    assert facts(listener.hears(voice(5000)))[-1] == (AnsweredBy.MAILBOX, NumberStatus.MAILBOX, True)
    early = Listener(said)
    assert facts(early.hears(voice(3000)))[-1] == (
        AnsweredBy.ANNOUNCEMENT,
        NumberStatus.OUT_OF_REACH,
        True,
    )


def test_a_long_greeting_is_a_person_until_it_says_what_machines_say() -> None:
    listener = Listener(lambda age_ms: "你好哪位" if age_ms < 4000 else "你好我现在不在请留言")
    listener.detector.answered()
    found = listener.hears(voice(6000))
    assert facts(found) == [
        (AnsweredBy.PERSON, None, True),
        (AnsweredBy.MAILBOX, NumberStatus.MAILBOX, True),
    ]
    assert found[0].at_ms <= 2500


def test_a_mailbox_is_spoken_to_after_its_beep() -> None:
    listener = Listener(lambda _: "请在提示音后留言")
    listener.detector.answered()
    assert facts(listener.hears(voice(3000))) == [(AnsweredBy.MAILBOX, NumberStatus.MAILBOX, True)]
    found = listener.hears(bytes(8000) + tones((1000,), [(400, 800)], times=1))
    assert [finding.speak for finding in found] == [True]


def test_a_mailbox_without_a_beep_is_spoken_to_after_silence() -> None:
    listener = Listener(lambda _: "请留言")
    listener.detector.answered()
    found = listener.hears(voice(3000) + bytes(16000 * 3))
    assert [finding.speak for finding in found] == [False, True]


def test_before_the_answer_nobody_is_a_person_and_ringing_is_no_finding() -> None:
    listener = Listener(lambda _: "啦啦啦")
    assert listener.hears(tones((450,), [(1000, 4000)], times=2)) == []
    assert listener.hears(voice(4000)) == []
    assert listener.wanted, "its words were read, and were no announcement's"


def test_a_busy_tone_before_the_answer_ends_the_waiting() -> None:
    found = Listener(lambda _: "").hears(tones((450,), [(350, 350)]))
    assert facts(found) == [(AnsweredBy.TONE, NumberStatus.BUSY, True)]


def test_every_status_has_a_cause_and_a_disposition() -> None:
    assert {status: cause_of(status) for status in NumberStatus}[NumberStatus.VACANT] is EndCause.UNREACHABLE
    assert disposition_of(NumberStatus.MAILBOX) is Disposition.VOICEMAIL
    assert all(isinstance(disposition_of(status), Disposition) for status in NumberStatus)


def test_the_outcome_tells_what_was_heard() -> None:
    outcome = Outcome(Disposition.UNREACHABLE, IntentLevel.F, ("号码无法接通",))
    told = with_finding(outcome, Finding(AnsweredBy.ANNOUNCEMENT, NumberStatus.VACANT, 2000))
    assert told.facts == {"number_status": "vacant"}
    assert told.reasons == ("号码无法接通", "听到提示语：空号")
    assert with_finding(outcome, Finding(AnsweredBy.PERSON, None, 900)) == outcome
    assert with_finding(outcome, None) == outcome


async def test_overhearing_runs_beside_the_call_and_tells_in_order() -> None:
    told: list[Finding] = []
    message = PromptRef("k", "再见", 400, "clip")
    with ThreadPoolExecutor(1) as threads:
        ear = Overhearing(lambda _: "请在提示音后留言", threads, told.append, lambda: message)
        for chunk in frames(voice(3000)):
            ear.push(chunk, answered=True)
        ear.push(tones((1000,), [(400, 800)], times=1), answered=True)
        async with asyncio.timeout(20):
            while len(told) < 2:  # noqa: ASYNC110  # what is waited for happens in a thread
                await asyncio.sleep(0.01)
    assert [(finding.speak, finding.message) for finding in told] == [(False, message), (True, message)]


async def test_an_ear_that_fails_is_no_harm() -> None:
    told: list[Finding] = []

    def broken(pcm: bytes) -> str:
        raise RuntimeError("a bug")

    with ThreadPoolExecutor(1) as threads:
        ear = Overhearing(broken, threads, told.append)
        ear.push(voice(3000), answered=True)
        await asyncio.sleep(0.5)
        ear.push(voice(1000), answered=True)
    assert told == []
