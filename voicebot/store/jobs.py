"""Jobs in the database: added in the transaction of what they belong to, so they vanish with its rollback.

The queue is procrastinate's; its worker and its tasks are `voicebot.service.jobs`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Text, bindparam, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session

QUEUE = "default"
SLOW = "slow"  # minutes of work: retraining, exports; apart, so that roll-ups do not wait for them
WEBHOOKS = "webhooks"  # apart, so that a receiver who is slow holds nothing else up

QUEUES = (QUEUE, SLOW, WEBHOOKS)

# Its triggers wake the worker and write the event.
_ADD = text(
    """
    INSERT INTO procrastinate_jobs (queue_name, task_name, lock, queueing_lock, args, scheduled_at)
    VALUES (:queue, :task, :lock, :once, :args, :at) ON CONFLICT DO NOTHING RETURNING id
    """
).bindparams(bindparam("args", type_=JSONB))

_JOBS = """
    SELECT j.id, j.task_name, j.status::text AS status, j.attempts, j.args, j.scheduled_at,
      (SELECT min(at) FROM procrastinate_events e WHERE e.job_id = j.id) AS added_at,
      (SELECT max(at) FROM procrastinate_events e WHERE e.job_id = j.id) AS changed_at
    FROM procrastinate_jobs j
    WHERE (CAST(:id AS bigint) IS NULL OR j.id = :id) AND (CAST(:task AS text) IS NULL OR j.task_name = :task)
    ORDER BY j.id DESC LIMIT :limit
    """


@dataclass(frozen=True, slots=True)
class Job:
    """One job as it stands."""

    id: int
    task: str
    status: str  # todo, doing, succeeded, failed, cancelled, aborted
    attempts: int
    args: Mapping[str, Any]
    at: datetime | None  # not before
    added_at: datetime | None
    changed_at: datetime | None


class JobRepository:
    """The queue, from the side of whoever wants something done."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(
        self,
        task: str,
        args: Mapping[str, Any] | None = None,
        *,
        queue: str = QUEUE,
        at: datetime | None = None,
        once: str = "",
        lock: str = "",
    ) -> int:
        """Add a job; return its id, or 0 if one of the same `once` waits already.

        Args:
            task: name in `voicebot.service.jobs.catalogue`.
            args: of the task; JSON values. Ids, never what a person said or their number.
            queue: QUEUE, SLOW for minutes of work, or WEBHOOKS.
            at: not before.
            once: while a job of this name waits, another is not added; "" = no such rule.
            lock: jobs of one lock run one after the other; "" = no such rule.
        """
        values = {
            "queue": queue,
            "task": task,
            "lock": lock or None,
            "once": once or None,
            "args": dict(args or {}),
            "at": at,
        }
        return self._session.execute(_ADD, values).scalar() or 0

    def get(self, job_id: int) -> Job | None:
        """Return one job; None if it is gone."""
        found = self._find(job_id, "", 1)
        return found[0] if found else None

    def latest(self, task: str = "", limit: int = 20) -> tuple[Job, ...]:
        """Return the newest jobs, of one task or of all."""
        return self._find(None, task, limit)

    def _find(self, job_id: int | None, task: str, limit: int) -> tuple[Job, ...]:
        rows = self._session.execute(
            text(_JOBS).bindparams(bindparam("task", type_=Text)),
            {"id": job_id, "task": task or None, "limit": limit},
        )
        return tuple(
            Job(
                row.id,
                row.task_name,
                row.status,
                row.attempts,
                row.args,
                row.scheduled_at,
                row.added_at,
                row.changed_at,
            )
            for row in rows
        )
