"""How is it going: counts of a day, for one glance."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Integer, cast, func, select
from sqlalchemy.orm import Session

from voicebot.domain.call import Disposition
from voicebot.store.tables import CallRow, OutcomeRow

NOT_REACHED = (
    Disposition.NO_ANSWER.value,
    Disposition.BUSY.value,
    Disposition.VOICEMAIL.value,
    Disposition.UNREACHABLE.value,
)


@dataclass(frozen=True, slots=True)
class Overview:
    """What came of the calls of some time."""

    dispositions: dict[str, int]
    intents: dict[str, int]
    hours: dict[int, tuple[int, int]] = field(default_factory=dict)  # hours since -> (calls, reached)
    talked_s: float = 0.0  # mean length of an answered call

    @property
    def calls(self) -> int:
        """Calls that ended."""
        return sum(self.dispositions.values())

    @property
    def reached(self) -> int:
        """Calls in which somebody was there."""
        return sum(count for key, count in self.dispositions.items() if key not in NOT_REACHED)

    @property
    def interested(self) -> int:
        """Calls of intent level A or B."""
        return self.intents.get("A", 0) + self.intents.get("B", 0)


class OverviewRepository:
    """Counts over the outcomes of a time."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def since(self, start: datetime, until: datetime) -> Overview:
        """Count the calls that ended in a time. Its hours are counted from the start."""
        hour = cast(func.floor(func.extract("epoch", OutcomeRow.at - start) / 3600), Integer)
        query = (
            select(hour, OutcomeRow.disposition, OutcomeRow.intent_level, func.count())
            .where(OutcomeRow.at >= start, OutcomeRow.at < until)
            .group_by(hour, OutcomeRow.disposition, OutcomeRow.intent_level)
        )
        dispositions: dict[str, int] = {}
        intents: dict[str, int] = {}
        hours: dict[int, tuple[int, int]] = {}
        for at, disposition, intent, count in self._session.execute(query):
            dispositions[disposition] = dispositions.get(disposition, 0) + count
            intents[intent] = intents.get(intent, 0) + count
            calls, reached = hours.get(at, (0, 0))
            hours[at] = (calls + count, reached + (count if disposition not in NOT_REACHED else 0))
        return Overview(dispositions, intents, hours, self._talked(start, until))

    def _talked(self, start: datetime, until: datetime) -> float:
        query = (
            select(func.avg(func.extract("epoch", CallRow.ended_at - CallRow.answered_at)))
            .join(OutcomeRow, OutcomeRow.call_id == CallRow.id)
            .where(OutcomeRow.at >= start, OutcomeRow.at < until, CallRow.answered_at.is_not(None))
        )
        return float(self._session.scalar(query) or 0.0)
