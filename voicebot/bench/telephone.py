"""The telephone condition: 300-3400 Hz, 8 kHz, G.711 A-law. A helper of the benches."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray
from scipy import signal

from voicebot.domain.audio import LINE_RATE_HZ, Audio
from voicebot.domain.errors import DataError

_A = 87.6  # compression parameter of ITU-T G.711 A-law
_BAND_HZ = (300.0, 3400.0)


def read(path: Path) -> Audio:
    """Return a sound file as 16-bit mono at its own rate. Raises DataError."""
    try:
        samples, rate_hz = soundfile.read(path, dtype="float64", always_2d=True)
    except (OSError, soundfile.LibsndfileError) as broken:
        raise DataError(f"{path.name} can not be read ({broken})", hint="give wav, flac or mp3") from broken
    return Audio(_pcm(samples.mean(axis=1)), int(rate_hz))


def telephone(audio: Audio) -> Audio:
    """Return audio as it arrives over a telephone line: band-limited, 8 kHz, through A-law."""
    return Audio(a_law(_pcm(_line(audio))))


def clean(audio: Audio) -> Audio:
    """Return audio at the line's rate, without its band and codec."""
    return Audio(_pcm(_resample(_samples(audio), audio.rate_hz)))


def a_law(pcm: bytes) -> bytes:
    """Return 16-bit PCM after 8-bit A-law companding and expanding (continuous form of ITU-T G.711)."""
    x = np.frombuffer(pcm, "<i2").astype(np.float64) / 32768
    size, top = np.abs(x), 1 + np.log(_A)
    code = np.where(size < 1 / _A, _A * size / top, (1 + np.log(np.maximum(size, 1e-9) * _A)) / top)
    code = np.minimum((np.floor(code * 128) + 0.5) / 128, 1.0)
    back = np.where(code < 1 / top, code * top / _A, np.exp(code * top - 1) / _A)
    return _pcm(np.sign(x) * back)


def _line(audio: Audio) -> NDArray[np.float64]:
    samples = _resample(_samples(audio), audio.rate_hz)
    sections = signal.butter(4, _BAND_HZ, "bandpass", fs=LINE_RATE_HZ, output="sos")
    return np.asarray(signal.sosfilt(sections, samples), np.float64)


def _resample(samples: NDArray[np.float64], rate_hz: int) -> NDArray[np.float64]:
    if rate_hz == LINE_RATE_HZ or not samples.size:
        return samples
    return np.asarray(signal.resample_poly(samples, LINE_RATE_HZ, rate_hz), np.float64)


def _samples(audio: Audio) -> NDArray[np.float64]:
    return np.frombuffer(audio.pcm, "<i2").astype(np.float64) / 32768


def _pcm(samples: NDArray[np.float64]) -> bytes:
    return bytes(np.clip(np.round(samples * 32768), -32768, 32767).astype("<i2").tobytes())
