"""The customer's own rating, credited to the turns of the call. Pure.

The rule: the customer judges the call as a whole, so every script that answered something the customer said
gets the score; the last three such turns are believed at 0.6, those before at 0.3. The question for the
rating itself and the words of the end get none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from voicebot.domain.script import RATING_SCORE

RECENT, RECENT_WEIGHT, EARLIER_WEIGHT = 3, 0.6, 0.3
TAIL = 2  # turns: the question for the rating, and the end


@dataclass(frozen=True, slots=True)
class Credit:
    """What one turn gets of a rating."""

    seq: int
    script_id: str
    score: float  # 0-100
    weight: float  # 0-1


def credits(turns: Sequence[tuple[int, str, bool]], facts: Mapping[str, str]) -> list[Credit]:
    """Return what each turn of a rated call gets.

    Args:
        turns: number, script and whether the customer had spoken, in order.
        facts: of the outcome; without a rating nobody gets anything.
    """
    score = facts.get(RATING_SCORE, "")
    if not score:
        return []
    judged = [(seq, script) for seq, script, spoken in turns[:-TAIL] if script and spoken]
    return [
        Credit(seq, script, float(score), RECENT_WEIGHT if place >= len(judged) - RECENT else EARLIER_WEIGHT)
        for place, (seq, script) in enumerate(judged)
    ]
