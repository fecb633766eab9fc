"""What an engine must know of an utterance before it decodes: where the voice is, and where to cut."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from voicebot.domain.speech import Word

F32 = NDArray[np.float32]

ENGINE_RATE_HZ = 16_000
_BLOCK_S = 0.02
_INAUDIBLE_DBOV = -62.0  # below it there is no voice, only the codec's noise
_BELOW_PEAK_DB = 32.0
_ABOVE_FLOOR_DB = 9.0
_NEAR_PEAK_DB = 6.0
_PAUSE_BELOW_PEAK_DB = 22.0  # in a pause nothing is louder


def at_engine_rate(pcm: bytes, rate_hz: int) -> F32:
    """Return 16-bit PCM as float32 in -1..1 at 16 kHz."""
    samples = _samples(pcm)
    if rate_hz == ENGINE_RATE_HZ or not samples.size:
        return samples
    return np.asarray(signal.resample_poly(samples, ENGINE_RATE_HZ, rate_hz), np.float32)


def _samples(pcm: bytes) -> F32:
    whole = np.frombuffer(pcm[: len(pcm) // 2 * 2], "<i2")
    return np.asarray(whole / 32768, np.float32)


def levels(samples: F32, rate_hz: int = ENGINE_RATE_HZ) -> F32:
    """Return the level of each 20 ms block in dBov."""
    size = int(rate_hz * _BLOCK_S)
    blocks = samples[: samples.size // size * size].reshape(-1, size)
    return np.asarray(10 * np.log10(np.mean(blocks**2, axis=1) + 1e-10), np.float32)


def voiced_span(samples: F32, rate_hz: int = ENGINE_RATE_HZ) -> tuple[float, float] | None:
    """Return from when to when somebody speaks, in seconds; None if nobody does."""
    level = levels(samples, rate_hz)
    if not level.size:
        return None
    floor, peak = float(np.percentile(level, 10)), float(np.percentile(level, 98))
    # speech that fills the stretch leaves no floor to rise from: near the peak is loud in any case
    threshold = max(
        _INAUDIBLE_DBOV, peak - _BELOW_PEAK_DB, min(floor + _ABOVE_FLOOR_DB, peak - _NEAR_PEAK_DB)
    )
    loud = np.flatnonzero(level > threshold)
    if not loud.size:
        return None
    return float(loud[0]) * _BLOCK_S, float(loud[-1] + 1) * _BLOCK_S


def is_quiet(pcm: bytes, rate_hz: int, speech_dbov: float) -> bool:
    """Whether a stretch after speech of that level holds no more speech."""
    level = levels(_samples(pcm), rate_hz)
    limit = max(_INAUDIBLE_DBOV, speech_dbov - _PAUSE_BELOW_PEAK_DB)
    return bool(np.count_nonzero(level > limit) <= 1)


def peak_dbov(pcm: bytes, rate_hz: int) -> float:
    """Return the level of the loudest blocks of a stretch."""
    level = levels(_samples(pcm), rate_hz)
    return float(np.percentile(level, 95)) if level.size else _INAUDIBLE_DBOV


def cuts(samples: F32, window_s: float, rate_hz: int = ENGINE_RATE_HZ) -> list[tuple[int, int]]:
    """Return the stretches of at most `window_s`, cut where the last third of a window is quietest.

    A cut depends only on what lies before it: more speech never moves it.
    """
    size, step = int(window_s * rate_hz), int(rate_hz * _BLOCK_S)
    stretches, start = [], 0
    while samples.size - start > size:
        search = start + size * 2 // 3
        level = levels(samples[search : start + size], rate_hz)
        smooth = np.convolve(level, np.ones(5) / 5, "same")
        end = search + (int(np.argmin(smooth)) + 1) * step
        stretches.append((start, end))
        start = end
    stretches.append((start, int(samples.size)))
    return stretches


def spread(
    tokens: Sequence[str], span: tuple[float, float], confidence: float
) -> tuple[tuple[Word, ...], Literal["estimated"]]:
    """Return words spread over the voiced span by their number of characters, and their kind of timing."""
    total = sum(len(token) for token in tokens)
    begin, length, done, words = span[0], span[1] - span[0], 0, []
    for token in tokens:
        start = begin + length * done / total
        done += len(token)
        words.append(Word(token, round(start, 3), round(begin + length * done / total, 3), confidence))
    return tuple(words), "estimated"
