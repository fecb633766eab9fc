"""Call-progress tones: frequencies of each frame, bursts of tone, and what their cadence says. Pure.

Cadences and frequencies: ITU-T E.180 Supplement 2 (China 450 Hz, North America 440, 480, 620 Hz, Europe
425 Hz), ITU-T Q.35 (special information tone), ITU-T T.30 (fax).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from voicebot.domain.audio import FRAME_BYTES, FRAME_MS, FRAME_SAMPLES, LINE_RATE_HZ

Frequencies = tuple[float, ...]  # Hz, rising; none: no tone

_BINS = 2048  # zero-padded: 4 Hz apart
_HZ = np.fft.rfftfreq(_BINS, 1 / LINE_RATE_HZ)
_WINDOW = np.hanning(2 * FRAME_SAMPLES)
_PEAK_HZ = 70.0  # half width of a peak through 40 ms of Hann window, or of two that beat
_PURE = 0.85  # share of the power that a tone's peaks hold
_SECOND = 0.08  # share from which a second peak is a second frequency
_QUIETEST_DBOV = -48.0
_NETWORK_HZ = (405.0, 500.0)  # 425 Europe, 450 China, 440 + 480 North America's ringing
_STEADY_HZ = 20.0  # a burst keeps its frequencies
_SHORTEST_MS = 60  # of a burst; less is a click or a vowel
_VOWEL_MS = 160
_LONGEST_KEPT_MS = 20_000


def frequencies(window: NDArray[np.float64]) -> Frequencies:
    """Return the one or two frequencies of which 40 ms consist; none if it is no tone.

    Two that lie closer than 70 Hz, such as 440 and 480, are seen as one near them.
    """
    power = float(np.mean(window**2))
    if power < 10 ** (_QUIETEST_DBOV / 10):
        return ()
    spectrum = np.abs(np.fft.rfft((window - window.mean()) * _WINDOW, _BINS)) ** 2
    total = float(spectrum.sum())
    if total <= 0:
        return ()
    first, share, rest = _peak(spectrum, total)
    if share >= _PURE:
        return (first,)
    second, more, _ = _peak(rest, total)
    if share + more >= _PURE and more >= _SECOND:
        return (min(first, second), max(first, second))
    return ()


def _peak(spectrum: NDArray[np.float64], total: float) -> tuple[float, float, NDArray[np.float64]]:
    """Return the strongest frequency, its share of the power, and the spectrum without it."""
    at = float(_HZ[int(np.argmax(spectrum))])
    near = np.abs(_HZ - at) <= _PEAK_HZ
    return at, float(spectrum[near].sum()) / total, np.where(near, 0.0, spectrum)


@dataclass(frozen=True, slots=True)
class Burst:
    """A stretch of steady tone."""

    frequencies: Frequencies
    start_ms: int
    end_ms: int
    over: bool = True  # False: it still sounds

    @property
    def on_ms(self) -> int:
        """How long it sounds."""
        return self.end_ms - self.start_ms


class ToneEar:
    """Cuts audio into bursts of tone. Times are exact to about 20 ms."""

    def __init__(self) -> None:
        """Begin with nothing heard."""
        self.now_ms = 0
        self._last: NDArray[np.float64] = np.zeros(FRAME_SAMPLES)
        self._bursts: list[Burst] = []
        self._current: Frequencies = ()
        self._start_ms = 0
        self._end_ms = 0

    def push(self, frame: bytes) -> None:
        """Take 20 ms."""
        assert len(frame) == FRAME_BYTES
        samples = np.frombuffer(frame, "<i2").astype(np.float64) / 32768
        found = frequencies(np.concatenate([self._last, samples]))
        self._last = samples
        self.now_ms += FRAME_MS
        if found and _same(found, self._current):
            self._end_ms = self.now_ms
        elif found and not self._current:
            self._begin(found)
        elif self._current and (found or self.now_ms - self._end_ms > FRAME_MS):
            self._close()
            if found:
                self._begin(found)

    @property
    def sounding(self) -> bool:
        """Whether a tone sounds now, for longer than a vowel's steady part."""
        return bool(self._current) and self._end_ms - self._start_ms >= _VOWEL_MS

    def bursts(self) -> list[Burst]:
        """Return the bursts of the last 20 s, the one that sounds now included."""
        if not self._current or self._end_ms - self._start_ms < _SHORTEST_MS:
            return list(self._bursts)
        return [*self._bursts, Burst(self._current, self._start_ms, self._end_ms, over=False)]

    def _begin(self, found: Frequencies) -> None:
        self._current = found
        self._start_ms, self._end_ms = self.now_ms - FRAME_MS, self.now_ms

    def _close(self) -> None:
        if self._end_ms - self._start_ms >= _SHORTEST_MS:
            self._bursts.append(Burst(self._current, self._start_ms, self._end_ms))
            self._bursts = [b for b in self._bursts if b.end_ms > self.now_ms - _LONGEST_KEPT_MS]
        self._current = ()


