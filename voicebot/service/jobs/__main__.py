"""The entry of the jobs process: `python -m voicebot.service.jobs`."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime

from voicebot.domain.errors import VoicebotError
from voicebot.service import entry
from voicebot.service.child import announce
from voicebot.service.jobs import schema
from voicebot.service.jobs.catalogue import TASKS
from voicebot.service.jobs.worker import JobWorker, conninfo
from voicebot.service.metrics import Metrics
from voicebot.settings import Settings
from voicebot.store.session import Database, normalised
from voicebot.store.standing import StandingRepository

COUNT_S = 15.0  # how often it is counted what waits


async def run(settings: Settings, stop: asyncio.Event) -> None:
    """Do jobs until told to stop."""
    # what procrastinate logs of a job holds its arguments; we log our own lines
    logging.getLogger("procrastinate").setLevel(logging.CRITICAL)
    await asyncio.to_thread(schema.upgrade, conninfo(normalised(settings.database_url)))
    database = Database(settings.database_url)
    counting = asyncio.create_task(_count(database, Metrics()))
    try:
        await JobWorker(settings, database, TASKS).run(stop, announce)
    finally:
        counting.cancel()
        database.dispose()


async def _count(database: Database, metrics: Metrics) -> None:
    """Tell Prometheus what waits. While the database is away the last figures stand."""

    def waiting() -> dict[str, int]:
        with database.transaction() as session:
            return StandingRepository(session).waiting(datetime.now(UTC))

    while True:
        try:
            for queue, count in (await asyncio.to_thread(waiting)).items():
                metrics.waiting.labels(queue).set(count)
        except VoicebotError:
            pass  # the heartbeats of the others say so already
        await asyncio.sleep(COUNT_S)


def main() -> None:
    """Run the process."""
    settings = Settings()
    entry.run("jobs", settings, lambda stop: run(settings, stop))


if __name__ == "__main__":
    main()
