"""What the pacer must know: attempts under way and of late, by campaign and by trunk."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import Session

from voicebot.domain.call import Direction
from voicebot.domain.campaign import AttemptStatus
from voicebot.domain.people import TakeoverResult
from voicebot.store.attempts import NOT_DIALLED
from voicebot.store.calls import row_id
from voicebot.store.tables import AttemptRow, TakeoverRow

OF_LATE = 200  # attempts by which the answer rate is judged


class PacingRepository:
    """Counts of attempts."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def campaign(self, campaign_id: str, now: datetime, window_s: float) -> tuple[int, int, int]:
        """Return a campaign's (open, talking, begun in the last `window_s`) outbound attempts."""
        return self._count(AttemptRow.campaign_id == row_id(campaign_id), now, window_s)

    def trunk(self, trunk: str, now: datetime, window_s: float) -> tuple[int, int, int]:
        """Return the same for a trunk, by all campaigns."""
        return self._count(AttemptRow.trunk == trunk, now, window_s)

    def answered(self, campaign_id: str) -> tuple[int, int]:
        """Return how many of a campaign's latest ended attempts were answered, and how many they are."""
        latest = (
            select(AttemptRow.answered_at)
            .where(AttemptRow.campaign_id == row_id(campaign_id), _dialled())
            .where(AttemptRow.status == AttemptStatus.ENDED.value)
            .order_by(AttemptRow.created_at.desc())
            .limit(OF_LATE)
            .subquery()
        )
        row = self._session.execute(
            select(func.count(latest.c.answered_at), func.count()).select_from(latest)
        ).one()
        return int(row[0]), int(row[1])

    def latest(self, trunk: str, since: datetime, limit: int) -> tuple[tuple[str, int], ...]:
        """Return (cause, final SIP status) of a trunk's latest ended attempts."""
        query = (
            select(AttemptRow.cause, AttemptRow.sip_status)
            .where(AttemptRow.trunk == trunk, AttemptRow.created_at > since, _dialled())
            .where(AttemptRow.status == AttemptStatus.ENDED.value)
            .order_by(AttemptRow.created_at.desc())
            .limit(limit)
        )
        return tuple((cause or "", status or 0) for cause, status in self._session.execute(query))

    def abandoned(self, campaign_id: str, since: datetime) -> tuple[int, int]:
        """Return a campaign's answered calls, and those in which no agent took the customer."""
        answered = self._session.scalar(
            select(func.count())
            .select_from(AttemptRow)
            .where(AttemptRow.campaign_id == row_id(campaign_id), AttemptRow.created_at > since)
            .where(AttemptRow.answered_at.is_not(None))
        )
        missed = self._session.scalar(
            select(func.count(TakeoverRow.call_id.distinct()))
            .where(TakeoverRow.campaign_id == row_id(campaign_id), TakeoverRow.at > since)
            .where(TakeoverRow.result.in_([TakeoverResult.NO_AGENT.value, TakeoverResult.ABANDONED.value]))
        )
        return answered or 0, missed or 0

    def open_calls(self, campaign_id: str) -> tuple[tuple[str, str], ...]:
        """Return (call id, worker) of a campaign's open attempts."""
        query = select(AttemptRow.call_id, AttemptRow.worker).where(
            AttemptRow.campaign_id == row_id(campaign_id), AttemptRow.status == AttemptStatus.OPEN.value
        )
        return tuple((str(call), worker or "") for call, worker in self._session.execute(query))

    def _count(self, which: ColumnElement[bool], now: datetime, window_s: float) -> tuple[int, int, int]:
        is_open = AttemptRow.status == AttemptStatus.OPEN.value
        begun = AttemptRow.created_at > now - timedelta(seconds=window_s)
        row: Any = self._session.execute(
            select(
                func.count().filter(is_open),
                func.count().filter(is_open, AttemptRow.answered_at.is_not(None)),
                func.count().filter(begun),
            ).where(which, or_(is_open, begun), _dialled())
        ).one()
        return int(row[0]), int(row[1]), int(row[2])


def _dialled() -> ColumnElement[bool]:
    return and_(
        AttemptRow.direction == Direction.OUTBOUND.value,
        or_(AttemptRow.cause.is_(None), AttemptRow.cause != NOT_DIALLED),
    )