def _same(one: Frequencies, other: Frequencies) -> bool:
    if len(one) == len(other) == 1 and _network(one) and _network(other):
        return True  # two frequencies that beat seem to wander
    return len(one) == len(other) and all(abs(a - b) <= _STEADY_HZ for a, b in zip(one, other, strict=True))


class Signal(StrEnum):
    """What tones say."""

    RING_BACK = "ring_back"
    BUSY = "busy"
    CONGESTION = "congestion"
    VACANT = "vacant"  # China's number-unobtainable tone
    SIT = "sit"  # special information tone: an announcement follows
    FAX = "fax"
    BEEP = "beep"  # of a mailbox: speak now


# (on, off) in ms, each as often as it must be heard; a last off of 0 need not be over.
_CADENCES: tuple[tuple[Signal, tuple[tuple[int, int], ...]], ...] = (
    (Signal.VACANT, ((100, 100), (100, 100), (100, 100), (400, 0))),
    (Signal.BUSY, ((350, 350), (350, 0))),
    (Signal.BUSY, ((500, 500), (500, 0))),
    (Signal.CONGESTION, ((700, 700), (300, 0))),
    (Signal.CONGESTION, ((250, 250), (250, 250), (250, 0))),
    (Signal.CONGESTION, ((200, 200), (200, 200), (200, 0))),
)
_RING_ON_MS = (800, 2200)
_RING_OFF_MS = 1200  # nothing else pauses so long
_SIT_HZ = (950.0, 1400.0, 1780.0)
_SIT_TOLERANCE_HZ = 60.0
_BEEP_HZ = (600.0, 2000.0)
_BEEP_MS = (150, 1500)
_BEEP_QUIET_MS = 160
_FAX_HZ, _FAX_MS = 2100.0, 900


def signal(bursts: Sequence[Burst], now_ms: int) -> Signal | None:
    """Return what the newest bursts say; None while it can not be told."""
    network = [burst for burst in bursts if _network(burst.frequencies)]
    for found, cadence in _CADENCES:
        if _matches(network, cadence):
            return found
    if network and network[-1].over:
        last = network[-1]
        if _RING_ON_MS[0] <= last.on_ms <= _RING_ON_MS[1] and now_ms - last.end_ms >= _RING_OFF_MS:
            return Signal.RING_BACK
    if len(bursts) >= 3 and all(
        len(burst.frequencies) == 1
        and abs(burst.frequencies[0] - hz) <= _SIT_TOLERANCE_HZ
        and 200 <= burst.on_ms <= 500
        for burst, hz in zip(bursts[-3:], _SIT_HZ, strict=True)
    ):
        return Signal.SIT
    return _single(bursts[-1], now_ms) if bursts else None


def _single(last: Burst, now_ms: int) -> Signal | None:
    if len(last.frequencies) != 1:
        return None
    hz = last.frequencies[0]
    if abs(hz - _FAX_HZ) <= 30 and last.on_ms >= _FAX_MS:
        return Signal.FAX
    beep = _BEEP_HZ[0] <= hz <= _BEEP_HZ[1] and _BEEP_MS[0] <= last.on_ms <= _BEEP_MS[1]
    return Signal.BEEP if beep and last.over and now_ms - last.end_ms >= _BEEP_QUIET_MS else None


def _network(found: Frequencies) -> bool:
    """Whether a burst is one of the networks' busy or ringing tones."""
    if len(found) == 1:
        return _NETWORK_HZ[0] <= found[0] <= _NETWORK_HZ[1]
    return len(found) == 2 and abs(found[0] - 480) <= 25 and abs(found[1] - 620) <= 25


def _matches(bursts: Sequence[Burst], cadence: Sequence[tuple[int, int]]) -> bool:
    """Whether the newest bursts have a cadence; the last may still sound."""
    newest = bursts[-len(cadence) :]
    if len(newest) < len(cadence):
        return False
    for index, (burst, (on_ms, off_ms)) in enumerate(zip(newest, cadence, strict=True)):
        last = index == len(cadence) - 1
        if last and not off_ms:
            # congestion's last tone is only asked to be longer than that of a faster cadence
            return burst.on_ms >= on_ms - _tolerance(on_ms) and (
                not burst.over or burst.on_ms <= on_ms + _tolerance(on_ms) or cadence[0][0] > on_ms
            )
        gap_ms = newest[index + 1].start_ms - burst.end_ms
        if abs(burst.on_ms - on_ms) > _tolerance(on_ms) or abs(gap_ms - off_ms) > _tolerance(off_ms):
            return False
    return True


def _tolerance(duration_ms: int) -> float:
    return 25 + 0.12 * duration_ms
