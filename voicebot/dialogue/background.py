"""Reads from the sound around the words whether the customer stands in noise.

Only noise: a car, a fan and a crowd sound alike between 300 and 3400 Hz (a car's rumble lies below), so that
somebody drives is read from the words alone.
"""

from __future__ import annotations

import numpy as np

from voicebot.domain.audio import Audio
from voicebot.domain.ports import SituationReader
from voicebot.domain.speech import Transcript
from voicebot.domain.understanding import Situation

NOISY_BELOW_DB = 13.0  # loud parts above the background; read speech in quiet rooms stays above 15
_BLOCK_S = 0.02
_SHORTEST_S = 0.5  # a shorter stretch need not hold a pause to hear the background in
_LONGEST_S = 15.0
_INAUDIBLE_DBOV = -60.0  # what is quieter is the codec


class BackgroundSituationReader:
    """SituationReader over words, and where they say nothing of the situation, over background sound."""

    def __init__(self, words: SituationReader) -> None:
        """Take the reader of words."""
        self._words = words

    def read(self, transcript: Transcript, audio: Audio | None, before: Situation) -> Situation:
        """Return the situation after this utterance. Noise does not last: it is heard anew each time."""
        situation = self._words.read(transcript, audio, before)
        if situation is not Situation.FREE or audio is None:
            return situation
        margin = margin_db(audio)
        return Situation.NOISY if margin is not None and margin < NOISY_BELOW_DB else situation


def margin_db(audio: Audio) -> float | None:
    """Return how far the loud parts stand above the background, dB: 95th against 10th percentile of level.

    Returns:
        None if the stretch is too short or silent. Of a long one the end is heard.
    """
    size = int(audio.rate_hz * _BLOCK_S)
    pcm = audio.pcm[: len(audio.pcm) // 2 * 2][-int(audio.rate_hz * _LONGEST_S) * 2 :]
    samples = np.frombuffer(pcm, "<i2").astype(np.float32) / 32768
    if samples.size < audio.rate_hz * _SHORTEST_S:
        return None
    blocks = samples[: samples.size // size * size].reshape(-1, size)
    level = 10 * np.log10(np.mean(blocks**2, axis=1) + 1e-10)
    background, loud = np.percentile(level, (10, 95))
    return float(loud - background) if loud > _INAUDIBLE_DBOV else None
