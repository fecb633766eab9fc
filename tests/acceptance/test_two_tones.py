"""The method's own example: the same words, said calmly and irritably, by real Mandarin speech.

The sound is read speech, resynthesised in both manners so that the vocoder gives nothing away; the text is
given. How well unseen speakers are heard is for `voicebot bench emotion` to say.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from voicebot.domain.audio import Audio
from voicebot.domain.emotion import NEGATIVE, EmotionLabel, SpeakerBaseline
from voicebot.domain.speech import Transcript, Word
from voicebot.emotion import training, voices
from voicebot.emotion.analyzer import Analyzer
from voicebot.registry import resources

pytestmark = pytest.mark.acceptance

DATA = Path(os.environ.get("VOICEBOT_TEST_DATA") or Path(__file__).parents[2].parent / "shared" / "data")
EXAMPLE = "现在有事，不要说了"
PLAIN = voices.Speaker(1.0, 1.0, -4.0, 0.0, -65.0)
LOW = voices.Speaker(0.6, 0.9, -10.0, -6.0, -60.0)
CALM = voices.Manner(0.0, 1.0, 0.0, 0.0, 1.0)
IRRITATED = voices.Manner(5.0, 1.3, 7.0, 3.0, 1.1)


@pytest.fixture(scope="module")
def analyzer() -> Analyzer:
    return Analyzer.load((resources.models_dir(),))


@pytest.fixture(scope="module")
def pieces() -> list[voices.Parts]:
    pytest.importorskip("pyworld", reason="resynthesis needs the extra `train`")
    folder = DATA / "speech" / "aishell"
    if not folder.is_dir():
        pytest.skip(f"no recordings in {folder}; set VOICEBOT_TEST_DATA")
    return list(training._pieces(training.clips(folder)[3::45], np.random.default_rng(5)))


def said(piece: voices.Parts, speaker: voices.Speaker, manner: voices.Manner) -> Audio:
    return Audio(voices.put_together(piece, speaker, manner, np.random.default_rng(1)))


def transcript(text: str, audio: Audio) -> Transcript:
    return Transcript(text, (Word(text, 0.1, audio.duration_s, 1.0),))


@pytest.mark.parametrize("speaker", [PLAIN, LOW], ids=["plain", "low voice"])
def test_busy_and_calm_is_calm_busy_and_irritated_is_annoyed(
    analyzer: Analyzer, pieces: list[voices.Parts], speaker: voices.Speaker
) -> None:
    baseline = SpeakerBaseline()
    for piece in pieces[:3]:
        audio = said(piece, speaker, CALM)
        *_, baseline = analyzer.analyse(transcript("嗯，你说", audio), audio, baseline)
    assert baseline.turns == 3

    def label(piece: voices.Parts, text: str, manner: voices.Manner) -> EmotionLabel:
        audio = said(piece, speaker, manner)
        return analyzer.analyse(transcript(text, audio), audio, baseline)[2].label

    judged = pieces[3:]
    calm = [label(piece, EXAMPLE, CALM) for piece in judged]
    irritated = [label(piece, EXAMPLE, IRRITATED) for piece in judged]
    friendly = [label(piece, "利息是多少", IRRITATED) for piece in judged]
    assert len(judged) >= 7
    assert sum(one in NEGATIVE for one in calm) / len(calm) <= 0.15
    assert sum(one in NEGATIVE for one in irritated) / len(irritated) >= 0.85
    assert not any(one in NEGATIVE for one in friendly)
