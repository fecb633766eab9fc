"""Workers with their heartbeats: who serves where, and how much is free."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from voicebot.domain.campaign import AttemptStatus
from voicebot.store.tables import AttemptRow, WorkerRow

LINE = "line"
INFERENCE = "inference"
ALIVE = timedelta(seconds=15)  # a heartbeat older than that is a dead worker's


@dataclass(frozen=True, slots=True)
class Worker:
    """One heartbeat."""

    id: str
    kind: str  # LINE, INFERENCE
    address: str  # of its gRPC server, host:port
    sip_uri: str  # "" = none
    capacity: int  # calls
    busy: int
    started_at: datetime
    seen_at: datetime
    draining: bool = False
    spool_pending: int = 0  # journal events the database has not got


class WorkerRepository:
    """Workers."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def beat(self, worker: Worker) -> None:
        """Write a heartbeat."""
        values = asdict(worker)
        self._session.execute(
            insert(WorkerRow)
            .values(values)
            .on_conflict_do_update(
                index_elements=[WorkerRow.id], set_={k: v for k, v in values.items() if k != "id"}
            )
        )

    def leave(self, worker_id: str) -> None:
        """Take a worker that ended in good order off the list."""
        self._session.execute(delete(WorkerRow).where(WorkerRow.id == worker_id))

    def alive(self, kind: str, now: datetime) -> tuple[Worker, ...]:
        """Return the workers of a kind that were seen of late."""
        query = (
            select(WorkerRow)
            .where(WorkerRow.kind == kind, WorkerRow.seen_at > now - ALIVE)
            .order_by(WorkerRow.id)
        )
        return tuple(
            Worker(
                row.id,
                row.kind,
                row.address,
                row.sip_uri,
                row.capacity,
                row.busy,
                row.started_at,
                row.seen_at,
                row.draining,
                row.spool_pending,
            )
            for row in self._session.scalars(query)
        )

    def free(self, now: datetime) -> list[tuple[Worker, int]]:
        """Return the line workers that can take calls, with how many; the freest first.

        What was given to a worker since its heartbeat counts as busy.
        """
        query = (
            select(AttemptRow.worker, func.count())
            .where(AttemptRow.status == AttemptStatus.OPEN.value)
            .group_by(AttemptRow.worker)
        )
        given = dict(self._session.execute(query).all())
        found = [
            (worker, worker.capacity - max(worker.busy, given.get(worker.id, 0)))
            for worker in self.alive(LINE, now)
            if not worker.draining
        ]
        return sorted((pair for pair in found if pair[1] > 0), key=lambda pair: -pair[1])
