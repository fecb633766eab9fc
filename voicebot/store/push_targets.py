"""Devices of agents that are told of a call while the page sleeps or is closed."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, exists, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from voicebot.domain.people import PushTarget
from voicebot.store.tables import AgentRow, PushTargetRow


class PushTargetRepository:
    """Where notices go. Whoever has one counts as present for longer: `domain.people.PUSH_ALIVE`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def save(self, target: PushTarget, now: datetime) -> None:
        """Keep a device; one that changed hands is told of the new agent's calls alone."""
        values = {
            "agent_id": target.agent_id,
            "key": target.key,
            "secret": target.secret,
            "language": target.language,
            "saved_at": now,
        }
        before = self._session.get(PushTargetRow, target.endpoint)
        self._session.execute(
            insert(PushTargetRow)
            .values(endpoint=target.endpoint, **values)
            .on_conflict_do_update(index_elements=[PushTargetRow.endpoint], set_=values)
        )
        self._mark(target.agent_id)
        if before is not None and before.agent_id != target.agent_id:
            self._mark(before.agent_id)

    def drop(self, endpoint: str) -> None:
        """Forget a device. Harmless if it is not known."""
        for agent_id in self._session.scalars(
            delete(PushTargetRow).where(PushTargetRow.endpoint == endpoint).returning(PushTargetRow.agent_id)
        ).all():
            self._mark(agent_id)

    def of(self, agent_id: str) -> tuple[PushTarget, ...]:
        """Return an agent's devices."""
        query = select(PushTargetRow).where(PushTargetRow.agent_id == agent_id)
        return tuple(
            PushTarget(row.agent_id, row.endpoint, row.key, row.secret, row.language)
            for row in self._session.scalars(query.order_by(PushTargetRow.saved_at))
        )

    def _mark(self, agent_id: str) -> None:
        has = exists().where(PushTargetRow.agent_id == agent_id)
        self._session.execute(update(AgentRow).where(AgentRow.id == agent_id).values(notified=has))
