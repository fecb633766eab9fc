"""Tempo without pitch: soft and brisk renderings of a clip, by overlapping its waves (WSOLA).

Verhelst and Roelands, "An overlap-add technique based on waveform similarity (WSOLA) for high quality
time-scale modification of speech", ICASSP 1993.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from voicebot.domain.audio import LINE_RATE_HZ, Audio
from voicebot.domain.script import Style
from voicebot.speech.synthesis.chain import to_float, to_pcm

# Quantised, so that a text has at most three renderings; within the ten percent that still sound natural.
TEMPO_VERSION = "2"  # part of the cache key: raise it when anything below changes
TEMPO = {Style.NEUTRAL: 1.0, Style.SOFT: 0.92, Style.BRISK: 1.08}
GAIN_DB = {Style.NEUTRAL: 0.0, Style.SOFT: -2.0, Style.BRISK: 0.0}
_HOP = LINE_RATE_HZ * 15 // 1000
_SEARCH = LINE_RATE_HZ * 10 // 1000  # a pitch period of 100 Hz


def in_style(audio: Audio, style: Style) -> Audio:
    """Return neutral 8 kHz speech in a style: soft is slower and quieter, brisk is faster."""
    if style is Style.NEUTRAL:
        return audio
    return to_pcm(stretch(to_float(audio), TEMPO[style]) * 10 ** (GAIN_DB[style] / 20))


def stretch(sound: NDArray[np.float64], tempo: float) -> NDArray[np.float64]:
    """Return speech at another tempo (1.1 = a tenth faster), pitch unchanged.

    Every 15 ms a piece is laid over the last one, taken where its wave goes on as the last one would
    have: within 10 ms of where the tempo asks for it.
    """
    size = 2 * _HOP
    padded = np.concatenate([np.zeros(_SEARCH), sound, np.zeros(size + 2 * _SEARCH)])
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / size)
    pieces = max(1, int(np.ceil(len(sound) / (_HOP * tempo))))
    out = np.zeros((pieces + 1) * _HOP)
    at = _SEARCH
    for index in range(pieces):
        if index:
            wanted = round(index * _HOP * tempo)  # the search begins 10 ms before it
            natural = padded[at + _HOP : at + _HOP + size]
            field = padded[wanted : wanted + size + 2 * _SEARCH]
            fit = min(len(natural), len(field))
            likeness = np.correlate(field, natural[:fit], "valid")
            at = wanted + int(np.argmax(likeness[: 2 * _SEARCH + 1]))
        out[index * _HOP : index * _HOP + size] += padded[at : at + size] * window
    # the first half window fades in what is silence already; the rest of the last piece is its tail
    return out[: max(1, round(len(sound) / tempo))]
