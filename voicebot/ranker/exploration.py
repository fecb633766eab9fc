"""A contextual bandit over the shown scripts: LinUCB and Thompson sampling on one linear model. Pure.

Exploration is bounded: only among the shown top k, only in a share of decisions, never where the playbook
protects, and the probability of every choice is known exactly and logged. Li et al. 2010 (LinUCB);
Agrawal and Goyal 2013 (linear Thompson sampling).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.blas import dger

Vector = NDArray[np.float64]

MOST_EXPLORED = 0.2  # share of decisions that may depart from the best
REWARD_SCALE = 100.0  # feedback is 0-100, rewards 0-1


@dataclass(frozen=True, slots=True)
class Choice:
    """Which of the shown scripts, and how likely that was."""

    index: int
    propensity: float
    explored: bool
    chances: tuple[float, ...] = ()  # of each of the shown


class LinearModel:
    """Ridge regression of reward on features, updated one decision at a time."""

    def __init__(self, size: int, ridge: float = 1.0) -> None:
        """Begin without knowledge.

        Args:
            size: of a feature vector.
            ridge: strength of the prior at zero.
        """
        self.inverse = np.eye(size) / ridge
        self.mean = np.zeros(size)

    def learn(self, features: Vector, reward: float, weight: float = 1.0) -> None:
        """Take one decision's reward, 0-1 (Sherman and Morrison's update), in one pass over the matrix."""
        direction = self.inverse @ features
        gain = weight / (1 + weight * features @ direction)
        self.mean += gain * (reward - features @ self.mean) * direction
        # the matrix is symmetric: its transpose is what BLAS overwrites
        dger(-gain, direction, direction, a=self.inverse.T, overwrite_a=True)

    def expected(self, shown: NDArray[np.float64]) -> Vector:
        """Return the expected reward of each row."""
        found: Vector = shown @ self.mean
        return found

    def spread(self, shown: NDArray[np.float64]) -> Vector:
        """Return the uncertainty (standard deviation) of each row."""
        found: Vector = np.sqrt(np.maximum(0.0, ((shown @ self.inverse) * shown).sum(axis=1)))
        return found


def choose(
    model: LinearModel,
    shown: NDArray[np.float64],
    chance: np.random.Generator,
    *,
    share: float = MOST_EXPLORED,
    alpha: float = 0.5,
    protected: bool = False,
    best: int | None = None,
) -> Choice:
    """Choose among the shown scripts: the best, or in a share of decisions the one LinUCB is curious about.

    In the exploring share half goes to the most promising upper bound and half to all evenly, so that
    no shown script has probability zero and off-policy estimates stay possible.

    Args:
        model: what was learnt.
        shown: one row of features a shown script.
        chance: seeded by call and turn: deciding again changes nothing.
        share: of decisions that explore, at most MOST_EXPLORED.
        alpha: how much uncertainty counts in the upper bound.
        protected: no exploration here.
        best: which of the shown is said when nothing is explored; None = the one expected to earn most.
    """
    expected = model.expected(shown)
    best = int(np.argmax(expected)) if best is None else best
    share = 0.0 if protected or len(shown) < 2 else min(share, MOST_EXPLORED)
    curious = int(np.argmax(expected + alpha * model.spread(shown)))
    chances = np.full(len(shown), share / 2 / len(shown))
    chances[best] += 1 - share
    chances[curious] += share / 2
    index = int(chance.choice(len(shown), p=chances / chances.sum()))
    return Choice(index, float(chances[index]), index != best, tuple(float(one) for one in chances))


def thompson(
    model: LinearModel, shown: NDArray[np.float64], chance: np.random.Generator, *, draws: int = 200
) -> Vector:
    """Return how often each shown script is the best among draws from what may be true."""
    scale = np.linalg.cholesky(model.inverse + 1e-12 * np.eye(len(model.mean)))
    weights = model.mean + chance.standard_normal((draws, len(model.mean))) @ scale.T
    wins = np.bincount(np.argmax(weights @ shown.T, axis=1), minlength=len(shown))
    found: Vector = wins / draws
    return found
