"""Cues beside the recogniser's own: how the last syllables sound, and whether the words can stand alone."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from voicebot.domain.audio import LINE_RATE_HZ
from voicebot.text.normalise import comparable

F32 = NDArray[np.float32]

SOUND = (
    "lengthening_s",
    "fall_db",
    "level_slope_db_s",
    "f0_slope_st_s",
    "f0_final_st",
    "tilt_db",
    "floor_db",
)
WORDS = ("hanging", "particle", "number_open", "asks_leave", "length", "ngrams")
VERSION = "endpoint-1"

HANGING = (
    *(
        "然后",
        "就是",
        "因为",
        "所以",
        "但是",
        "不过",
        "可是",
        "而且",
        "如果",
        "要是",
        "还有",
        "或者",
        "那个",
        "这个",
    ),
    *(
        "的话",
        "比如",
        "关于",
        "我觉得",
        "我想",
        "就是说",
        "嗯",
        "呃",
        "和",
        "跟",
        "把",
        "被",
        "对于",
        "为了",
        "在",
    ),
)
PARTICLES = (*"吗吧呢啊呀啦嘛哦了", "谢谢", "再见", "可以", "不用", "不要", "好的", "是的", "没有")
ASKS_LEAVE = ("我想问一下", "想问一下", "请问", "问一下", "我问你", "你听我说", "是这样的", "等一下")
_DIGITS = "零一二三四五六七八九十百千万两点幺"
_FRAME, _HOP = 320, 80  # 40 ms every 10 ms
_LAST_S = 0.9
_VOICED_FRAMES = 6
_AT_ONCE = 32  # frames
_LAGS = (LINE_RATE_HZ // 400, LINE_RATE_HZ // 70)  # 70-400 Hz


def sound(samples: F32) -> tuple[float, ...]:
    """Return SOUND of the last 0.9 s of speech in 8 kHz audio that ends in a short pause."""
    frames = _frames(samples[-int((_LAST_S + 0.3) * LINE_RATE_HZ) :])
    if len(frames) < 20:
        return (0.0,) * len(SOUND)
    level = 10 * np.log10(np.mean(frames.astype(np.float64) ** 2, axis=1) + 1e-9)
    peak, floor = float(np.percentile(level, 95)), float(np.percentile(level, 5))
    loud = np.flatnonzero(level > max(peak - 25, floor + 6))
    if loud.size < 5:
        return (0.0,) * len(SOUND)
    last = int(loud[-1]) + 1
    breaks = np.flatnonzero(level[:last] < peak - 12)
    inner = breaks[breaks < last - 6]
    lengthening = (last - (int(inner[-1]) if inner.size else 0)) / 100
    final = slice(max(0, last - 30), last)
    f0 = _f0(frames[:last])
    tail, whole = f0[-30:][f0[-30:] > 0], f0[f0 > 0]
    return (
        lengthening,
        float(level[final].mean() - level[:last].mean()),
        _slope(level[final]),
        _slope(tail),
        float(tail.mean() - np.median(whole)) if tail.size and whole.size else 0.0,
        _tilt(frames[final]),
        floor - peak,
    )


def has_voice(samples: F32) -> bool:
    """Return whether 8 kHz audio holds a voice: 60 ms in which it repeats itself at a pitch."""
    frames = _frames(samples)
    if not len(frames):
        return False
    level = np.mean(frames.astype(np.float64) ** 2, axis=1)
    loud = frames[level > level.max() / 100]
    voiced = 0
    for at in range(0, len(loud), _AT_ONCE):  # a voice shows in the first few
        voiced += int(np.count_nonzero(_f0(loud[at : at + _AT_ONCE]) > 0))
        if voiced >= _VOICED_FRAMES:
            return True
    return False


def words(text: str, ngrams: Mapping[str, float]) -> tuple[float, ...]:
    """Return WORDS of what was said so far. `ngrams`: log odds of ending in each."""
    plain = comparable(text)
    digits = len(plain) - len(plain.rstrip(_DIGITS + "0123456789"))
    return (
        float(plain.endswith(HANGING)),
        float(plain.endswith(PARTICLES)),
        float(0 < digits < 11 and digits < len(plain)),
        float(plain.endswith(ASKS_LEAVE)),
        math.log1p(len(plain)),
        ngrams.get(plain[-1:], 0.0) + ngrams.get(plain[-2:], 0.0) if plain else 0.0,
    )


def _frames(samples: F32) -> F32:
    if samples.size < _FRAME:
        return np.zeros((0, _FRAME), np.float32)
    return np.lib.stride_tricks.sliding_window_view(samples, _FRAME)[::_HOP]


def _slope(values: NDArray[np.floating]) -> float:
    """Return the slope per second of values 10 ms apart."""
    if values.size < 4:
        return 0.0
    return float(np.polyfit(np.arange(values.size) / 100, values, 1)[0])


def _f0(frames: F32) -> NDArray[np.float64]:
    """Return the pitch of each frame in semitones over 50 Hz by autocorrelation; 0 = unvoiced."""
    size = 1024
    spectrum = np.fft.rfft(frames - frames.mean(axis=1, keepdims=True), size, axis=1)
    correlation = np.fft.irfft(np.abs(spectrum) ** 2, size, axis=1)[:, : _LAGS[1] + 1]
    window = 1 - np.arange(_LAGS[1] + 1) / _FRAME
    normal = correlation / (correlation[:, :1] + 1e-9) / window
    best = normal[:, _LAGS[0] :].argmax(axis=1) + _LAGS[0]
    strength = normal[np.arange(len(normal)), best]
    return np.where(strength > 0.5, 12 * np.log2(LINE_RATE_HZ / best / 50), 0.0)


def _tilt(frames: F32) -> float:
    """Return energy below 1 kHz against above it, dB."""
    power = (np.abs(np.fft.rfft(frames, axis=1)) ** 2).mean(axis=0)
    edge = 1000 * _FRAME // LINE_RATE_HZ
    return float(10 * np.log10((power[:edge].sum() + 1e-9) / (power[edge:].sum() + 1e-9)))
