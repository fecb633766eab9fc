"""Calls counted now: whole hours from the roll-ups, what came since or came late from the outcomes.

So a page is neither a minute behind nor slow, however many calls there were; and right where no job counts.
An outcome may come late: Postgres was away, and its call ended in an hour that was counted already.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, func, literal_column, null, select
from sqlalchemy.orm import Session

from voicebot.store.calls import row_id
from voicebot.store.rehearsals import of_customers
from voicebot.store.tables import CallRow, OutcomeRollupRow, OutcomeRow, RollupStateRow

_HOUR = timedelta(hours=1)
_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Tally:
    """Calls that ended alike."""

    campaign_id: str  # "" unless campaigns were asked for
    at: datetime  # the hour in which they ended; of no meaning unless asked for by hours
    disposition: str
    intent: str
    calls: int
    answered: int
    talk_s: float  # of all that were answered


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What is counted, and how it is kept apart."""

    campaign_ids: Sequence[str] | None
    hourly: bool

    def within(self, column: Any) -> ColumnElement[bool]:
        """Return the condition that a row with this campaign is wanted."""
        if self.campaign_ids is None:
            return of_customers(column)
        found: ColumnElement[bool] = column.in_([row_id(one) for one in self.campaign_ids])
        return found

    def kinds(self, campaign: Any, hour: Any) -> list[Any]:
        """Return what rows are grouped by, besides how they ended; null where it does not matter."""
        return [null() if self.campaign_ids is None else campaign, hour if self.hourly else null()]


def tallies(
    session: Session,
    campaign_ids: Sequence[str] | None = None,
    start: datetime | None = None,
    until: datetime | None = None,
    *,
    hourly: bool = False,
) -> Iterator[Tally]:
    """Yield the calls that ended in a time, counted; one kind may come more than once.

    Args:
        session: of the database.
        campaign_ids: None = all that are no rehearsals, taken together.
        start: None = since ever.
        until: before; None = until now.
        hourly: whether the hours matter.
    """
    wanted = _Wanted(campaign_ids, hourly)
    begin = start or _BEGINNING
    first = _hour_from(begin)
    state = session.scalar(select(RollupStateRow))
    counted = state.at if state else first
    last = max(first, _hour(min(until, counted) if until else counted))
    late = _late(session, state, first, last) if state else []
    yield from _ahead(session, wanted, first, last, late)
    for hour in late:
        yield from _themselves(session, wanted, hour, hour + _HOUR)
    if begin < first:
        yield from _themselves(session, wanted, begin, min(first, until or first))
    yield from _themselves(session, wanted, last, until)


def _late(session: Session, state: RollupStateRow, first: datetime, last: datetime) -> list[datetime]:
    """Return the hours of a time in which outcomes were written, or corrected, since they were counted."""
    hour = func.date_trunc("hour", OutcomeRow.at, "UTC")
    query = (
        select(hour)
        .distinct()
        .where(OutcomeRow.stored_by >= state.stored_by, OutcomeRow.at >= first, OutcomeRow.at < last)
    )
    return list(session.scalars(query))


def _ahead(
    session: Session, wanted: _Wanted, first: datetime, last: datetime, late: Sequence[datetime]
) -> Iterator[Tally]:
    row = OutcomeRollupRow
    kinds = [*wanted.kinds(row.campaign_id, row.at), row.disposition, row.intent_level]
    query = select(*kinds, func.sum(row.calls), func.sum(row.answered), func.sum(row.talk_s)).where(
        row.at >= first, row.at < last, wanted.within(row.campaign_id)
    )
    if late:
        query = query.where(row.at.not_in(late))
    yield from _read(session, query, kinds)


def _themselves(
    session: Session, wanted: _Wanted, start: datetime, until: datetime | None
) -> Iterator[Tally]:
    row = OutcomeRow
    hour = func.date_trunc("hour", row.at, "UTC")
    kinds = [*wanted.kinds(row.campaign_id, hour), row.disposition, row.intent_level]
    talked = func.extract("epoch", CallRow.ended_at - CallRow.answered_at)
    query = (
        select(*kinds, func.count(), func.count(CallRow.answered_at), func.coalesce(func.sum(talked), 0))
        .outerjoin(CallRow, CallRow.id == row.call_id)
        .where(row.at >= start, wanted.within(row.campaign_id))
    )
    if until is not None:
        query = query.where(row.at < until)
    yield from _read(session, query, kinds)


def _read(session: Session, query: Select[*tuple[Any, ...]], kinds: Sequence[Any]) -> Iterator[Tally]:
    numbers = range(1, len(kinds) + 1)  # groups by place: an expression with parameters is not told again
    for campaign, hour, disposition, intent, calls, answered, talk_s in session.execute(
        query.group_by(*(literal_column(str(number)) for number in numbers))
    ):
        yield Tally(
            str(campaign or ""),
            hour or _BEGINNING,
            disposition,
            intent,
            int(calls),
            int(answered),
            float(talk_s),
        )


def _hour(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def _hour_from(at: datetime) -> datetime:
    """Return the first full hour that does not begin before."""
    hour = _hour(at)
    return hour if hour == at else hour + _HOUR
