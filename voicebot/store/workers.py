"""Workers with their heartbeats: who serves where, and how much is free.

Machines' clocks may differ by more than a heartbeat's age, so the database's clock writes and judges it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, delete, func, literal, select
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
    started_at: datetime | None = None  # None: now, by the database's clock, when it is written
    seen_at: datetime | None = None  # the same
    draining: bool = False
    spool_pending: int = 0  # journal events the database has not got
    age_s: float = 0.0  # of the heartbeat, when it was read


def fresh(now: datetime | None = None) -> ColumnElement[bool]:
    """Return the condition that a worker was seen of late: by the database's clock, or as of a moment."""
    return WorkerRow.seen_at > (func.now() if now is None else literal(now)) - ALIVE


class WorkerRepository:
    """Workers."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def beat(self, worker: Worker) -> datetime:
        """Write a heartbeat; return when the worker has started, by the clock that wrote it."""
        values = asdict(worker) | {
            "started_at": worker.started_at or func.now(),
            "seen_at": worker.seen_at or func.now(),
        }
        del values["age_s"]
        written = self._session.scalars(
            insert(WorkerRow)
            .values(values)
            .on_conflict_do_update(
                index_elements=[WorkerRow.id], set_={k: v for k, v in values.items() if k != "id"}
            )
            .returning(WorkerRow.started_at)
        )
        return written.one()

    def leave(self, worker_id: str) -> None:
        """Take a worker that ended in good order off the list."""
        self._session.execute(delete(WorkerRow).where(WorkerRow.id == worker_id))

    def alive(self, kind: str, now: datetime | None = None) -> tuple[Worker, ...]:
        """Return the workers of a kind that were seen of late: by the database's clock, or as of a moment."""
        at = func.now() if now is None else literal(now)
        age_s = func.extract("epoch", at - WorkerRow.seen_at)
        query = select(WorkerRow, age_s).where(WorkerRow.kind == kind, fresh(now)).order_by(WorkerRow.id)
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
                float(age),
            )
            for row, age in self._session.execute(query)
        )

    def free(self, now: datetime | None = None) -> list[tuple[Worker, int]]:
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
