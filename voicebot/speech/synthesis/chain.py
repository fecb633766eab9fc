"""What every prompt goes through last: trim, telephone rate, active level, fades, int16."""

from __future__ import annotations

from math import gcd
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voicebot.domain.audio import LINE_RATE_HZ, Audio
from voicebot.domain.errors import SynthesisError

CHAIN_VERSION = "1"  # part of every cache key: raise it when anything below changes
ACTIVE_LEVEL_DBOV = -26.0  # usual speech level on a digital line (ITU-T P.56, G.100)
EDGE_S = 0.03  # kept before and after the speech
FADE_S = 0.008
_WINDOW_S = 0.01
_ACTIVE_BELOW_PEAK_DB = 35.0
_PEAK = 0.89  # -1 dBFS


def _levels_db(sound: NDArray[np.float64], rate_hz: int) -> NDArray[np.float64]:
    """Return the level of each 10 ms window in dB below full scale."""
    size = int(_WINDOW_S * rate_hz)
    count = len(sound) // size
    power = (sound[: count * size].reshape(count, size) ** 2).mean(axis=1)
    levels: NDArray[np.float64] = 10 * np.log10(power + 1e-12)
    return levels


def active_level_dbov(sound: NDArray[np.float64], rate_hz: int) -> float:
    """Return the mean level of the windows that hold speech, in dB below full scale."""
    levels = _levels_db(sound, rate_hz)
    if not len(levels):
        return -120.0
    active = levels[levels > levels.max() - _ACTIVE_BELOW_PEAK_DB]
    return float(10 * np.log10(np.mean(10 ** (active / 10))))


def trim(sound: NDArray[np.float64], rate_hz: int) -> NDArray[np.float64]:
    """Cut silence off both ends, leaving 30 ms."""
    levels = _levels_db(sound, rate_hz)
    if not len(levels):
        return sound
    speech = np.flatnonzero(levels > levels.max() - _ACTIVE_BELOW_PEAK_DB)
    size, edge = int(_WINDOW_S * rate_hz), int(EDGE_S * rate_hz)
    return sound[max(0, speech[0] * size - edge) : (speech[-1] + 1) * size + edge]


def fade(sound: NDArray[np.float64], rate_hz: int) -> NDArray[np.float64]:
    """Fade both ends in and out, so that they meet silence without a click."""
    size = min(int(FADE_S * rate_hz), len(sound) // 2)
    ramp = np.sin(np.linspace(0, np.pi / 2, size)) ** 2
    faded = sound.copy()
    faded[:size] *= ramp
    faded[len(faded) - size :] *= ramp[::-1]
    return faded


def finish(sound: NDArray[np.floating[Any]], rate_hz: int, *, level_dbov: float = ACTIVE_LEVEL_DBOV) -> Audio:
    """Return speech ready for the line.

    Args:
        sound: mono, float, full scale = 1.0.
        rate_hz: its sampling rate.
        level_dbov: active level of the result; lower if its peaks would clip.

    Raises:
        SynthesisError: it holds no speech.
    """
    from scipy import signal  # a second of import: only where something is spoken

    wide = np.asarray(sound, np.float64).ravel()
    if not len(wide) or not np.isfinite(wide).all() or active_level_dbov(wide, rate_hz) < -70:
        raise SynthesisError("the engine returned silence", hint="Check the text and the engine.")
    divisor = gcd(rate_hz, LINE_RATE_HZ)
    narrow = signal.resample_poly(wide, LINE_RATE_HZ // divisor, rate_hz // divisor)
    # below 100 Hz a telephone carries nothing but hum and level
    narrow = signal.sosfiltfilt(signal.butter(2, 100, "highpass", fs=LINE_RATE_HZ, output="sos"), narrow)
    narrow = trim(narrow, LINE_RATE_HZ)
    gain = 10 ** ((level_dbov - active_level_dbov(narrow, LINE_RATE_HZ)) / 20)
    gain = min(gain, _PEAK / float(np.abs(narrow).max()))
    return to_pcm(fade(narrow * gain, LINE_RATE_HZ))


def to_pcm(sound: NDArray[np.floating[Any]], rate_hz: int = LINE_RATE_HZ) -> Audio:
    """Return float samples as 16-bit audio."""
    clipped = np.clip(np.rint(np.asarray(sound) * 32768), -32768, 32767)
    return Audio(clipped.astype("<i2").tobytes(), rate_hz)


def to_float(audio: Audio) -> NDArray[np.float64]:
    """Return 16-bit audio as float samples, full scale = 1.0."""
    return np.frombuffer(audio.pcm, "<i2").astype(np.float64) / 32768
