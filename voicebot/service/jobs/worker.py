"""The worker: takes jobs from the queue, runs them, and takes up again what a dead one left."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import structlog
from procrastinate import App, JobContext, PsycopgConnector, RetryStrategy
from procrastinate.exceptions import ConnectorException
from procrastinate.jobs import Job, Status

from voicebot.service.jobs.task import Task, Work
from voicebot.settings import Settings
from voicebot.store.jobs import QUEUE, SLOW, WEBHOOKS
from voicebot.store.session import Database

HEARTBEAT_S = 5.0
DEAD_AFTER_S = 20.0  # without a heartbeat
RECOVER_EVERY_S = 10.0
POLL_S = 5.0  # if a notification was missed
GRACE_S = 15.0  # a job that takes longer is begun again by the next worker
CONCURRENCY = {QUEUE: 3, SLOW: 1, WEBHOOKS: 4}
log = structlog.get_logger()


def conninfo(database_url: str) -> str:
    """Return an SQLAlchemy URL as the driver wants it."""
    return database_url.replace("postgresql+psycopg://", "postgresql://", 1)


class JobWorker:
    """Works on the queues until stopped."""

    def __init__(self, settings: Settings, database: Database, tasks: Sequence[Task]) -> None:
        """Take the kinds of jobs there are; connects when it runs."""
        self._settings = settings
        self._database = database
        self._tasks = {task.name: task for task in tasks}
        self._stopping = threading.Event()
        url = database.engine.url.render_as_string(hide_password=False)
        self._app = App(connector=PsycopgConnector(conninfo=conninfo(url), min_size=1, max_size=8))
        for task in tasks:
            self._register(task)

    async def run(self, stop: asyncio.Event, ready: Callable[[], None] = lambda: None) -> None:
        """Work until the event is set. Raises StoreError if the database is away at the start."""
        await asyncio.to_thread(self._database.check)
        async with self._app.open_async():
            await self._recover()
            workers = [asyncio.create_task(self._work(queue, count)) for queue, count in CONCURRENCY.items()]
            recovery = asyncio.create_task(self._recover_for_ever())
            ready()
            await stop.wait()
            self._stopping.set()
            for running in (*workers, recovery):
                running.cancel()  # procrastinate's worker takes it as the wish to end after its jobs
            await asyncio.gather(*workers, recovery, return_exceptions=True)

    async def _work(self, queue: str, concurrency: int) -> None:
        await self._until_cancelled(
            lambda: self._app.run_worker_async(
                queues=[queue],
                name=queue,
                concurrency=concurrency,
                install_signal_handlers=False,
                fetch_job_polling_interval=POLL_S,
                update_heartbeat_interval=HEARTBEAT_S,
                stalled_worker_timeout=DEAD_AFTER_S,
                shutdown_graceful_timeout=GRACE_S,
            )
        )

    async def _recover_for_ever(self) -> None:
        async def recover() -> None:
            await asyncio.sleep(RECOVER_EVERY_S)
            await self._recover()

        await self._until_cancelled(recover)

    async def _until_cancelled(self, once: Callable[[], Awaitable[None]]) -> None:
        while not self._stopping.is_set():
            try:
                await once()
            except Exception:  # the edge of a task: the database may be away; it comes back
                log.exception("jobs interrupted")
                await asyncio.sleep(2)

    async def _recover(self) -> None:
        # After kill -9 a job stays `doing`: procrastinate leaves it to us to say what becomes of it.
        manager = self._app.job_manager
        try:
            await manager.prune_stalled_workers(DEAD_AFTER_S)
            stalled: Iterable[Job] = await manager.get_stalled_jobs(seconds_since_heartbeat=DEAD_AFTER_S)
            for job in stalled:
                known = self._tasks.get(job.task_name)
                again = known is not None and job.attempts + 1 < known.attempts
                log.warning("job was left by a dead worker", task=job.task_name, job=job.id, again=again)
                if again:
                    await manager.retry_job(job)
                else:
                    await manager.finish_job(job, status=Status.FAILED, delete_job=False)
        except ConnectorException as error:
            log.warning("dead jobs not looked for", error=type(error).__name__)

    def _register(self, task: Task) -> None:
        async def run(context: JobContext, /, timestamp: int = 0, **args: Any) -> None:
            assert context.job.id is not None
            work = Work(self._settings, self._database, datetime.now(UTC), context.job.id, self._stopping)
            try:
                await asyncio.to_thread(task.do, work, **args)
            except Exception:  # the edge of a job: told here, without the values in the traceback's message
                log.exception("job failed", task=task.name, job=context.job.id, attempt=context.job.attempts)
                raise

        registered = self._app.task(
            name=task.name,
            queue=task.queue,
            lock=task.name if task.alone else None,
            queueing_lock=task.name if task.every else None,
            retry=RetryStrategy(max_attempts=task.attempts - 1, exponential_wait=4)
            if task.attempts > 1
            else False,
            pass_context=True,
        )(run)
        if task.every:
            self._app.periodic(cron=task.every)(registered)
