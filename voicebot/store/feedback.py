"""What people think of turns: grades, and what agents did with suggestions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from voicebot.domain.emotion import EmotionLabel
from voicebot.domain.ids import uuid7
from voicebot.domain.people import FeedbackOrigin, Grade, SuggestionUse
from voicebot.store.calls import row_id
from voicebot.store.tables import FeedbackRow

CLICK_WEIGHT = 0.5  # a click beside a person's grade


@dataclass(frozen=True, slots=True)
class Feedback:
    """One judgement on one turn."""

    call_id: str
    seq: int
    at: datetime
    origin: FeedbackOrigin
    actor: str
    action: str
    script_id: str
    better_script_id: str
    text: str
    score: float | None
    weight: float


class FeedbackRepository:
    """Judgements; several of one turn stand side by side, the newest of one person counts."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def graded(
        self,
        call_id: str,
        seq: int,
        script_id: str,
        grade: Grade | float,
        actor: str,
        now: datetime,
        *,
        better_script_id: str = "",
        text: str = "",
    ) -> None:
        """Write a person's grade of a turn, 优 to 差 or 0-100, with the better script, if named."""
        word, score = (grade.value, grade.score) if isinstance(grade, Grade) else (f"{grade:g}", grade)
        self._add(
            call_id, seq, now, FeedbackOrigin.GRADE, actor, word, script_id,
            better_script_id, text, score, 1.0,
        )  # fmt: skip  # in the order of the columns

    def clicked(
        self,
        call_id: str,
        seq: int,
        script_id: str,
        use: SuggestionUse,
        actor: str,
        now: datetime,
        *,
        text: str = "",
    ) -> None:
        """Write what an agent did with a suggested script; `text` is the edited wording."""
        self._add(
            call_id, seq, now, FeedbackOrigin.SUGGESTION, actor, use.value, script_id,
            "", text, use.score, CLICK_WEIGHT,
        )  # fmt: skip  # in the order of the columns

    def meant(
        self, call_id: str, seq: int, label: EmotionLabel, actor: str, now: datetime, *, text: str = ""
    ) -> None:
        """Write how a customer meant a turn, as a person heard it; `text` is what was really said."""
        self._add(
            call_id, seq, now, FeedbackOrigin.EMOTION, actor, label.value, "", "", text, None, 1.0
        )  # fmt: skip  # in the order of the columns

    def labelled(self) -> tuple[str, ...]:
        """Return the ids of calls of which a person has labelled the emotion of a turn."""
        query = select(FeedbackRow.call_id).where(FeedbackRow.origin == FeedbackOrigin.EMOTION.value)
        return tuple(sorted(str(call) for call in self._session.scalars(query.distinct())))

    def of_call(self, call_id: str) -> tuple[Feedback, ...]:
        """Return a call's judgements, oldest first."""
        query = select(FeedbackRow).where(FeedbackRow.call_id == row_id(call_id)).order_by(FeedbackRow.at)
        return tuple(_feedback(row) for row in self._session.scalars(query))

    def since(self, moment: datetime, origins: Sequence[FeedbackOrigin] = ()) -> tuple[Feedback, ...]:
        """Return judgements from a moment on, oldest first; of the origins named, or of all."""
        query = select(FeedbackRow).where(FeedbackRow.at >= moment).order_by(FeedbackRow.at)
        if origins:
            query = query.where(FeedbackRow.origin.in_([origin.value for origin in origins]))
        return tuple(_feedback(row) for row in self._session.scalars(query))

    def _add(
        self,
        call_id: str,
        seq: int,
        at: datetime,
        origin: FeedbackOrigin,
        actor: str,
        action: str,
        script_id: str,
        better_script_id: str,
        text: str,
        score: float | None,
        weight: float,
    ) -> None:
        self._session.add(
            FeedbackRow(
                id=uuid7(),
                call_id=row_id(call_id),
                seq=seq,
                at=at,
                origin=origin.value,
                actor=actor,
                action=action,
                script_id=script_id,
                better_script_id=better_script_id,
                text=text,
                score=score,
                weight=weight,
            )
        )


def _feedback(row: FeedbackRow) -> Feedback:
    return Feedback(
        str(row.call_id),
        row.seq,
        row.at,
        FeedbackOrigin(row.origin),
        row.actor,
        row.action,
        row.script_id,
        row.better_script_id,
        row.text,
        row.score,
        row.weight,
    )
