"""Endpointing: the cases, the cues, the head and what the dialogue adds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicebot.domain.audio import Audio
from voicebot.domain.errors import DataError, ModelError
from voicebot.domain.script import Expect
from voicebot.registry import resources
from voicebot.speech.endpointing import cases, cues, head, training
from voicebot.speech.endpointing.hearing import Heard
from voicebot.speech.endpointing.scorer import HeadScorer, known

pytestmark = pytest.mark.unit


def clip(name: str = "a", *, pause_ms: int = 300, text: str = "我想贷款谢谢你") -> cases.Clip:
    """Speech of 1 s, a pause, speech of 0.5 s, between silences of 0.5 s."""
    random = np.random.default_rng(1)

    def sound(ms: int, level: float) -> cases.F32:
        return (level * random.standard_normal(ms * 8)).astype(np.float32)

    parts = [sound(500, 1e-3), sound(1000, 0.1), sound(pause_ms, 1e-3), sound(500, 0.1), sound(500, 1e-3)]
    return cases.Clip(name, np.concatenate(parts), text)


def test_a_natural_pause_and_the_end_become_cases_of_equal_make() -> None:
    pause, end = cases.build([clip()], seed=1)
    assert (pause.final, end.final) == (False, True)
    assert (pause.end_ms, end.end_ms) == (1500, 2300)
    assert pause.samples.size == (1500 + cases.AFTER_MS) * 8
    assert end.samples.size == (2300 + cases.AFTER_MS) * 8
    assert pause.text == "我想贷款谢"
    assert end.text == "我想贷款谢谢你"
    for case in (pause, end):
        assert np.abs(case.samples[case.end_ms * 8 :]).max() < 0.01


def test_a_short_pause_is_no_case() -> None:
    assert [case.final for case in cases.build([clip(pause_ms=120)], seed=1)] == [True]


def test_the_halves_are_told_by_the_utterance_alone() -> None:
    once = cases.build([clip("a"), clip("b"), clip("c")], seed=1)
    again = cases.build([clip("c"), clip("a")], seed=2)
    halves = {case.clip: case.judged for case in once}
    assert all(halves[case.clip] == case.judged for case in again)


def test_matching_makes_speech_length_worthless() -> None:
    made = cases.build([clip(str(number)) for number in range(9)], seed=1)
    weights = cases.matched(made)
    for case, weight in zip(made, weights, strict=True):
        alone = not any(
            other.final != case.final and abs(other.speech_s - case.speech_s) < 0.5 for other in made
        )
        assert weight == 0 if alone else weight > 0


@pytest.mark.parametrize(
    ("text", "cue"),
    [
        ("我想了解一下然后", "hanging"),
        ("好的谢谢", "particle"),
        ("我的电话是一三八", "number_open"),
        ("我想问一下", "asks_leave"),
    ],
)
def test_words_that_hang_or_end_are_noticed(text: str, cue: str) -> None:
    found = dict(zip(cues.WORDS, cues.words(text, {}), strict=True))
    assert found[cue] == 1.0
    assert sum(found[name] for name in ("hanging", "particle", "number_open", "asks_leave")) == 1.0


@given(st.binary(max_size=4000), st.text(max_size=12))
def test_cues_of_anything_are_finite(pcm: bytes, text: str) -> None:
    samples = np.frombuffer(pcm[: len(pcm) // 2 * 2], "<i2").astype(np.float32) / np.float32(32768)
    assert np.isfinite(cues.sound(samples)).all()
    assert np.isfinite(cues.words(text, {})).all()


def test_the_dialogues_expectation_moves_the_score() -> None:
    assert known("可以", Expect.YES_NO) > 0 == known("可以", Expect.OPEN)
    assert known("下午三", Expect.TIME) < 0 == known("下午三", Expect.OPEN)
    assert known("我想问一下", Expect.OPEN) < 0
    assert known("", Expect.YES_NO) == 0


def test_the_shipped_head_scores_with_and_without_the_encoders_vector() -> None:
    scorer = HeadScorer(head.load((resources.models_dir(),)))
    sound = Audio((clip().samples * 32768).astype("<i2").tobytes())
    for ending in ([0.1] * 512, None):
        score = scorer.score(ending, sound, "好的谢谢", Expect.OPEN)
        assert score is not None
        assert 0 < score < 1
    finished = scorer.score(None, sound, "好的谢谢", Expect.OPEN)
    hanging = scorer.score(None, sound, "好的然后", Expect.OPEN)
    assert finished is not None
    assert hanging is not None
    assert hanging < finished


@pytest.mark.parametrize(
    ("text", "mere"),
    [
        ("嗯", True),
        ("对，对", True),
        ("好。", True),
        ("四", True),
        ("不", False),
        ("不要", False),
        ("等一下", False),
    ],
)
def test_a_backchannel_is_the_whole_of_what_was_said(text: str, mere: bool) -> None:
    scorer = HeadScorer(head.load((resources.models_dir(),)))
    assert scorer.backchannel(text, hum()) is mere


def test_words_heard_in_a_noise_are_no_words() -> None:
    scorer = HeadScorer(head.load((resources.models_dir(),)))
    noise = np.random.default_rng(1).standard_normal(4000) * 3000
    assert scorer.backchannel("不要", Audio(noise.astype("<i2").tobytes()))


def hum() -> Audio:
    """Return half a second at a pitch of 200 Hz."""
    at = np.arange(4000) / 8000
    wave = sum(np.sin(2 * np.pi * 200 * number * at) / number for number in range(2, 9))
    return Audio(np.asarray(4000 * wave).astype("<i2").tobytes())


def heard(number: int) -> Heard:
    """A case whose vector tells ends from pauses."""
    random = np.random.default_rng(number)
    final = number % 2 == 0
    case = cases.Case(
        f"{number // 2}", final, np.zeros(0, np.float32), 1000, 2.0, "好" if final else "我", False
    )
    vector = random.standard_normal(512).astype(np.float32) + (0.3 if final else -0.3)
    return Heard(case, np.zeros(1, np.int64), 200, vector, (0.0,) * len(cues.SOUND), case.text, 50, 100, 0.1)


def test_a_fitted_head_tells_ends_from_pauses_and_survives_being_stored(tmp_path: Path) -> None:
    some = [heard(number) for number in range(160)]
    fitted = training.fit(some[:80], seed=1)
    assert training.auc(training.scored(fitted, some[80:], ("embedding",)), some[80:]) > 0.9
    training.publish(fitted, {"auc": 0.9}, "# endpoint 3\n", tmp_path / "endpoint" / "3")
    stored = head.load((tmp_path,))
    before = fitted.score(embedding=some[0].embedding)
    assert stored.score(embedding=some[0].embedding) == pytest.approx(before, abs=1e-3)
    assert stored.version == "endpoint-3"


def test_too_little_speech_to_fit_is_said_clearly() -> None:
    with pytest.raises(DataError, match="too few"):
        training.fit([heard(number) for number in range(10)], seed=1)


def test_a_damaged_head_is_not_used(tmp_path: Path) -> None:
    fitted = training.fit([heard(number) for number in range(80)], seed=1)
    training.publish(fitted, {}, "# endpoint\n", tmp_path / "endpoint" / "1")
    (tmp_path / "endpoint" / "1" / "weights.json").write_text("{}")
    with pytest.raises(ModelError, match="corrupt"):
        head.load((tmp_path,))
