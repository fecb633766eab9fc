"""Calls counted now: whole hours from the roll-ups, what came since from the outcomes themselves.

So a page is neither a minute behind nor slow, however many calls there were; and right where no job counts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, func, literal, select
from sqlalchemy.orm import Session

from voicebot.store.calls import row_id
from voicebot.store.rehearsals import of_customers
from voicebot.store.tables import CallRow, OutcomeRollupRow, OutcomeRow, RollupStateRow

_HOUR = timedelta(hours=1)
_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Tally:
    """Calls that ended alike."""

    at: datetime  # the hour in which they ended; of no meaning unless asked for by hours
    disposition: str
    intent: str
    calls: int
    answered: int
    talk_s: float  # of all that were answered


def tallies(
    session: Session,
    campaign_id: str = "",
    start: datetime | None = None,
    until: datetime | None = None,
    *,
    hourly: bool = False,
) -> Iterator[Tally]:
    """Yield the calls that ended in a time, counted; one kind may come more than once.

    Args:
        session: of the database.
        campaign_id: "" = of all that are no rehearsals.
        start: None = since ever.
        until: before; None = until now.
        hourly: whether the hours matter.
    """
    begin = start or _BEGINNING
    first = _hour_from(begin)
    last = max(first, _hour(min(until, _counted(session, first)) if until else _counted(session, first)))
    yield from _ahead(session, campaign_id, first, last, hourly=hourly)
    if begin < first:
        yield from _themselves(session, campaign_id, begin, min(first, until or first), hourly=hourly)
    yield from _themselves(session, campaign_id, last, until, hourly=hourly)


def _counted(session: Session, otherwise: datetime) -> datetime:
    return session.scalar(select(func.max(RollupStateRow.at))) or otherwise


def _ahead(
    session: Session, campaign_id: str, first: datetime, last: datetime, *, hourly: bool
) -> Iterator[Tally]:
    row = OutcomeRollupRow
    at: Any = row.at if hourly else literal(first)
    query = (
        select(at, row.disposition, row.intent_level, func.sum(row.calls), func.sum(row.answered))
        .add_columns(func.sum(row.talk_s))
        .where(row.at >= first, row.at < last, _of(row.campaign_id, campaign_id))
        .group_by(*((row.at,) if hourly else ()), row.disposition, row.intent_level)
    )
    for found in session.execute(query):
        yield Tally(found[0], found[1], found[2], int(found[3]), int(found[4]), float(found[5]))


def _themselves(
    session: Session, campaign_id: str, start: datetime, until: datetime | None, *, hourly: bool
) -> Iterator[Tally]:
    row = OutcomeRow
    hour: Any = func.date_trunc("hour", row.at, "UTC") if hourly else literal(start)
    talked = func.extract("epoch", CallRow.ended_at - CallRow.answered_at)
    query = (
        select(
            hour.label("hour"),
            row.disposition,
            row.intent_level,
            func.count(),
            func.count(CallRow.answered_at),
        )
        .add_columns(func.coalesce(func.sum(talked), 0))
        .outerjoin(CallRow, CallRow.id == row.call_id)
        .where(row.at >= start, _of(row.campaign_id, campaign_id))
        .group_by(*(("hour",) if hourly else ()), row.disposition, row.intent_level)
    )
    if until is not None:
        query = query.where(row.at < until)
    for found in session.execute(query):
        yield Tally(found[0], found[1], found[2], int(found[3]), int(found[4]), float(found[5]))


def _of(column: Any, campaign_id: str) -> ColumnElement[bool]:
    found: ColumnElement[bool] = column == row_id(campaign_id) if campaign_id else of_customers(column)
    return found


def _hour(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def _hour_from(at: datetime) -> datetime:
    """Return the first full hour that does not begin before."""
    hour = _hour(at)
    return hour if hour == at else hour + _HOUR
