"""How a stretch of speech sounds: pitch, level, tilt, rate and voicing in the telephone band.

Everything is computed from one short-time spectrum, so two seconds cost a few milliseconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise
from math import gcd

import numpy as np
from numpy.typing import NDArray
from scipy import fft, signal

from voicebot.domain.audio import LINE_RATE_HZ, Audio
from voicebot.domain.speech import Prosody

FEATURE_VERSION = "prosody-1"
HOP_S = 0.010
MAX_S = 15.0  # of a longer stretch only the end is analysed: bounded time, and the end carries the attitude
MIN_ACTIVE_FRAMES = 12  # less than 120 ms of speech says nothing about a voice

_WINDOW = 320  # 40 ms: three periods of a 75 Hz voice
_FFT = 512  # window + longest lag fit, so the autocorrelation does not wrap
_F0_MIN_HZ, _F0_MAX_HZ = 75.0, 450.0
_BAND_HZ = (300.0, 3400.0)
_EDGES_HZ = (300.0, 500.0, 700.0, 1000.0, 1400.0, 1900.0, 2500.0, 3400.0)
_VOICED = 0.22  # normalised autocorrelation from which a frame counts as voiced
_CANDIDATES = 5
_WHITENING = 0.8  # 1 = an entirely flat spectrum
_OCTAVE_COST = 0.01  # prefers the shorter of two equally good periods (Boersma 1993)
_JUMP_COST = 0.35  # per octave between neighbouring frames

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]

NAMES = (
    "f0_mean_st", "f0_median_st", "f0_p10_st", "f0_p90_st", "f0_range_st", "f0_sd_st", "f0_slope_st_s",
    "f0_rise_st_s", "f0_final_st", "f0_move_st_s",
    "level_db", "level_p90_db", "level_sd_db", "level_slope_db_s",
    "tilt_db", "tilt_voiced_db", "centroid_oct", "hammarberg_db", "flux_db",
    *(f"band_{low:.0f}_db" for low in _EDGES_HZ[:-1]),
    "voiced_ratio", "harmonicity", "rate_peaks_s",
)  # fmt: skip
LEVEL_NAMES = frozenset({"level_db", "level_p90_db"})  # what line gain moves


@dataclass(frozen=True, slots=True)
class Frames:
    """Short-time measures of one stretch, a row per 10 ms."""

    f0_hz: F32  # 0 = unvoiced
    harmonicity: F32  # peak of the normalised autocorrelation, 0-1
    bands_db: F32  # (frames, 7) power per band, dBov
    level_db: F32  # power in 300-3400 Hz, dBov
    offset_s: float  # where the first frame lies in the stretch

    def between(self, start_s: float, end_s: float) -> Frames:
        """Return the frames of a part, such as a keyword."""
        first = max(0, round((start_s - self.offset_s) / HOP_S))
        last = max(first, round((end_s - self.offset_s) / HOP_S))
        part = slice(first, last)
        return Frames(
            self.f0_hz[part], self.harmonicity[part], self.bands_db[part], self.level_db[part],
            self.offset_s + first * HOP_S,
        )  # fmt: skip


def line_samples(audio: Audio) -> F32:
    """Return the sound as floats in -1..1 at 8 kHz; of a long one the last 15 s."""
    pcm = np.frombuffer(audio.pcm[: len(audio.pcm) // 2 * 2], "<i2")
    pcm = pcm[-int(MAX_S * audio.rate_hz) :]
    samples = pcm.astype(np.float32) / 32768.0
    if audio.rate_hz != LINE_RATE_HZ and samples.size:
        shared = gcd(audio.rate_hz, LINE_RATE_HZ)
        samples = signal.resample_poly(samples, LINE_RATE_HZ // shared, audio.rate_hz // shared)
    return np.asarray(samples, np.float32)


def frames_of(samples: F32, offset_s: float = 0.0) -> Frames:
    """Measure 8 kHz samples every 10 ms: power per band, and pitch by autocorrelation."""
    hop = int(HOP_S * LINE_RATE_HZ)
    if samples.size < _WINDOW:
        samples = np.pad(samples, (0, _WINDOW - samples.size))
    rows = np.lib.stride_tricks.sliding_window_view(samples, _WINDOW)[::hop]
    spectrum = np.abs(fft.rfft(rows * _window(), _FFT, axis=1))
    masks, scale = _bands()
    bands = (spectrum**2) @ masks * scale
    level = 10 * np.log10(bands.sum(axis=1) + 1e-10)
    f0, harmonicity = _pitch(spectrum, level)
    bands_db = 10 * np.log10(bands + 1e-10)
    return Frames(f0, harmonicity, bands_db.astype(np.float32), level.astype(np.float32), offset_s)


def active(frames: Frames) -> NDArray[np.bool_]:
    """Return which frames hold speech: within 30 dB of the loud ones, and not the line's noise."""
    if frames.level_db.size == 0:
        return np.zeros(0, np.bool_)
    loud = float(np.percentile(frames.level_db, 95))
    return np.asarray((frames.level_db > loud - 30) & (frames.level_db > -62), np.bool_)


