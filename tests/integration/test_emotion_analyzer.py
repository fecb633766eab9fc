"""Words and sound together, with the shipped model and lexicon."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from voicebot.domain.audio import Audio
from voicebot.domain.emotion import NEGATIVE, Emotion, EmotionLabel, SpeakerBaseline
from voicebot.domain.errors import ModelError
from voicebot.domain.speech import Transcript, Word
from voicebot.emotion.analyzer import MAX_TEXT, Analyzer
from voicebot.registry import resources

pytestmark = pytest.mark.integration

NEW = SpeakerBaseline()


@pytest.fixture(scope="module")
def analyzer() -> Analyzer:
    return Analyzer.load((resources.models_dir(),))


def transcript(text: str, seconds: float = 1.5) -> Transcript:
    return Transcript(text, (Word(text, 0.0, seconds, 1.0),) if text else ())


def voice(f0_hz: float = 130.0, level: float = 3000, tilt: float = 1.6, seconds: float = 1.5) -> Audio:
    t = np.arange(int(seconds * 8000)) / 8000
    pitch = f0_hz * (1 + 0.05 * np.sin(2 * np.pi * 1.3 * t))
    phase = 2 * np.pi * np.cumsum(pitch) / 8000
    sound = np.sum([np.sin(k * phase) / k**tilt for k in range(3, int(3400 / f0_hz))], axis=0)
    sound = sound * (0.55 + 0.45 * np.sin(2 * np.pi * 4 * t))
    return Audio((sound / np.abs(sound).max() * level).astype("<i2").tobytes())


def raised() -> Audio:
    return voice(210.0, 9000, 0.7)


def used_to(analyzer: Analyzer, turns: int = 3) -> SpeakerBaseline:
    baseline = NEW
    for _ in range(turns):
        *_, baseline = analyzer.analyse(transcript("好的"), voice(), baseline)
    return baseline


def feel(analyzer: Analyzer, text: str, audio: Audio | None, baseline: SpeakerBaseline = NEW) -> Emotion:
    return analyzer.analyse(transcript(text), audio, baseline)[2]


def test_the_same_words_are_calm_or_annoyed_by_their_tone(analyzer: Analyzer) -> None:
    baseline = used_to(analyzer)
    assert baseline.turns == 3
    assert feel(analyzer, "现在有事，不要说了", voice(), baseline).label == EmotionLabel.CALM
    assert feel(analyzer, "现在有事，不要说了", raised(), baseline).label == EmotionLabel.ANNOYED


@pytest.mark.parametrize("text", ["利息多少", "好的谢谢", "我考虑一下", "今天下雨", "", "不用了，谢谢"])
def test_a_raised_voice_alone_is_never_annoyed(analyzer: Analyzer, text: str) -> None:
    emotion = feel(analyzer, text, raised(), used_to(analyzer))
    assert emotion.label not in NEGATIVE


@pytest.mark.parametrize("text", ["滚", "别再打了", "你有完没完", "我要投诉你们"])
def test_hostile_words_are_negative_in_any_tone(analyzer: Analyzer, text: str) -> None:
    baseline = used_to(analyzer)
    for audio in (None, voice(), raised()):
        assert feel(analyzer, text, audio, baseline).label in NEGATIVE


@pytest.mark.parametrize("text", ["不要说了", "现在有事，不要说了", "利息多少", "今天下雨"])
@pytest.mark.parametrize("audio", [voice(), raised(), None], ids=["calm", "raised", "no sound"])
def test_until_a_calm_turn_is_heard_the_model_answers_from_the_words_alone(
    analyzer: Analyzer, text: str, audio: Audio | None
) -> None:
    emotion = feel(analyzer, text, audio)
    assert emotion.second is not None
    assert emotion.second == feel(analyzer, text, None).second
    assert all(word.second is not None for word in emotion.per_keyword)
    assert any("second from the words alone" in reason for reason in emotion.reasons)
    if emotion.first is not None:
        assert emotion.weights == (1.0, 0.0)
        assert emotion.distribution == pytest.approx(emotion.first)
    else:
        assert emotion.weights == (0.0, 1.0)
        assert emotion.label not in NEGATIVE


def test_who_is_not_heard_to_say_a_word_has_no_second_emotion(analyzer: Analyzer) -> None:
    emotion = feel(analyzer, "", None)
    assert (emotion.first, emotion.second, emotion.weights) == (None, None, (0.0, 0.0))


def test_busy_words_are_calm_in_the_first_turn(analyzer: Analyzer) -> None:
    assert feel(analyzer, "现在有事，不要说了", voice()).label == EmotionLabel.CALM


def test_where_the_lexicon_is_silent_the_model_has_all_the_weight(analyzer: Analyzer) -> None:
    emotion = feel(analyzer, "今天下雨", voice(), used_to(analyzer))
    assert emotion.first is None
    assert emotion.weights == (0.0, 1.0)
    assert emotion.distribution == pytest.approx(emotion.second)


def test_everything_a_person_needs_to_see_why_is_stored(analyzer: Analyzer) -> None:
    keywords, sound, emotion, _ = analyzer.analyse(
        transcript("现在有事，不要说了"), raised(), used_to(analyzer)
    )
    assert keywords[:2] == ("现在有事", "不要说了")
    assert sound is not None
    assert sound.f0_median_hz == pytest.approx(210, rel=0.05)
    assert [word.text for word in emotion.per_keyword] == ["现在有事", "不要说了"]
    busy, cut_off = emotion.per_keyword
    assert 0 <= busy.start_s < busy.end_s <= cut_off.start_s < cut_off.end_s <= 1.5
    assert cut_off.weight > busy.weight
    assert cut_off.first is not None
    assert cut_off.second is not None
    assert emotion.model_version == "emotion-1"
    assert emotion.lexicon_version == "lexicon-1"
    assert emotion.reasons


def test_negative_words_do_not_teach_the_calm_voice(analyzer: Analyzer) -> None:
    baseline = used_to(analyzer)
    *_, after = analyzer.analyse(transcript("烦死了"), raised(), baseline)
    assert after == baseline
    *_, after = analyzer.analyse(transcript("好的"), raised(), baseline)
    assert after == baseline


def test_line_gain_is_measured_once_and_changes_nothing_later(analyzer: Analyzer) -> None:
    loud, soft = (voice(level=level) for level in (20000, 500))
    first = analyzer.analyse(transcript("好的"), loud, NEW)
    second = analyzer.analyse(transcript("好的"), soft, NEW)
    assert first[3].gain_db - second[3].gain_db == pytest.approx(-32, abs=0.5)
    assert first[1] is not None
    assert second[1] is not None
    assert first[1].level_db == pytest.approx(-26, abs=0.1)
    assert second[1].level_db == pytest.approx(-26, abs=0.1)
    again = analyzer.analyse(transcript("好的"), loud, first[3])
    assert again[3].gain_db == first[3].gain_db


def test_the_same_input_gives_the_same_answer(analyzer: Analyzer) -> None:
    baseline = used_to(analyzer)
    one, two = (analyzer.analyse(transcript("不要说了"), raised(), baseline) for _ in range(2))
    assert one == two


BAD = {
    "none": None,
    "empty": Audio(b""),
    "odd": Audio(b"\1\2\3"),
    "silent": Audio(bytes(32000)),
    "clipped": Audio((np.sign(np.sin(np.arange(16000) * 0.1)) * 32767).astype("<i2").tobytes()),
    "noise": Audio(np.random.default_rng(1).normal(0, 2000, 16000).astype("<i2").tobytes()),
    "44.1 kHz": Audio(np.random.default_rng(1).normal(0, 2000, 44100).astype("<i2").tobytes(), 44100),
}


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("text", ["", "利息多少", "hello, who is it", "🙂 \n，"])
def test_bad_sound_and_strange_words_give_a_clear_result(analyzer: Analyzer, name: str, text: str) -> None:
    for baseline in (NEW, used_to(analyzer)):
        _, _, emotion, after = analyzer.analyse(transcript(text), BAD[name], baseline)
        assert emotion.label not in NEGATIVE
        assert np.isfinite(after.mean).all()


def test_three_minutes_and_a_looping_recogniser_take_bounded_time(analyzer: Analyzer) -> None:
    long = Audio(np.random.default_rng(1).normal(0, 2000, 180 * 8000).astype("<i2").tobytes())
    began = time.process_time()
    keywords, sound, _, _ = analyzer.analyse(transcript("不要说了" * 5000, 180), long, used_to(analyzer))
    assert time.process_time() - began < 10  # generous: unbounded work would take minutes
    assert sum(map(len, keywords)) < MAX_TEXT
    assert sound is not None


def test_without_a_model_the_error_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ModelError) as error:
        Analyzer.load((tmp_path,))
    assert error.value.hint
