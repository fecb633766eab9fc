"""What customers tell without being asked: by going on, by their tone, by hanging up. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from voicebot.domain.call import Disposition, EndCause
from voicebot.domain.emotion import NEGATIVE, EmotionLabel
from voicebot.domain.report import POSITIVE
from voicebot.domain.script import Action

WEIGHT = 0.3  # beside a person's grade
HUNG_UP, SOURED, WENT_ON, WARMED, REACHED = 20.0, 30.0, 65.0, 75.0, 80.0


@dataclass(frozen=True, slots=True)
class Step:
    """A turn of a call that is over, as far as it tells something."""

    seq: int
    script_id: str
    action: Action
    emotion: EmotionLabel
    spoken: bool  # the customer said something


@dataclass(frozen=True, slots=True)
class Signal:
    """What followed a script."""

    seq: int
    script_id: str
    name: str  # went_on, soured, warmed, hung_up, reached
    score: float  # 0-100


def signals(steps: Sequence[Step], cause: EndCause, disposition: Disposition) -> list[Signal]:
    """Return at most one signal a turn, the clearest; closing words and turns without a script tell none."""
    found = []
    for place, step in enumerate(steps):
        after = steps[place + 1] if place + 1 < len(steps) else None
        if not step.script_id:
            continue
        if signal := _signal(step, after, cause, disposition):
            found.append(Signal(step.seq, step.script_id, *signal))
    return found


def _signal(
    step: Step, after: Step | None, cause: EndCause, disposition: Disposition
) -> tuple[str, float] | None:
    if after is None:
        if disposition in POSITIVE:
            return "reached", REACHED
        if cause is EndCause.CUSTOMER_HUNG_UP and step.action is Action.SAY:
            return "hung_up", HUNG_UP
        return None
    if not after.spoken:
        return None
    if after.emotion in NEGATIVE and step.emotion not in NEGATIVE:
        return "soured", SOURED
    if after.emotion is EmotionLabel.INTERESTED and step.emotion is not EmotionLabel.INTERESTED:
        return "warmed", WARMED
    return "went_on", WENT_ON