def measure(frames: Frames, syllables: int = 0, gain_db: float = 0.0) -> Prosody | None:
    """Return the prosody of a stretch.

    Args:
        frames: of the stretch.
        syllables: how many it has, if the words are known (one per hanzi).
        gain_db: line gain to add to levels, measured once per call.

    Returns:
        None if there is too little speech to say anything.
    """
    speech = active(frames)
    count = int(speech.sum())
    if count < MIN_ACTIVE_FRAMES:
        return None
    power = 10 ** (frames.bands_db[speech].astype(np.float64) / 10)
    mean = power.mean(axis=0)
    levels = frames.level_db[speech].astype(np.float64)
    active_s = count * HOP_S
    level = float(10 * np.log10(mean.sum())) + gain_db
    pitch = _pitch_features(frames)
    voiced = (frames.f0_hz > 0) & speech
    voiced_power = 10 ** (frames.bands_db[voiced].astype(np.float64) / 10) if voiced.any() else power
    rate = syllables / active_s if syllables else 0.0
    voiced_ratio = float(voiced.sum()) / count
    values = (
        *pitch[1:],
        level,
        float(np.percentile(levels, 90)) + gain_db,
        float(levels.std()),
        _slope(np.arange(count) * HOP_S, levels),
        _tilt(mean),
        _tilt(voiced_power.mean(axis=0)),
        float((mean * np.arange(mean.size)).sum() / mean.sum()),
        float(10 * np.log10(mean[:5].max() / mean[5:].max())),
        float(np.abs(np.diff(frames.bands_db[speech], axis=0)).mean()) if count > 1 else 0.0,
        *(10 * np.log10(mean / mean.sum())),
        voiced_ratio,
        float(frames.harmonicity[speech].mean()),
        _peaks(frames.level_db) / active_s,
    )
    return Prosody(
        f0_median_hz=pitch[0],
        f0_range_st=pitch[5],
        f0_slope_st_s=pitch[7],
        level_db=level,
        tilt_db=_tilt(mean),
        voiced_ratio=voiced_ratio,
        rate_syl_s=rate,
        duration_s=frames.level_db.size * HOP_S,
        vector=tuple(float(value) for value in values),
        feature_version=FEATURE_VERSION,
    )


def relative(prosody: Prosody, mean: Sequence[float]) -> tuple[float, ...]:
    """Return the vector minus a baseline's; a stretch without pitch counts as pitched like the baseline."""
    pitched = prosody.f0_median_hz > 0
    return tuple(
        value - base if pitched or not name.startswith("f0_") else 0.0
        for name, value, base in zip(NAMES, prosody.vector, mean, strict=True)
    )


def with_gain(prosody: Prosody, gain_db: float) -> Prosody:
    """Return the prosody as it would be behind another line gain."""
    moved = tuple(
        value + gain_db if name in LEVEL_NAMES else value
        for name, value in zip(NAMES, prosody.vector, strict=True)
    )
    return replace(prosody, level_db=prosody.level_db + gain_db, vector=moved)


def _pitch(spectrum: F32, level: F32) -> tuple[F32, F32]:
    """Track F0 through the strongest periods of the whitened, band-limited autocorrelation.

    Magnitude instead of power (generalised autocorrelation, Tolonen and Karjalainen 2000) and division by the
    local mean keep one strong formant or the two lowest harmonics in the band from winning over the missing
    fundamental; division by the window's own autocorrelation (Boersma 1993) keeps long periods in the race.
    """
    lags = fft.irfft(_whiten(spectrum), axis=1)
    shortest, longest = int(LINE_RATE_HZ / _F0_MAX_HZ), int(np.ceil(LINE_RATE_HZ / _F0_MIN_HZ))
    curve = lags[:, shortest - 1 : longest + 2] / (lags[:, :1] + 1e-9)
    curve = curve / _window_lags()[shortest - 1 : longest + 2]
    inner = curve[:, 1:-1]
    peak = (inner > curve[:, :-2]) & (inner >= curve[:, 2:])
    ratio = np.arange(shortest, longest + 1) / shortest
    score = np.where(peak, inner - _OCTAVE_COST * np.log2(ratio), -1.0)
    best = np.argpartition(-score, _CANDIDATES, axis=1)[:, :_CANDIDATES]
    rows = np.arange(best.shape[0])[:, None]
    left, middle, right = curve[rows, best], curve[rows, best + 1], curve[rows, best + 2]
    bend = left - 2 * middle + right
    shift = np.where(np.abs(bend) > 1e-9, 0.5 * (left - right) / np.where(bend == 0, 1, bend), 0.0)
    f0 = LINE_RATE_HZ / (best + shortest + np.clip(shift, -0.5, 0.5))
    path = _smoothest(score[rows, best], np.log2(f0))
    row = np.arange(best.shape[0])
    strength = np.clip(middle[row, path], 0, 1)
    loud = level > np.percentile(level, 95) - 30
    voiced = (strength > _VOICED) & loud
    return np.where(voiced, f0[row, path], 0.0).astype(np.float32), strength.astype(np.float32)


