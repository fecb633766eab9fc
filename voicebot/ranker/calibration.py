"""From scores to probabilities: a softmax whose temperature is fitted on held-out choices."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.floating[Any]]

UNKNOWN = 0.02  # probability mass spread over all: something that no score foresees
STRANGE = 0.2  # weight of texts that no script answers
_DEFAULT = 0.1  # temperature when there is nothing to fit on
_GRID = np.geomspace(0.01, 10.0, 61)


def probabilities(scores: Scores, temperature: float) -> Scores:
    """Return the probabilities of scores of shape (..., scripts); they sum to 1."""
    scaled = (scores - scores.max(axis=-1, keepdims=True)) / temperature
    chances = np.exp(scaled)
    chances = chances / chances.sum(axis=-1, keepdims=True)
    mixed: Scores = (1 - UNKNOWN) * chances + UNKNOWN / scores.shape[-1]
    return mixed


def fit_temperature(scores: Scores, right: NDArray[np.int64], strange: Scores | None = None) -> float:
    """Return the temperature with the least log loss (Guo et al. 2017, "On Calibration").

    Args:
        scores: shape (choices, scripts), none of them seen in fitting.
        right: the right script of each choice.
        strange: scores of texts that no script answers, of the same width. They pull the
            temperature towards equal chances, with `STRANGE` of the weight.
    """
    if not len(right) or scores.shape[1] < 2:
        return _DEFAULT
    rows = np.arange(len(right))

    def loss(temperature: float) -> float:
        known = float(-np.log(probabilities(scores, temperature)[rows, right]).mean())
        if strange is None or not len(strange):
            return known
        unknown = float(-np.log(probabilities(strange, temperature)).mean())
        return (1 - STRANGE) * known + STRANGE * unknown

    return float(min(_GRID, key=loss))
