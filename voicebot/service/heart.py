"""Heartbeats: how a worker is found by the others, and missed when it dies."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime

import structlog

from voicebot.domain.errors import VoicebotError
from voicebot.store.session import Database
from voicebot.store.workers import Worker, WorkerRepository

EVERY_S = 2.0
log = structlog.get_logger()


class Heart:
    """Writes a worker's row every two seconds, and takes it off the list at the end.

    Its times are the database's: whoever looks at them may have another clock than this machine.
    """

    def __init__(self, database: Database, now: Callable[[], Awaitable[Worker]]) -> None:
        """Take where to write, and what tells how the worker stands."""
        self._database = database
        self._now = now
        self._worker_id = ""
        self._started_at: datetime | None = None  # when the first beat was written
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Write the first beat and go on."""
        await self._beat()
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Leave in good order."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        try:
            await asyncio.to_thread(self._leave)
        except VoicebotError as error:
            log.warning("heartbeat not withdrawn", error=str(error))

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(EVERY_S)
            try:
                await self._beat()
            except VoicebotError as error:
                # calls go on without a database; the row is fresh again when it is back
                log.warning("heartbeat not written", error=str(error))

    async def _beat(self) -> None:
        worker = replace(await self._now(), started_at=self._started_at)
        self._worker_id = worker.id
        self._started_at = await asyncio.to_thread(self._write, worker)

    def _write(self, worker: Worker) -> datetime:
        with self._database.transaction() as session:
            return WorkerRepository(session).beat(worker)

    def _leave(self) -> None:
        with self._database.transaction() as session:
            WorkerRepository(session).leave(self._worker_id)
