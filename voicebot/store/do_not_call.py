"""Numbers that must not be called: single ones with their reason, and whole lists loaded from files."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, delete, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from voicebot.domain.ids import uuid7
from voicebot.store.calls import EVERY_SCOPE
from voicebot.store.crypto import NumberVault
from voicebot.store.tables import DoNotCallListRow, DoNotCallNumberRow, DoNotCallRow

__all__ = ["EVERY_SCOPE", "DoNotCallRepository", "NumberList", "campaign_scope", "counts"]


@dataclass(frozen=True, slots=True)
class NumberList:
    """A list loaded from files, without its numbers."""

    name: str
    as_of: datetime  # the state its file shows
    max_age_days: int  # 0 = never too old
    numbers: int
    loaded_at: datetime

    def stale(self, now: datetime) -> bool:
        """Return whether it is too old to be relied on."""
        return self.max_age_days > 0 and self.as_of + timedelta(days=self.max_age_days) < now


def campaign_scope(campaign_id: str) -> str:
    """Return the scope of a campaign's own do-not-call list."""
    return f"campaign:{campaign_id}"


def counts() -> ColumnElement[bool]:
    """Return the condition that a listed number counts now, where it is joined with its list."""
    return or_(DoNotCallNumberRow.edition == DoNotCallListRow.edition, DoNotCallNumberRow.edition < 0)


class DoNotCallRepository:
    """Numbers that must not be called (拒呼名单)."""

    def __init__(self, session: Session, vault: NumberVault) -> None:
        self._session = session
        self._vault = vault

    # -- single numbers --

    def add(
        self, numbers: Sequence[str], origin: str, origin_id: str, at: datetime, scope: str = EVERY_SCOPE
    ) -> int:
        """Add numbers for one scope, or for all; return how many are new. Known ones stay as they are."""
        values = [
            {
                "number_lookup": self._vault.lookup(number),
                "scope": scope,
                "origin": origin,
                "origin_id": origin_id,
                "at": at,
            }
            for number in dict.fromkeys(numbers)
        ]
        if not values:
            return 0
        added = self._session.execute(
            insert(DoNotCallRow).on_conflict_do_nothing().returning(DoNotCallRow.scope), values
        )
        return len(added.all())

    def remove(self, number: str, scope: str = EVERY_SCOPE) -> bool:
        """Take a number off; return whether it was on. Lists loaded from files stay as they are."""
        gone = self._session.execute(
            delete(DoNotCallRow)
            .where(DoNotCallRow.number_lookup == self._vault.lookup(number), DoNotCallRow.scope == scope)
            .returning(DoNotCallRow.scope)
        )
        return gone.first() is not None

    def forbids(self, number: str, *scopes: str) -> bool:
        """Return whether a number must not be called for one of the scopes."""
        return bool(self.found(number, *scopes))

    def found(self, number: str, *scopes: str) -> tuple[str, ...]:
        """Return where a number stands: "scope (origin)" and the names of lists."""
        lookup = self._vault.lookup(number)
        single = self._session.execute(
            select(DoNotCallRow.scope, DoNotCallRow.origin).where(
                DoNotCallRow.number_lookup == lookup, DoNotCallRow.scope.in_((EVERY_SCOPE, *scopes))
            )
        )
        listed = self._session.scalars(
            select(DoNotCallListRow.name)
            .join(DoNotCallNumberRow, DoNotCallNumberRow.list_id == DoNotCallListRow.id)
            .where(DoNotCallNumberRow.number_lookup == lookup)
            .where(counts())
        )
        return (*(f"{row.scope} ({row.origin})" for row in single), *listed)

    def count(self) -> int:
        """Count the single numbers."""
        return self._session.scalar(select(func.count()).select_from(DoNotCallRow)) or 0

    # -- lists from files --

    def lists(self) -> tuple[NumberList, ...]:
        """Return every list, by name. One whose first edition never came to its end is none."""
        query = select(DoNotCallListRow).where(DoNotCallListRow.edition > 0).order_by(DoNotCallListRow.name)
        rows = self._session.scalars(query.execution_options(populate_existing=True))
        return tuple(
            NumberList(row.name, row.as_of, row.max_age_days, row.numbers, row.loaded_at) for row in rows
        )

    def begin(self, name: str, now: datetime) -> int:
        """Begin a new edition of a list; return its number. The old one holds until `publish`."""
        row = self._list(name)
        if row is not None:
            # What an earlier attempt, which never ended, has left behind.
            mine = DoNotCallNumberRow.list_id == row.id
            self._session.execute(
                delete(DoNotCallNumberRow).where(mine, DoNotCallNumberRow.edition > row.edition)
            )
            self._session.execute(
                update(DoNotCallNumberRow)
                .where(mine, DoNotCallNumberRow.edition < 0)
                .values(edition=row.edition)
            )
        else:
            row = DoNotCallListRow(
                id=uuid7(), name=name, as_of=now, max_age_days=0, edition=0, numbers=0, loaded_at=now
            )
            self._session.add(row)
            self._session.flush()
        return row.edition + 1

    def put(self, name: str, edition: int, numbers: Iterable[str]) -> None:
        """Write numbers (E.164) of an edition. Those on the old one stay valid meanwhile.

        A number of both editions is kept under the old one until `publish`.
        """
        row = self._list(name)
        assert row is not None, "begun"
        values = [
            {"number_lookup": self._vault.lookup(number), "list_id": row.id, "edition": edition}
            for number in dict.fromkeys(numbers)
        ]
        if values:
            statement = insert(DoNotCallNumberRow)
            self._session.execute(
                statement.on_conflict_do_update(
                    index_elements=[DoNotCallNumberRow.number_lookup, DoNotCallNumberRow.list_id],
                    # Negative: on the old edition, which counts now, and on the new one.
                    set_={"edition": -statement.excluded.edition},
                    where=DoNotCallNumberRow.edition == row.edition,
                ),
                values,
            )

    def publish(
        self, name: str, edition: int, as_of: datetime, max_age_days: int, now: datetime
    ) -> NumberList:
        """Let a new edition hold in place of the old one."""
        row = self._list(name)
        assert row is not None, "begun"
        mine = DoNotCallNumberRow.list_id == row.id
        self._session.execute(
            delete(DoNotCallNumberRow).where(mine, DoNotCallNumberRow.edition.not_in((edition, -edition)))
        )
        both = update(DoNotCallNumberRow).where(mine, DoNotCallNumberRow.edition == -edition)
        self._session.execute(both.values(edition=edition))
        count = self._session.scalar(select(func.count()).select_from(DoNotCallNumberRow).where(mine)) or 0
        row.edition, row.as_of, row.max_age_days = edition, as_of, max_age_days
        row.numbers, row.loaded_at = count, now
        self._session.flush()
        return NumberList(name, as_of, max_age_days, count, now)

    def drop(self, name: str) -> bool:
        """Remove a list; return whether there was one."""
        gone = self._session.execute(
            delete(DoNotCallListRow).where(DoNotCallListRow.name == name).returning(DoNotCallListRow.name)
        )
        return gone.first() is not None

    def _list(self, name: str) -> DoNotCallListRow | None:
        return self._session.scalar(select(DoNotCallListRow).where(DoNotCallListRow.name == name))
