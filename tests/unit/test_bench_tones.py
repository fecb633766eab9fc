"""The bench of what answers: how it judges a call."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.integration.phone import voice
from voicebot.bench import tones
from voicebot.bench.tones import Call
from voicebot.domain.answering import NumberStatus
from voicebot.domain.audio import LINE_RATE_HZ, Audio
from voicebot.domain.speech import NOTHING_EXPECTED, Expectation, Transcript
from voicebot.registry import resources
from voicebot.simulate import announcements, signals

pytestmark = pytest.mark.unit


class Ears:
    """A recogniser that always hears the same."""

    name = "ears"
    load = 0.0

    def __init__(self, text: str) -> None:
        self.text = text

    def open(self, rate_hz: int, expected: Expectation = NOTHING_EXPECTED) -> Ears:
        assert (rate_hz, expected.announcement) == (LINE_RATE_HZ, True)
        return self

    def feed(self, pcm: bytes) -> None:
        assert pcm

    def result(self, *, final: bool) -> Transcript:
        return Transcript(self.text)

    def ending(self) -> Sequence[float] | None:
        return None

    def withdraw(self) -> None: ...

    def abort(self) -> None:
        pass


def test_an_announcement_is_judged_by_what_the_call_comes_to() -> None:
    sound = Audio(bytes(6400) + voice(4000) + bytes(16000))
    judged = tones.judge(Call("announcements", NumberStatus.SUSPENDED, sound), Ears("您拨打的用户已停机"))

    assert judged.status is NumberStatus.SUSPENDED
    assert 1.3 <= judged.decided_s <= 2.0, "from the first sound"
    assert judged.by_length, "the usual rule would call it a machine, too"
    assert judged.readings == 1
    assert tones._right(judged)
    other = Call("announcements", NumberStatus.BUSY, sound)
    assert not tones._right(tones.judge(other, Ears("您拨打的用户已停机")))


def test_a_long_talker_is_a_person_though_the_usual_rule_says_machine() -> None:
    sound = Audio(bytes(6400) + voice(5000) + bytes(16000))
    judged = tones.judge(Call("people", None, sound), Ears("喂你好我现在在外面呢"))

    assert judged.status is None
    assert judged.decided_s == pytest.approx(2.4, abs=0.2)
    assert judged.by_length
    assert tones._right(judged)


@pytest.mark.parametrize("name", ["busy", "congestion", "vacant"])
def test_tones_are_judged_without_words(name: signals.ToneName) -> None:
    call = Call("tones", tones._TONES[name], tones._line(Audio(signals.lasting(name, 6))), answered=False)
    judged = tones.judge(call, Ears(""))
    assert judged.status is tones._TONES[name]
    assert judged.decided_s <= 2.5


def test_the_shipped_announcements_are_all_spoken() -> None:
    told = announcements.load(resources.demo_dir() / "announcements.yaml")
    spoken = announcements.spoken(told, resources.demo_dir() / "announcements")
    wanted = {text for texts in announcements.orders(told).values() for text in texts}
    assert {one.text for one in spoken} == wanted
    assert len(spoken) == told.takes * len(wanted)
    assert {one.status for one in spoken} == set(told.announcements)
