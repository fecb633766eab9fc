"""How it stands this minute: what runs, what waits, how it feels to customers. For `voicebot top`."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, Float, cast, func, select, text
from sqlalchemy.orm import Session

from voicebot.domain.campaign import AttemptStatus, CampaignStatus, ContactStatus
from voicebot.store.contact_counts import contact_counts
from voicebot.store.jobs import QUEUES
from voicebot.store.tables import AttemptRow, CallRow, CampaignRow, OutcomeRow, TurnRow
from voicebot.store.workers import INFERENCE, LINE, Worker, WorkerRepository

RECENT = timedelta(minutes=5)
_ACTIVE = (CampaignStatus.RUNNING.value, CampaignStatus.DRAINING.value, CampaignStatus.PAUSED.value)


@dataclass(frozen=True, slots=True)
class Running:
    """One campaign that is under way."""

    name: str
    status: str
    held: str  # why it does not call; "" = it does
    calling: int
    pending: int
    ended: int  # of late
    answered: int  # of these


@dataclass(frozen=True, slots=True)
class Felt:
    """How the last minutes felt to customers."""

    turns: int = 0
    wait_ms_p50: float | None = None
    wait_ms_p95: float | None = None
    recognise_ms_p50: float | None = None
    calls: int = 0
    dropped: int = 0
    mos: float | None = None  # mean of the calls' estimates


@dataclass(frozen=True, slots=True)
class Standing:
    """Everything at one moment."""

    at: datetime
    lines: tuple[Worker, ...]
    inference: tuple[Worker, ...]
    campaigns: tuple[Running, ...]
    felt: Felt
    jobs_waiting: int
    jobs_failed: int

    @property
    def calls(self) -> int:
        """Calls that run now."""
        return sum(line.busy for line in self.lines)

    @property
    def capacity(self) -> int:
        """Calls that can run at once."""
        return sum(line.capacity for line in self.lines if not line.draining)


class StandingRepository:
    """Looks without disturbing: a few queries over indexes."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def now(self, now: datetime) -> Standing:
        """Return how it stands. Raises StoreError."""
        workers = WorkerRepository(self._session)
        waiting, failed = self._jobs(now)
        return Standing(
            now,
            workers.alive(LINE),
            workers.alive(INFERENCE),
            self._campaigns(now),
            self._felt(now),
            waiting,
            failed,
        )

    def waiting(self, now: datetime) -> dict[str, int]:
        """Return how much waits: contacts of running campaigns, jobs by their queue. Raises StoreError."""
        running = select(CampaignRow.id).where(CampaignRow.status == CampaignStatus.RUNNING.value)
        counts = contact_counts(self._session, [str(one) for one in self._session.scalars(running)])
        contacts = sum(count.contacts for count in counts if count.status == ContactStatus.PENDING.value)
        query = text(
            "SELECT queue_name, count(*) FROM procrastinate_jobs "
            "WHERE status = 'todo' AND coalesce(scheduled_at, :now) <= :now GROUP BY 1"
        )
        jobs = {queue: count for queue, count in self._session.execute(query, {"now": now})}  # noqa: C416
        return {"contacts": contacts, **{f"jobs_{queue}": jobs.get(queue, 0) for queue in QUEUES}}

    def _campaigns(self, now: datetime) -> tuple[Running, ...]:
        query = select(CampaignRow).where(CampaignRow.status.in_(_ACTIVE)).order_by(CampaignRow.name)
        rows = self._session.scalars(query).all()
        contacts: Counter[tuple[UUID, str]] = Counter()
        for count in contact_counts(self._session, [str(row.id) for row in rows]):
            contacts[count.campaign_id, count.status] += count.contacts
        found = []
        for row in rows:
            ended, answered = self._session.execute(
                select(func.count(), func.count(AttemptRow.answered_at)).where(
                    AttemptRow.campaign_id == row.id,
                    AttemptRow.status == AttemptStatus.ENDED.value,
                    AttemptRow.created_at > now - RECENT,
                )
            ).one()
            calling = contacts[row.id, ContactStatus.CALLING.value]
            pending = contacts[row.id, ContactStatus.PENDING.value]
            found.append(Running(row.name, row.status, row.held, calling, pending, ended, answered))
        return tuple(found)

    def _felt(self, now: datetime) -> Felt:
        def timing(name: str) -> ColumnElement[float]:
            return cast(TurnRow.timings_ms[name].astext, Float)

        wait, recognise = timing("wait_ms"), timing("recognise_ms")
        turns = self._session.execute(
            select(
                func.count(),
                func.percentile_cont(0.5).within_group(wait),
                func.percentile_cont(0.95).within_group(wait),
                func.percentile_cont(0.5).within_group(recognise),
            ).where(TurnRow.at > now - RECENT, TurnRow.kind == "speech")
        ).one()
        calls = self._session.execute(
            select(
                func.count(),
                func.count().filter(OutcomeRow.disposition == "dropped"),
                func.avg(cast(CallRow.quality["mos"].astext, Float)),
            )
            .select_from(OutcomeRow)
            .join(CallRow, CallRow.id == OutcomeRow.call_id)
            .where(OutcomeRow.at > now - RECENT)
        ).one()
        return Felt(*turns, *calls)

    def _jobs(self, now: datetime) -> tuple[int, int]:
        query = text(
            "SELECT count(*) FILTER (WHERE status = 'todo' AND coalesce(scheduled_at, :now) <= :now), "
            "count(*) FILTER (WHERE status = 'failed') FROM procrastinate_jobs"
        )
        waiting, failed = self._session.execute(query, {"now": now}).one()
        return waiting, failed
