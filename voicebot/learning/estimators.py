"""What another policy would have earned, from decisions of the one that ran: IPS, SNIPS, DM, DR. Pure.

Horvitz and Thompson 1952 (IPS); Swaminathan and Joachims 2015 (SNIPS); Dudik et al. 2011 (DR). Thin data are
refused: with a small effective sample size (Kish 1965) no conclusion is drawn.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]

ENOUGH = 100.0  # effective decisions below which nothing is concluded
MOST_WEIGHT = 20.0  # of one decision; clipped above


@dataclass(frozen=True, slots=True)
class Logged:
    """n decisions as they were logged."""

    rewards: Vector  # n, 0-1
    propensities: Vector  # n: probability with which the chosen script was chosen
    chosen: Vector  # n: probability with which the other policy would choose it
    expected_chosen: Vector  # n: the reward model's guess for the chosen script
    expected_policy: Vector  # n: its guess for what the other policy would choose


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value with its 95 % interval, and whether it may be believed."""

    name: str
    value: float
    low: float
    high: float
    effective: float  # decisions
    conclusive: bool


def estimates(logged: Logged) -> tuple[Estimate, ...]:
    """Return IPS, SNIPS, DM and DR of the other policy's mean reward."""
    weights = np.minimum(logged.chosen / logged.propensities, MOST_WEIGHT)
    effective = float(weights.sum() ** 2 / max((weights**2).sum(), 1e-12))
    ips = weights * logged.rewards
    mean_weight = max(float(weights.mean()), 1e-12)
    snips = float(ips.mean()) / mean_weight
    around = weights * (logged.rewards - snips) / mean_weight + snips
    dr = logged.expected_policy + weights * (logged.rewards - logged.expected_chosen)
    return tuple(
        _estimate(name, values, effective)
        for name, values in (
            ("IPS", ips),
            ("SNIPS", around),
            ("DM", logged.expected_policy),
            ("DR", dr),
        )
    )


def _estimate(name: str, values: Vector, effective: float) -> Estimate:
    value = float(values.mean())
    half = 1.96 * float(values.std(ddof=1)) / len(values) ** 0.5 if len(values) > 1 else 1.0
    return Estimate(name, value, value - half, value + half, effective, effective >= ENOUGH)


def bootstrap_difference(
    candidate: Vector, live: Vector, chance: np.random.Generator, draws: int = 2000
) -> tuple[float, float, float]:
    """Return mean and 95 % interval of candidate minus live on the same cases (paired bootstrap)."""
    difference = candidate - live
    picks = chance.integers(0, len(difference), size=(draws, len(difference)))
    means = difference[picks].mean(axis=1)
    low, high = np.quantile(means, (0.025, 0.975))
    return float(difference.mean()), float(low), float(high)
