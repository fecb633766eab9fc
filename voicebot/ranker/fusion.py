"""One score from several members: standardised over the scripts, weighted, summed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from voicebot.ranker.kernel import Array

_STEPS = (0.0, 0.15, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0)
_AGAINST = {"common": (-1.0, -0.7, -0.5, -0.3, -0.15)}  # what fits everything may count against a script
_HELPERS = ("knn", "direct", "common")  # weigh nothing unless that helps
_WORTH = 0.001  # of mean reciprocal rank
_ROUNDS = 3


def standardise(scores: Array) -> Array:
    """Return scores with mean 0 and deviation 1 in every row, so that members can be added."""
    spread = scores.std(axis=1, keepdims=True)
    return np.asarray((scores - scores.mean(axis=1, keepdims=True)) / np.maximum(spread, 1e-9))


def _comparable(name: str, scores: Array) -> Array:
    # standardised, commonness would count as much where all scripts are equally common
    return scores if name == "common" else standardise(scores)


def fuse(members: Mapping[str, Array], weights: Mapping[str, float]) -> Array:
    """Return the weighted sum of the members' standardised scores."""
    first = next(iter(members.values()))
    total = np.zeros(first.shape)
    for name, weight in weights.items():
        if weight and name in members:
            total += weight * _comparable(name, members[name])
    return total


def ranks(scores: Array, right: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the rank of each row's right script, 1 = first; ties count half."""
    own = scores[np.arange(len(right)), right][:, None]
    return np.asarray(1 + (scores > own).sum(axis=1) + ((scores == own).sum(axis=1) - 1) / 2)


def choose(folds: Sequence[tuple[Mapping[str, Array], NDArray[np.int64]]]) -> dict[str, float]:
    """Return the weights with the best mean reciprocal rank, by coordinate ascent.

    It begins with the fitted members alone and equal; a change must be worth `_WORTH`, so that
    few pairs do not bend the weights.

    Args:
        folds: a fold of cross-validation each: members' scores of pairs that they have not seen,
            and the right script of each pair.
    """
    standard = [
        ({name: _comparable(name, s) for name, s in members.items()}, right) for members, right in folds
    ]
    weights = {name: 0.0 if name in _HELPERS else 1.0 for name in standard[0][0]}

    def worth(trial: Mapping[str, float]) -> float:
        found = [
            (1 / ranks(np.asarray(sum(w * members[n] for n, w in trial.items())), right)).mean()
            for members, right in standard
        ]
        return float(np.mean(found))

    best = worth(weights)
    for _ in range(_ROUNDS):
        before = best
        for name in weights:
            for step in (*_AGAINST.get(name, ()), *_STEPS):
                trial = {**weights, name: step}
                if any(trial.values()) and (value := worth(trial)) > best + _WORTH:
                    best, weights = value, trial
        if best == before:
            break
    return weights
