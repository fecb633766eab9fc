"""One score for one decision, of all that was said about it. Pure.

The rule: the strongest kind of judgement there is decides alone, in the order grade of a person, rating by
the customer, click of an agent, implicit signal. Of one person the newest judgement counts; those of
several are averaged by their weights.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from voicebot.domain.people import FeedbackOrigin

THRESHOLD = 60.0  # above it a choice is learnt from, below it the script was wrong there
FULL = 20.0  # so far from the threshold a sample has full weight: 优 = 80 as in the method
STRENGTH = (
    FeedbackOrigin.GRADE,
    FeedbackOrigin.CUSTOMER,
    FeedbackOrigin.SUGGESTION,
    FeedbackOrigin.IMPLICIT,
)


@dataclass(frozen=True, slots=True)
class Judgement:
    """One thing said about a turn."""

    origin: FeedbackOrigin
    actor: str
    at: datetime
    score: float  # 0-100
    weight: float  # 0-1: how much it is believed
    better_script_id: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What counts of a turn in the end."""

    score: float  # 0-100
    belief: float  # 0-1
    origin: FeedbackOrigin
    better_script_id: str  # the newest that a person named; "" = none


def verdict(judgements: Iterable[Judgement]) -> Verdict | None:
    """Return the one score of a decision; None if nobody said anything."""
    listed = sorted(judgements, key=lambda judgement: judgement.at)
    for origin in STRENGTH:
        newest = {judgement.actor: judgement for judgement in listed if judgement.origin is origin}
        total = sum(judgement.weight for judgement in newest.values())
        if total > 0:
            score = sum(judgement.score * judgement.weight for judgement in newest.values()) / total
            belief = total / len(newest)
            better = [judgement.better_script_id for judgement in listed if judgement.better_script_id]
            return Verdict(score, belief, origin, better[-1] if better else "")
    return None


def sample_weight(found: Verdict, threshold: float = THRESHOLD) -> float:
    """Return a verdict as a sample's weight, -1 to 1: 0 at the threshold, full at 20 points from it."""
    return max(-1.0, min(1.0, (found.score - threshold) / FULL)) * found.belief
