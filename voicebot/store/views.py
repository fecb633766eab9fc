"""Saved views: filters of outcomes with a name."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import delete, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from voicebot.domain.errors import DataError
from voicebot.domain.ids import uuid7
from voicebot.store.calls import row_id
from voicebot.store.tables import SavedViewRow


@dataclass(frozen=True, slots=True)
class SavedView:
    """A filter with a name."""

    id: str
    name: str
    query: str
    own: bool
    shared: bool


class SavedViewRepository:
    """The views of one user, and those that others share."""

    def __init__(self, session: Session, user_id: str) -> None:
        self._session = session
        self._user = row_id(user_id)

    def all(self) -> tuple[SavedView, ...]:
        """Return them by name."""
        query = select(SavedViewRow).where(or_(SavedViewRow.user_id == self._user, SavedViewRow.shared))
        return tuple(
            SavedView(str(row.id), row.name, row.query, row.user_id == self._user, row.shared)
            for row in self._session.scalars(query.order_by(SavedViewRow.name))
        )

    def save(self, name: str, query: str, *, shared: bool) -> None:
        """Keep a filter under a name; another of that name is replaced. Raises DataError."""
        name = name.strip()
        if not name:
            raise DataError("a view needs a name", hint="for example: 本周有意向")
        values = {"query": query, "shared": shared}
        self._session.execute(
            insert(SavedViewRow)
            .values(id=uuid7(), user_id=self._user, name=name[:80], **values)
            .on_conflict_do_update(index_elements=["user_id", "name"], set_=values)
        )

    def drop(self, view_id: str) -> None:
        """Forget a view of one's own."""
        self._session.execute(
            delete(SavedViewRow).where(SavedViewRow.id == row_id(view_id), SavedViewRow.user_id == self._user)
        )
