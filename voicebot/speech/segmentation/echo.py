"""Echo of our own prompt: what comes back from the far end follows what we said a little earlier.

Compares loudness contours, since a telephone's echo is coded twice and its phase is lost. Pure Python, since
the line worker must stay light: some 0.1 ms, and only for frames that are voiced while a prompt plays.
"""

from __future__ import annotations

from collections import deque
from math import log2, sqrt

FRAMES = 20  # compared: 400 ms
MOST_LAG = 25  # frames that an echo comes later, at most: 500 ms
LIKE = 0.85  # correlation from which it is an echo
_FLOOR = 32  # of 32767: below it there is only the codec's noise


class EchoGuard:
    """Remembers both contours of one call."""

    def __init__(self) -> None:
        """Begin in silence."""
        silence = log2(_FLOOR)
        self._said: deque[float] = deque([silence] * (FRAMES + MOST_LAG), FRAMES + MOST_LAG)
        self._heard: deque[float] = deque([silence] * FRAMES, FRAMES)

    def push(self, said: bytes, heard: bytes) -> None:
        """Take a frame of each direction, 16-bit PCM."""
        self._said.append(_level(said))
        self._heard.append(_level(heard))

    def is_echo(self) -> bool:
        """Return whether the last 400 ms heard are what was said up to 500 ms before, and quieter."""
        heard, said = list(self._heard), list(self._said)
        for lag in range(MOST_LAG):
            end = len(said) - lag
            window = said[end - FRAMES : end]
            if sum(window) > sum(heard) and _correlation(window, heard) >= LIKE:
                return True
        return False


def _level(frame: bytes) -> float:
    return log2(max(_FLOOR, max(memoryview(frame).cast("h"), default=0)))


def _correlation(a: list[float], b: list[float]) -> float:
    mean_a, mean_b = sum(a) / len(a), sum(b) / len(b)
    da, db = [x - mean_a for x in a], [x - mean_b for x in b]
    spread = sqrt(sum(x * x for x in da) * sum(x * x for x in db))
    return sum(x * y for x, y in zip(da, db, strict=True)) / spread if spread > 1.0 else 0.0
