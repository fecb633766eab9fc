"""Housekeeping of the database."""

from __future__ import annotations

from datetime import timedelta

import structlog
from sqlalchemy import text

from voicebot import bootstrap
from voicebot.service.jobs.task import Work
from voicebot.store.partitions import ensure_partitions
from voicebot.store.retention import drop_turns, forget_callers, old_recordings, recordings_gone
from voicebot.store.rollups import roll_up
from voicebot.store.session import translated

KEEP_JOBS = timedelta(days=7)  # after their end, so that a person can still see what became of them
log = structlog.get_logger()


def make_partitions(work: Work) -> None:
    """Make the monthly partitions ahead."""
    with translated(), work.database.engine.begin() as connection:
        for name in ensure_partitions(connection, work.now):
            log.info("partition made", partition=name)


def forget_old(work: Work) -> None:
    """Drop turns, callers' numbers and recordings older than the settings allow; what was counted stays."""
    roll_up(work.database, work.now)
    with work.database.transaction() as session:
        before = work.now - timedelta(days=work.settings.keep_turns_days)
        for name in drop_turns(session, before, work.now):
            log.info("turns dropped", partition=name)
    while not work.stopping.is_set():
        with work.database.transaction() as session:
            callers = forget_callers(session, before, work.now)
        if not callers:
            break
        log.info("callers' numbers forgotten", calls=callers)
    before = work.now - timedelta(days=work.settings.keep_recordings_days)
    recordings = bootstrap.recordings(work.settings)
    while not work.stopping.is_set():
        with work.database.transaction() as session:
            found = old_recordings(session, before, work.now)
            for _, key in found:
                recordings.delete(key)
            recordings_gone(session, [call for call, _ in found])
        if not found:
            break
        log.info("recordings deleted", calls=len(found))


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
