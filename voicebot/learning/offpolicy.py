"""What another ranker would have earned, from decisions in which the bot explored. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from voicebot.learning.estimators import Estimate, Logged, estimates
from voicebot.ranker.exploration import REWARD_SCALE
from voicebot.ranker.explorer import Bandit, Tried
from voicebot.store.decisions import LoggedDecision

HALVES = 2  # the model of rewards is fitted on one, and guesses on the other


def estimate(
    logged: Sequence[LoggedDecision], first: Callable[[LoggedDecision], str]
) -> tuple[Estimate, ...]:
    """Return IPS, SNIPS, DM and DR of the mean score, 0-1, of always saying what a ranker puts first.

    Args:
        logged: decisions with what was shown, and how likely each was.
        first: names, of the shown, the script that the other ranker prefers; only among those shown.
    """
    if not logged:
        return ()
    calls = sorted({one.call_id for one in logged})
    half = {call: place % HALVES for place, call in enumerate(calls)}
    scripts = sorted({shown.script_id for one in logged for shown in one.shown})
    models = [Bandit(scripts) for _ in range(HALVES)]
    for place, model in enumerate(models):
        model.learn(tried(one) for one in logged if half[one.call_id] != place)
    rows = [_row(one, first(one), models[half[one.call_id]]) for one in logged]
    rewards, propensities, chosen, ours, theirs = (np.array(column) for column in zip(*rows, strict=True))
    return estimates(Logged(rewards, propensities, chosen, ours, theirs))


def tried(one: LoggedDecision) -> Tried:
    """Return a logged decision as the model of rewards learns it."""
    shares = tuple((shown.script_id, shown.share) for shown in one.shown)
    return Tried(shares, one.script_id, one.score, one.belief)


def _row(one: LoggedDecision, preferred: str, model: Bandit) -> tuple[float, float, float, float, float]:
    ids = [shown.script_id for shown in one.shown]
    guesses = model.model.expected(model.features(tried(one).shown))
    return (
        one.score / REWARD_SCALE,
        one.propensity,
        float(preferred == one.script_id),
        float(guesses[ids.index(one.script_id)]),
        float(guesses[ids.index(preferred)]),
    )
