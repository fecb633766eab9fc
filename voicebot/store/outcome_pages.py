"""Outcomes a page at a time, filtered and sorted, in time that does not grow with the number of calls."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, func, select, tuple_
from sqlalchemy.orm import Session

from voicebot.domain.errors import DataError
from voicebot.store.outcomes import CallOutcome, OutcomeFilter, filtered, outcome_of, outcomes_query
from voicebot.store.tables import CallRow, CampaignRow, ContactRow, OutcomeRow

SORTED_AMONG = 5000  # other orders than by time look at so many of the newest
COUNTED_TO = 10_000

_TALK_S = func.extract("epoch", CallRow.ended_at - CallRow.answered_at)
_KEYS: dict[str, ColumnElement[Any]] = {
    "intent": OutcomeRow.intent_level.collate("C"),
    "disposition": OutcomeRow.disposition.collate("C"),
    "duration": -func.coalesce(_TALK_S, 0),
    "turns": -func.coalesce(CallRow.turns, 0),
    "campaign": func.coalesce(CampaignRow.name, "").collate("C"),
}
SORTS = ("newest", "oldest", *_KEYS)


@dataclass(frozen=True, slots=True)
class OutcomePage:
    """Some outcomes, and where the next ones begin."""

    outcomes: tuple[CallOutcome, ...]
    next: str  # cursor; "" = these were the last
    total: int  # at most COUNTED_TO


class OutcomePages:
    """Outcomes by pages."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def page(
        self,
        wanted: OutcomeFilter,
        sort: str = "newest",
        cursor: str = "",
        size: int = 50,
        number_lookup: bytes | None = None,
    ) -> OutcomePage:
        """Return a page.

        Args:
            wanted: which outcomes; its limit is not looked at.
            sort: one of SORTS.
            cursor: of the page before, for more.
            size: outcomes a page.
            number_lookup: only calls to this number.

        Raises DataError for a cursor or sort that is none.
        """
        if sort not in SORTS:
            raise DataError(
                "outcomes are not sorted by {sort!r}", hint="choose of {known}", sort=sort, known=SORTS
            )
        query = filtered(outcomes_query(), wanted)
        counted = filtered(select(OutcomeRow.call_id), wanted)
        if number_lookup is not None:
            query = query.where(ContactRow.number_lookup == number_lookup)
            counted = counted.join(ContactRow, ContactRow.id == OutcomeRow.contact_id)
            counted = counted.where(ContactRow.number_lookup == number_lookup)
        total = self._session.scalar(select(func.count()).select_from(counted.limit(COUNTED_TO).subquery()))
        found, following = (
            self._by_time(query, sort, cursor, size)
            if sort in ("newest", "oldest")
            else self._by_key(query, sort, cursor, size)
        )
        return OutcomePage(tuple(found), following, total or 0)

    def _by_time(
        self, query: Select[*tuple[Any, ...]], sort: str, cursor: str, size: int
    ) -> tuple[list[CallOutcome], str]:
        place = tuple_(OutcomeRow.at, OutcomeRow.call_id)
        newest = sort == "newest"
        if cursor:
            at, call_id = _place(cursor)
            query = query.where(place < (at, call_id) if newest else place > (at, call_id))
        order = (
            (OutcomeRow.at.desc(), OutcomeRow.call_id.desc())
            if newest
            else (OutcomeRow.at, OutcomeRow.call_id)
        )
        rows = [outcome_of(row) for row in self._session.execute(query.order_by(*order).limit(size + 1))]
        more = len(rows) > size
        last = rows[size - 1] if more else None
        return rows[:size], f"{last.at.isoformat()}~{last.call_id}" if last else ""

    def _by_key(
        self, query: Select[*tuple[Any, ...]], sort: str, cursor: str, size: int
    ) -> tuple[list[CallOutcome], str]:
        start = int(cursor) if cursor.isdigit() else 0
        keys = query.with_only_columns(OutcomeRow.call_id, OutcomeRow.at, _KEYS[sort].label("key"))
        near = keys.order_by(OutcomeRow.at.desc()).limit(SORTED_AMONG).subquery()
        order = (near.c.key, near.c.at.desc(), near.c.call_id)
        ids = self._session.scalars(
            select(near.c.call_id).order_by(*order).offset(start).limit(size + 1)
        ).all()
        place = {call_id: index for index, call_id in enumerate(ids[:size])}
        rows = self._session.execute(query.where(OutcomeRow.call_id.in_(place)))
        found = sorted((outcome_of(row) for row in rows), key=lambda one: place[UUID(one.call_id)])
        return found, str(start + size) if len(ids) > size else ""


def _place(cursor: str) -> tuple[datetime, UUID]:
    at, _, call_id = cursor.partition("~")
    try:
        return datetime.fromisoformat(at), UUID(call_id)
    except ValueError as error:
        raise DataError("the cursor is none of ours", hint="take it from the page before") from error
