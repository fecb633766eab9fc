"""Shares with their uncertainty."""

from __future__ import annotations

import math
from dataclasses import dataclass

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
