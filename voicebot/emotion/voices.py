"""Makes calm and raised voices out of read speech, so that both classes went through the same vocoder.

Real Mandarin speech is taken apart with WORLD (Morise 2016) and put together again: as another speaker,
calm or raised, behind another telephone line. If only one class were resynthesised, a model would learn the
vocoder. pyworld is needed at training time only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from voicebot.domain.audio import LINE_RATE_HZ
from voicebot.domain.errors import DataError

F64 = NDArray[np.float64]
F32 = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Parts:
    """A stretch of speech, taken apart."""

    f0_hz: F64
    envelope: F32  # power, (frames, bins); single precision halves the memory of a thousand pieces
    aperiodicity: F32
    rate_hz: int


@dataclass(frozen=True, slots=True)
class Speaker:
    """An invented speaker on an invented line."""

    f0_factor: float
    formant_factor: float  # above 1: a shorter vocal tract
    gain_db: float
    line_tilt_db: float  # at 3.4 kHz against 300 Hz
    noise_db: float  # dBov


@dataclass(frozen=True, slots=True)
class Manner:
    """How something is said, against the speaker's plain way."""

    f0_st: float
    range_factor: float
    level_db: float
    tilt_db_oct: float  # added above 500 Hz
    rate_factor: float


def take_apart(samples: F64, rate_hz: int) -> Parts:
    """Analyse speech with WORLD."""
    world = _world()
    f0, times = world.dio(samples, rate_hz, frame_period=10.0)
    f0 = world.stonemask(samples, f0, times, rate_hz)
    envelope = world.cheaptrick(samples, f0, times, rate_hz).astype(np.float32)
    return Parts(f0, envelope, world.d4c(samples, f0, times, rate_hz).astype(np.float32), rate_hz)


def invent_speaker(random: np.random.Generator) -> Speaker:
    """Return a speaker: low or high voice, long or short vocal tract, any line."""
    high = random.random() < 0.5
    return Speaker(
        f0_factor=float(2 ** random.uniform(0.0, 0.9) if high else 2 ** random.uniform(-0.9, 0.1)),
        formant_factor=float(random.uniform(1.0, 1.18) if high else random.uniform(0.86, 1.03)),
        gain_db=float(random.uniform(-12, 6)),
        line_tilt_db=float(random.uniform(-12, 6)),
        noise_db=float(random.uniform(-75, -50)),
    )


def invent_manner(random: np.random.Generator, *, raised: bool) -> Manner:
    """Return a calm or a raised manner: pitch and level up, spectrum flatter, in wide ranges."""
    if not raised:
        return Manner(
            f0_st=float(random.normal(0, 0.9)),
            range_factor=float(random.uniform(0.75, 1.3)),
            level_db=float(random.normal(0, 2.0)),
            tilt_db_oct=float(random.normal(0, 0.7)),
            rate_factor=float(random.uniform(0.88, 1.14)),
        )
    return Manner(
        f0_st=float(random.uniform(1.0, 8.0)),
        range_factor=float(random.uniform(0.85, 1.7)),
        level_db=float(random.uniform(1.0, 11.0)),
        tilt_db_oct=float(random.uniform(0.5, 4.5)),
        rate_factor=float(random.uniform(0.88, 1.25)),
    )


def put_together(parts: Parts, speaker: Speaker, manner: Manner, random: np.random.Generator) -> bytes:
    """Return the speech as this speaker would say it in this manner: 8 kHz 16-bit PCM after A-law."""
    world = _world()
    f0 = _bend_pitch(parts.f0_hz, speaker.f0_factor * 2 ** (manner.f0_st / 12), manner.range_factor)
    bins = parts.envelope.shape[1]
    frequencies = np.linspace(0, parts.rate_hz / 2, bins)
    octaves = np.clip(np.log2(np.maximum(frequencies, 1.0) / 500.0), 0, 3)
    tilt = 10 ** (manner.tilt_db_oct * octaves / 10)
    place = np.minimum(np.arange(bins) / speaker.formant_factor, bins - 1)
    envelope = np.ascontiguousarray(_warp(parts.envelope, place) * tilt)
    aperiodicity = np.ascontiguousarray(np.clip(_warp(parts.aperiodicity, place), 0, 1))
    period = 10.0 / manner.rate_factor
    sound: F64 = world.synthesize(f0, envelope, aperiodicity, parts.rate_hz, period)
    # the level is set after the tilt, so that tilt alone does not make a voice louder
    before = float((parts.envelope.sum(axis=1)).mean())
    after = float((envelope.sum(axis=1)).mean())
    sound = sound * np.sqrt(before / after) * 10 ** (manner.level_db / 20)
    return telephone(sound, parts.rate_hz, speaker, random)


def telephone(sound: F64, rate_hz: int, speaker: Speaker, random: np.random.Generator) -> bytes:
    """Return the sound as a telephone line carries it: 300-3400 Hz, 8 kHz, gain, noise, A-law."""
    line = signal.resample_poly(sound, LINE_RATE_HZ, rate_hz)
    sections = signal.butter(4, (300, 3400), "bandpass", fs=LINE_RATE_HZ, output="sos")
    line = signal.sosfilt(sections, line)
    spectrum = np.fft.rfft(line)
    octaves = np.clip(np.log2(np.maximum(np.fft.rfftfreq(line.size, 1 / LINE_RATE_HZ), 1) / 300), 0, 3.5)
    line = np.fft.irfft(spectrum * 10 ** (speaker.line_tilt_db * octaves / 3.5 / 20), line.size)
    line = line * 10 ** (speaker.gain_db / 20) + random.normal(0, 10 ** (speaker.noise_db / 20), line.size)
    return a_law(np.clip(line, -1, 1))


def a_law(samples: F64) -> bytes:
    """Return samples in -1..1 as 16-bit PCM after 8-bit A-law companding (ITU-T G.711, A = 87.6)."""
    size = np.abs(samples)
    top = 1 + np.log(87.6)
    code = np.where(size < 1 / 87.6, 87.6 * size / top, (1 + np.log(np.maximum(size, 1e-9) * 87.6)) / top)
    code = (np.floor(code * 127.999) + 0.5) / 128
    back = np.where(code < 1 / top, code * top / 87.6, np.exp(code * top - 1) / 87.6)
    values = np.clip(np.sign(samples) * back * 32767, -32768, 32767)
    return bytes(values.astype("<i2").tobytes())


def _bend_pitch(f0: F64, factor: float, range_factor: float) -> F64:
    voiced = f0 > 0
    if not voiced.any():
        return f0
    tone = np.log2(f0[voiced])
    middle = float(np.median(tone))
    bent = np.zeros_like(f0)
    bent[voiced] = np.clip(2 ** (middle + (tone - middle) * range_factor) * factor, 60, 600)
    return bent


def _warp(values: F32, place: F64) -> F64:
    low = np.floor(place).astype(int)
    high = np.minimum(low + 1, values.shape[1] - 1)
    part = place - low
    mixed: F64 = values[:, low].astype(np.float64) * (1 - part) + values[:, high] * part
    return mixed


def _world() -> Any:
    try:
        import pyworld
    except ImportError as absent:
        raise DataError(
            "pyworld is not installed", hint="install the extra: pip install 'voicebot[train]'"
        ) from absent
    return pyworld
