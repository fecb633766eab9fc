"""Understands a recording as it understands a call: utterance by utterance, each on the ones before."""

from __future__ import annotations

from dataclasses import dataclass

from voicebot.domain.audio import LINE_RATE_HZ, Audio
from voicebot.domain.emotion import SpeakerBaseline
from voicebot.domain.ports import EmotionAnalyzer, Recognizer, SituationReader
from voicebot.domain.understanding import Situation, Understanding
from voicebot.speech import recordings


@dataclass(frozen=True, slots=True)
class Heard:
    """One utterance of a recording. Word times count from its beginning."""

    start_s: float  # in the recording
    end_s: float
    understanding: Understanding


def understand(
    audio: Audio, recognizer: Recognizer, analyzer: EmotionAnalyzer, situations: SituationReader
) -> list[Heard]:
    """Return what one speaker said in 8 kHz audio, and how. Raises RecognitionError."""
    heard = []
    baseline, situation = SpeakerBaseline(), Situation.FREE
    for stretch in recordings.stretches(audio):
        stream = recognizer.open(LINE_RATE_HZ)
        stream.feed(stretch.audio.pcm)
        transcript = stream.result(final=True)
        keywords, prosody, emotion, baseline = analyzer.analyse(transcript, stretch.audio, baseline)
        situation = situations.read(transcript, stretch.audio, situation)
        understood = Understanding(transcript, keywords, prosody, emotion, situation)
        heard.append(Heard(stretch.start_s, stretch.end_s, understood))
    return heard
