"""The audit log: who did what. Append-only."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from voicebot.store.tables import AuditRow


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One thing that somebody did."""

    id: int
    at: datetime
    actor: str  # a user's name, "rule", "token:NAME"
    action: str
    subject: str  # kind:id
    detail: dict[str, Any]


class AuditRepository:
    """The audit log."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, actor: str, action: str, subject: str, **detail: Any) -> None:
        """Write that somebody does something, in the same transaction as the deed."""
        self._session.add(AuditRow(actor=actor, action=action, subject=subject, detail=detail))

    def find(
        self, *, actor: str = "", action: str = "", subject: str = "", before: int = 0, limit: int = 100
    ) -> Iterator[AuditEntry]:
        """Yield entries, the newest first; `before` an id goes on from there."""
        query = select(AuditRow).order_by(AuditRow.id.desc()).limit(limit)
        if actor:
            query = query.where(AuditRow.actor == actor)
        if action:
            query = query.where(AuditRow.action == action)
        if subject:
            query = query.where(AuditRow.subject == subject)
        if before:
            query = query.where(AuditRow.id < before)
        for row in self._session.scalars(query):
            yield AuditEntry(row.id, row.at, row.actor, row.action, row.subject, dict(row.detail))
