"""Shares with their uncertainty."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

FEWEST = 20  # of either side, below which nothing is settled
WORTH = 0.05  # a difference that is worth finding
Z95 = 1.959964  # of a two-sided 95 % interval


@dataclass(frozen=True, slots=True)
class Share:
    """A counted share with its 95 % interval after Wilson (1927), which holds for small counts too."""

    hits: int
    of: int

    @property
    def rate(self) -> float:
        """The share itself; 0 of nothing."""
        return self.hits / self.of if self.of else 0.0

    @property
    def low(self) -> float:
        """Lower end."""
        return self._end(-1)

    @property
    def high(self) -> float:
        """Upper end."""
        return self._end(1)

    def _end(self, side: int) -> float:
        if not self.of:
            return 0.0 if side < 0 else 1.0
        z2 = Z95 * Z95
        middle = self.rate + z2 / (2 * self.of)
        half = Z95 * math.sqrt(self.rate * (1 - self.rate) / self.of + z2 / (4 * self.of * self.of))
        return min(1.0, max(0.0, (middle + side * half) / (1 + z2 / self.of)))


def settled(hits: Sequence[int], of: Sequence[int], *, doubt: float = 0.05) -> int | None:
    """Return which of two shares is the higher one beyond doubt, or None while that is open.

    A sequential test that may be looked at after every case: the mixture likelihood ratio of Robbins (1970)
    on the difference of the two shares, whose chance to ever be wrong is at most `doubt`.
    """
    if min(of) < FEWEST:
        return None
    rates = [hit / count for hit, count in zip(hits, of, strict=True)]
    pooled = sum(hits) / sum(of)
    variance = max(pooled * (1 - pooled), 1e-4) * (1 / of[0] + 1 / of[1])
    prior = WORTH**2
    difference = rates[0] - rates[1]
    log_ratio = 0.5 * math.log(variance / (variance + prior)) + difference**2 * prior / (
        2 * variance * (variance + prior)
    )
    if log_ratio < math.log(1 / doubt):
        return None
    return 0 if difference > 0 else 1
