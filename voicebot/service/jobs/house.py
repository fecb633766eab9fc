"""Housekeeping of the database."""

from __future__ import annotations

from datetime import timedelta

import structlog
from sqlalchemy import text

from voicebot.service.jobs.task import Work
from voicebot.store.partitions import ensure_partitions
from voicebot.store.session import translated

KEEP_JOBS = timedelta(days=7)  # after their end, so that a person can still see what became of them
log = structlog.get_logger()


def make_partitions(work: Work) -> None:
    """Make the monthly partitions ahead."""
    with translated(), work.database.engine.begin() as connection:
        for name in ensure_partitions(connection, work.now):
            log.info("partition made", partition=name)


def forget_jobs(work: Work) -> None:
    """Delete jobs that ended long ago."""
    with work.database.transaction() as session:
        session.execute(
            text(
                """
                DELETE FROM procrastinate_jobs j WHERE status NOT IN ('todo', 'doing')
                AND NOT EXISTS (SELECT FROM procrastinate_events e WHERE e.job_id = j.id AND e.at > :before)
                """
            ),
            {"before": work.now - KEEP_JOBS},
        )
