"""Jobs: done once, repeated after a failure or a crash, added only if their transaction commits."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from procrastinate.schema import migrations_path
from sqlalchemy import text

from voicebot.service.jobs import schema
from voicebot.service.jobs.catalogue import TASKS
from voicebot.service.jobs.task import Task, Work
from voicebot.service.jobs.worker import JobWorker, conninfo
from voicebot.settings import Settings
from voicebot.store.jobs import Job, JobRepository
from voicebot.store.session import Database

pytestmark = pytest.mark.integration

STUCK = """
import asyncio, sys, time
from pathlib import Path
from voicebot.service.jobs.task import Task
from voicebot.service.jobs.worker import JobWorker
from voicebot.settings import Settings
from voicebot.store.session import Database

def stay(work):
    Path(sys.argv[2]).write_text("begun")
    time.sleep(600)

asyncio.run(JobWorker(Settings(), Database(sys.argv[1]), (Task("stay", stay),)).run(asyncio.Event()))
"""


def dsn(database: Database) -> str:
    return conninfo(database.engine.url.render_as_string(hide_password=False))


def job(database: Database, job_id: int) -> Job:
    with database.transaction() as session:
        found = JobRepository(session).get(job_id)
    assert found is not None
    return found


def add(database: Database, task: str, **args: object) -> int:
    with database.transaction() as session:
        return JobRepository(session).add(task, args)


async def work_until(database: Database, tasks: tuple[Task, ...], done: Callable[[], bool]) -> None:
    """Run a worker until something is true."""
    stop = asyncio.Event()
    running = asyncio.create_task(JobWorker(Settings(), database, tasks).run(stop))
    async with asyncio.timeout(60):
        while not await asyncio.to_thread(done):
            assert not running.done(), running.exception()
            await asyncio.sleep(0.05)
    stop.set()
    await running


async def test_a_job_is_done_with_its_arguments(database: Database) -> None:
    seen: list[tuple[int, str]] = []

    def note(work: Work, word: str) -> None:
        seen.append((work.job_id, word))

    job_id = add(database, "note", word="好")
    await work_until(database, (Task("note", note),), lambda: job(database, job_id).status == "succeeded")
    assert seen == [(job_id, "好")]


async def test_a_job_that_fails_is_tried_again_and_then_given_up(database: Database) -> None:
    tries = []

    def fail(work: Work) -> None:
        tries.append(work.job_id)
        raise ValueError

    job_id = add(database, "fail")
    await work_until(
        database, (Task("fail", fail, attempts=2),), lambda: job(database, job_id).status == "failed"
    )
    assert tries == [job_id, job_id]


def test_a_job_vanishes_with_the_rollback_of_its_transaction(database: Database) -> None:
    with database.transaction() as session:
        assert JobRepository(session).add("note") > 0
        session.rollback()
    with database.transaction() as session:
        assert JobRepository(session).latest() == ()


def test_a_job_that_waits_is_not_added_twice(database: Database) -> None:
    with database.transaction() as session:
        jobs = JobRepository(session)
        assert jobs.add("note", once="note") > 0
        assert jobs.add("note", once="note") == 0
        assert [(found.task, found.status) for found in jobs.latest("note")] == [("note", "todo")]


async def test_what_a_killed_worker_left_is_taken_up_by_the_next(database: Database, tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    url = database.engine.url.render_as_string(hide_password=False)
    job_id = add(database, "stay")
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", STUCK, url, str(begun))
    async with asyncio.timeout(60):
        while not begun.exists():
            assert process.returncode is None
            await asyncio.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    await process.wait()
    assert job(database, job_id).status == "doing"
    with database.transaction() as session:  # so that nobody must wait until it counts as dead
        session.execute(text("UPDATE procrastinate_workers SET last_heartbeat = now() - interval '1 hour'"))
    again = threading.Event()
    await work_until(
        database,
        (Task("stay", lambda work: again.set()),),
        lambda: job(database, job_id).status == "succeeded",
    )
    assert again.is_set()


def test_every_kind_of_job_has_its_own_name() -> None:
    assert len({task.name for task in TASKS}) == len(TASKS)


def test_a_newer_procrastinate_brings_its_tables_up_to_date(database: Database, tmp_path: Path) -> None:
    assert schema.upgrade(dsn(database)) == []
    for path in migrations_path.glob("03.0*.sql"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "99.00.00_01_pre_more.sql").write_text("CREATE TABLE procrastinate_more (); SELECT 1;")
    assert schema.upgrade(dsn(database), tmp_path) == ["99.00.00_01_pre_more.sql"]
    assert schema.upgrade(dsn(database), tmp_path) == []
    with psycopg.connect(dsn(database)) as connection:
        assert connection.execute("SELECT count(*) FROM procrastinate_more").fetchone() == (0,)