def _whiten(spectrum: F32) -> F32:
    """Return the magnitudes in the band over (nearly) their mean within 600 Hz on both sides."""
    frequencies = np.arange(spectrum.shape[1]) * LINE_RATE_HZ / _FFT
    inside = ((frequencies >= _BAND_HZ[0]) & (frequencies <= _BAND_HZ[1])).astype(np.float32)
    magnitude = spectrum * inside
    reach = int(600 * _FFT / LINE_RATE_HZ)
    sums = np.cumsum(np.pad(magnitude, ((0, 0), (reach + 1, reach))), axis=1)
    counts = np.cumsum(np.pad(inside, (reach + 1, reach)))
    near = 2 * reach + 1
    local = (sums[:, near:] - sums[:, :-near]) / np.maximum(counts[near:] - counts[:-near], 1)
    floor = 0.02 * magnitude.max(axis=1, keepdims=True) + 1e-9
    return np.asarray(magnitude / np.maximum(local, floor) ** _WHITENING, np.float32)


def _smoothest(score: F32, octaves: F64) -> NDArray[np.intp]:
    """Return the candidate of each frame on the best path: high score, small jumps (Viterbi)."""
    frames = score.shape[0]
    back = np.zeros(score.shape, np.intp)
    total = score[0].astype(np.float64)
    jumps = _JUMP_COST * np.abs(octaves[1:, :, None] - octaves[:-1, None, :])
    for index in range(1, frames):
        reach = total[None, :] - jumps[index - 1]
        back[index] = reach.argmax(axis=1)
        total = reach.max(axis=1) + score[index]
    path = np.empty(frames, np.intp)
    path[-1] = int(total.argmax())
    for index in range(frames - 1, 0, -1):
        path[index - 1] = back[index, path[index]]
    return path


def _pitch_features(frames: Frames) -> tuple[float, ...]:
    """Return the median in Hz, then ten features in semitones (zeros if unvoiced)."""
    at = _sure(frames.f0_hz)
    if at.size < 5:
        return (0.0,) * 11
    tone = 12 * np.log2(frames.f0_hz[at].astype(np.float64) / 100.0)
    times = at * HOP_S
    low, middle, high = np.percentile(tone, (10, 50, 90))
    steps = np.diff(tone) / np.diff(times)
    near = np.abs(steps) < 100  # faster is a tracking error, not a voice
    moves = steps[near] if near.any() else np.zeros(1)
    third = max(1, tone.size // 3)
    return (
        float(100 * 2 ** (middle / 12)),
        float(tone.mean()), float(middle), float(low), float(high), float(high - low), float(tone.std()),
        _slope(times, tone),
        float(np.clip(moves, 0, None).mean()),
        float(tone[-third:].mean()),
        float(np.abs(moves).mean()),
    )  # fmt: skip


def _sure(f0_hz: F32) -> NDArray[np.intp]:
    """Return the voiced frames that are hardly octave errors or noise.

    Runs under 40 ms are no vowels; beyond 0.75 x the lower and 1.5 x the upper quartile lies another octave
    (De Looze and Hirst 2008).
    """
    voiced = f0_hz > 0
    edges = np.flatnonzero(np.diff(np.pad(voiced.astype(np.int8), 1)))
    for start, end in edges.reshape(-1, 2):
        if end - start < 4:
            voiced[start:end] = False
    at = np.flatnonzero(voiced)
    if at.size == 0:
        return at
    low, high = np.percentile(f0_hz[at], (25, 75))
    sure: NDArray[np.intp] = at[(f0_hz[at] >= 0.75 * low) & (f0_hz[at] <= 1.5 * high)]
    return sure


def _slope(x: NDArray[np.floating], y: F64) -> float:
    spread = x - x.mean()
    below = float((spread**2).sum())
    return float((spread * (y - y.mean())).sum() / below) if below > 0 else 0.0


def _tilt(power: F64) -> float:
    """Return the energy below 1 kHz against above it, dB. A raised voice has less."""
    return float(10 * np.log10(power[:3].sum() / power[3:].sum()))


def _peaks(level_db: F32) -> int:
    """Count syllable nuclei: maxima of the smoothed level with a dip of 3 dB before them."""
    smooth = np.convolve(level_db, np.hanning(9) / np.hanning(9).sum(), "same")
    found, _ = signal.find_peaks(smooth, height=float(smooth.max()) - 20, prominence=3)
    return len(found)


@cache
def _window() -> F32:
    return np.asarray(signal.get_window("hann", _WINDOW), np.float32)


@cache
def _window_lags() -> F32:
    """Return the window's normalised autocorrelation."""
    lags = np.correlate(_window(), _window(), "full")[_WINDOW - 1 :]
    return np.asarray(lags / lags[0], np.float32)


@cache
def _bands() -> tuple[F32, float]:
    frequencies = np.arange(_FFT // 2 + 1) * LINE_RATE_HZ / _FFT
    masks = np.stack(
        [(frequencies >= low) & (frequencies < high) for low, high in pairwise(_EDGES_HZ)],
        axis=1,
    )
    power = float((_window() ** 2).sum())
    return masks.astype(np.float32), 2.0 / (_FFT * power)
