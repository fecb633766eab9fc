"""How is it going: counts of a day, for one glance."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy.orm import Session

from voicebot.domain.call import Disposition
from voicebot.store.tallies import tallies

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
        dispositions: dict[str, int] = {}
        intents: dict[str, int] = {}
        hours: dict[int, tuple[int, int]] = {}
        answered, talk_s = 0, 0.0
        for tally in tallies(self._session, None, start, until, hourly=True):
            dispositions[tally.disposition] = dispositions.get(tally.disposition, 0) + tally.calls
            intents[tally.intent] = intents.get(tally.intent, 0) + tally.calls
            hour = max(0, int((tally.at - start).total_seconds() // 3600))
            calls, reached = hours.get(hour, (0, 0))
            more = tally.calls if tally.disposition not in NOT_REACHED else 0
            hours[hour] = (calls + tally.calls, reached + more)
            answered, talk_s = answered + tally.answered, talk_s + tally.talk_s
        return Overview(dispositions, intents, hours, talk_s / answered if answered else 0.0)
