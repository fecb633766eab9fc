"""Attempts whose worker died: found, kept from being redialled, settled with an entry in the audit log."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import and_, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from voicebot.domain.call import Disposition, IntentLevel
from voicebot.domain.campaign import AttemptStatus
from voicebot.domain.webhook import Event
from voicebot.store.audit import AuditRepository
from voicebot.store.calls import row_id
from voicebot.store.tables import AttemptRow, OutcomeRow, WorkerRow
from voicebot.store.webhook_events import tell
from voicebot.store.workers import ALIVE, fresh

UNANSWERED = timedelta(minutes=5)  # no call rings that long: nobody knows of this attempt any more


class OrphanRepository:
    """Attempts that nobody reports the end of."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def lose(self, attempt_id: str) -> None:
        """Mark an open attempt unknown: nobody can tell whether its INVITE was sent."""
        self._session.execute(
            update(AttemptRow)
            .where(AttemptRow.id == row_id(attempt_id), AttemptRow.status == AttemptStatus.OPEN.value)
            .values(status=AttemptStatus.UNKNOWN.value)
        )

    def lose_orphans(self, now: datetime) -> int:
        """Mark open attempts unknown whose worker died or started anew, or that ring for ever."""
        alive = select(WorkerRow.id).where(
            WorkerRow.id == AttemptRow.worker,
            fresh(now),
            WorkerRow.started_at <= AttemptRow.created_at,
        )
        orphaned = ~alive.exists() & (AttemptRow.created_at < now - ALIVE)
        unanswered = AttemptRow.answered_at.is_(None) & (AttemptRow.created_at < now - UNANSWERED)
        lost = self._session.execute(
            update(AttemptRow)
            .where(AttemptRow.status == AttemptStatus.OPEN.value, or_(orphaned, unanswered))
            .values(status=AttemptStatus.UNKNOWN.value)
            .returning(AttemptRow.id)
        )
        return len(lost.all())

    def settle_unknown(self, now: datetime, gap: timedelta) -> int:
        """Close unknown attempts older than `gap` whose worker is back and has replayed its journal.

        Whatever was said in them is in the database by then. Each gets an audit entry.
        """
        query = (
            select(AttemptRow)
            .join(WorkerRow, WorkerRow.id == AttemptRow.worker)
            .where(AttemptRow.status == AttemptStatus.UNKNOWN.value, AttemptRow.created_at < now - gap)
            .where(fresh(now), WorkerRow.spool_pending == 0)
            .where(
                or_(
                    WorkerRow.started_at > AttemptRow.created_at,
                    and_(AttemptRow.answered_at.is_(None), WorkerRow.busy == 0),
                )
            )
            .with_for_update(of=AttemptRow, skip_locked=True)
        )
        rows = self._session.scalars(query).all()
        for row in rows:
            self._close(
                row, now, "rule", "the line worker died; its journal, replayed, holds no end of this call"
            )
        return len(rows)

    def settle_by_hand(self, campaign_id: str, actor: str, now: datetime, gap: timedelta) -> int:
        """Close a campaign's unknown attempts older than `gap`, as a person decides; return how many.

        For workers that never come back. What their journals hold is lost unless they are replayed first.
        """
        query = (
            select(AttemptRow)
            .where(AttemptRow.campaign_id == row_id(campaign_id))
            .where(AttemptRow.status == AttemptStatus.UNKNOWN.value, AttemptRow.created_at < now - gap)
            .with_for_update(skip_locked=True)
        )
        rows = self._session.scalars(query).all()
        for row in rows:
            self._close(row, now, actor, "a person decided that the line worker does not come back")
        return len(rows)

    def _close(self, row: AttemptRow, now: datetime, actor: str, reason: str) -> None:
        row.status, row.cause = AttemptStatus.ENDED.value, "failure"
        row.disposition, row.ended_at = Disposition.DROPPED.value, now
        self._session.execute(
            insert(OutcomeRow)
            .values(
                call_id=row.call_id,
                attempt_id=row.id,
                campaign_id=row.campaign_id,
                contact_id=row.contact_id,
                disposition=Disposition.DROPPED.value,
                intent_level=IntentLevel.D.value,
                reasons=[reason],
                facts={},
                opted_out=False,
                origin="rule",
                at=now,
            )
            .on_conflict_do_nothing()
        )
        tell(self._session, Event.OUTCOME, row.call_id, now)
        AuditRepository(self._session).add(actor, "settle_unknown", f"attempt:{row.id}", reason=reason)
