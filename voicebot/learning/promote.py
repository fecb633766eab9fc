"""Whether a candidate takes the place of the live model. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voicebot.learning.estimators import bootstrap_difference

FEWEST = 50  # cases below which nothing is promoted
WORST_GROUP = -0.05  # a scene or an emotion may lose at most so much
GROUP_CASES = 30  # groups smaller than this are told, not judged


@dataclass(frozen=True, slots=True)
class Comparison:
    """A candidate beside the live model on the same held-out cases."""

    cases: int
    difference: float  # of the mean score, candidate minus live
    low: float  # of its 95 % interval
    high: float
    groups: Mapping[str, float]  # scene or emotion -> difference
    promote: bool
    why: str


def compare(
    candidate: NDArray[np.float64],
    live: NDArray[np.float64],
    groups: Mapping[str, NDArray[np.bool_]],
    seed: int,
) -> Comparison:
    """Compare per case (1 = an acceptable script) and decide by rule.

    Promoted is a candidate whose paired bootstrap interval lies above zero, and that loses in no group of
    enough cases more than five points.
    """
    if not len(candidate):
        return Comparison(0, 0.0, 0.0, 0.0, {}, promote=False, why=f"no cases; {FEWEST} are needed")
    difference, low, high = bootstrap_difference(candidate, live, np.random.default_rng(seed))
    changes = {name: float((candidate - live)[mask].mean()) for name, mask in groups.items() if mask.any()}
    worst = min(
        (change for name, change in changes.items() if groups[name].sum() >= GROUP_CASES), default=0.0
    )
    if len(candidate) < FEWEST:
        promote, why = False, f"only {len(candidate)} cases; {FEWEST} are needed"
    elif low <= 0:
        promote, why = False, "not better than the live model beyond doubt"
    elif worst < WORST_GROUP:
        promote, why = False, "worse in one scene or emotion"
    else:
        promote, why = True, "better beyond doubt, and worse nowhere"
    return Comparison(len(candidate), difference, low, high, changes, promote, why)
