"""Speculation: decided at once where the end is likely, later where it is not, never under full load."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.unit import parts
from voicebot.call.conversation import LocalConversation
from voicebot.call.pipeline import Pipeline
from voicebot.call.protection import protected_ms
from voicebot.call.speculation import Pace, SpeculationTuning, look_ms, wait_ms
from voicebot.domain.audio import FADE_BYTES, FRAME_BYTES, Audio
from voicebot.domain.call import Progress
from voicebot.domain.errors import InferenceError
from voicebot.domain.script import Expect
from voicebot.domain.speech import Utterance, UtteranceKind
from voicebot.telephony.playout import Playout

pytestmark = pytest.mark.unit

TUNING = SpeculationTuning(due_ms=800, margin_ms=50, loaded_ms=600)
SPEECH = Utterance(UtteranceKind.SPEECH, 1.0, 2.0)


class Scorer:
    """Finds every end as likely as it is told to."""

    version = "fake"

    def __init__(self, chance: float) -> None:
        self.chance = chance

    def score(
        self, ending: Sequence[float] | None, audio: Audio, text: str | None, expect: Expect
    ) -> float | None:
        return self.chance

    def backchannel(self, text: str, audio: Audio) -> bool:
        return False


async def conversation(recognizer: parts.Recognizer, chance: float) -> LocalConversation:
    way = Pipeline(
        recognizer,
        parts.Analyzer(),
        parts.SituationReader(),
        parts.Ranker(),
        parts.Policy(),
        parts.Prompts(),
        parts.Playbooks(),
        Scorer(chance),
    )
    call = LocalConversation(way, ThreadPoolExecutor(4), TUNING)
    await call.open(parts.REQUEST)
    return call


@pytest.mark.parametrize(
    ("score", "expect", "load", "barged_in", "waits"),
    [
        (0.9, Expect.OPEN, 0.0, False, 0),
        (0.1, Expect.OPEN, 0.0, False, 300),
        (0.4, Expect.YES_NO, 0.0, False, 0),
        (0.4, Expect.OPEN, 0.0, False, 300),
        (None, Expect.OPEN, 1.0, False, 0),
        (0.9, Expect.OPEN, 4.0, False, 500),
        (0.1, Expect.OPEN, 4.0, True, 0),
    ],
)
def test_a_decision_waits_by_likelihood_and_load(
    score: float | None, expect: Expect, load: float, barged_in: bool, waits: int
) -> None:
    waited = wait_ms(TUNING, score, expect, load, barged_in=barged_in, asked_ms=100, pace_ms=350)
    assert waited == waits


@pytest.mark.parametrize(("asked_ms", "pace_ms", "waits"), [(0, 100, 650), (200, 400, 150), (300, 900, 0)])
def test_an_unlikely_end_is_decided_on_as_late_as_this_machine_can_afford(
    asked_ms: float, pace_ms: float, waits: int
) -> None:
    waited = wait_ms(TUNING, 0.1, Expect.OPEN, 0.0, barged_in=False, asked_ms=asked_ms, pace_ms=pace_ms)
    assert waited == waits


def test_the_pace_follows_the_machine_and_is_not_moved_by_one_slow_decision() -> None:
    pace = Pace(first_ms=400, kept=10)
    assert pace.ms == 400
    for took in (100, 110, 120, 130, 140, 150, 160, 170, 180, 2000):
        pace.note(took)
    assert pace.ms == 180
    for _ in range(10):
        pace.note(700)
    assert pace.ms == 700


async def test_a_likely_end_is_decided_on_and_its_cost_is_told() -> None:
    recognizer = parts.Recognizer()
    call = await conversation(recognizer, 0.9)
    call.speech(1, parts.speech(200))
    result = await call.decide(1, SPEECH)
    assert recognizer.decodes == 1
    assert result.turn.timings_ms["wasted_cpu_ms"] == 0


async def test_who_goes_on_after_an_unlikely_end_costs_no_decoding() -> None:
    recognizer = parts.Recognizer()
    call = await conversation(recognizer, 0.1)
    call.speech(1, parts.speech(200))
    asked = asyncio.create_task(call.decide(1, SPEECH))
    await asyncio.sleep(0.05)
    call.speech(2, parts.speech(100))
    with pytest.raises(InferenceError, match="went on"):
        await asked
    assert recognizer.decodes == 0
    result = await call.decide(2, SPEECH)
    assert result.turn.understanding.transcript.text == "abc"


async def test_a_short_pause_costs_nothing_where_decoders_are_in_demand() -> None:
    recognizer = parts.Recognizer()
    recognizer.load = TUNING.demand
    call = await conversation(recognizer, 0.9)
    call.speech(1, parts.speech(200))
    asked = asyncio.create_task(call.decide(1, SPEECH))
    await asyncio.sleep(TUNING.look_ms / 4000)
    call.speech(2, parts.speech(100))
    with pytest.raises(InferenceError, match="went on"):
        await asked
    assert (recognizer.looks, recognizer.decodes) == (0, 0)
    result = await call.decide(2, SPEECH)
    assert (recognizer.looks, result.turn.understanding.transcript.text) == (1, "abc")


@pytest.mark.parametrize(
    ("load", "waited_for", "waits"),
    [(0.0, False, 0), (0.5, False, 0), (1.0, True, 0), (1.0, False, TUNING.look_ms)],
)
def test_the_first_look_waits_by_load_unless_somebody_waits_for_it(
    load: float, waited_for: bool, waits: int
) -> None:
    assert look_ms(TUNING, load, waited_for=waited_for) == waits


async def test_under_full_load_nobody_speculates_and_real_ends_are_still_decided() -> None:
    recognizer = parts.Recognizer()
    recognizer.load = 4.0
    call = await conversation(recognizer, 0.9)
    told: list[Progress] = []
    call.listen(told.append)
    call.speech(1, parts.speech(200))
    asked = asyncio.create_task(call.decide(1, SPEECH))
    await asyncio.sleep(0.1)
    assert (recognizer.decodes, told) == (0, [])
    await asked
    assert recognizer.decodes == 1


async def test_a_thrown_away_decision_is_counted_as_waste() -> None:
    recognizer = parts.Recognizer()
    call = await conversation(recognizer, 0.9)
    recognizer.compute_s = 0.2
    call.speech(1, parts.speech(200))
    await call.decide(1, SPEECH)
    call.speech(2, parts.speech(100))
    result = await call.decide(2, SPEECH)
    assert result.turn.timings_ms["wasted_cpu_ms"] == pytest.approx(200)
    assert result.turn.timings_ms["decoding_cpu_ms"] == pytest.approx(200)


def test_words_are_protected_up_to_the_pause_after_them() -> None:
    loud, pause = b"\x00\x20" * 160 * 100, bytes(FRAME_BYTES * 10)  # 2 s, 0.2 s
    pcm = loud + pause + loud
    assert protected_ms(pcm, "一二三四五，", "一二三四五，六七八九十") == 2060
    assert protected_ms(pcm, "别的", "一二三四五，六七八九十") == 4200
    assert protected_ms(b"", "一", "一二") == 0


def test_a_flushed_prompt_fades_within_five_milliseconds_and_leaves_a_silent_line() -> None:
    playout = Playout()
    playout.play(b"\x00\x20" * 1600)
    playout.next_frame()
    playout.flush()
    frame = playout.next_frame()
    assert frame[FADE_BYTES:] == bytes(FRAME_BYTES - FADE_BYTES)
    levels = memoryview(frame[:FADE_BYTES]).cast("h").tolist()
    assert levels == sorted(levels, reverse=True)
    assert levels[0] > 7900 > levels[-1] == 0
    assert not playout.playing
