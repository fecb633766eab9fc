"""The entry of the jobs process: `python -m voicebot.service.jobs`."""

from __future__ import annotations

import asyncio
import logging

from voicebot.service import entry
from voicebot.service.child import announce
from voicebot.service.jobs import schema
from voicebot.service.jobs.catalogue import TASKS
from voicebot.service.jobs.worker import JobWorker, conninfo
from voicebot.settings import Settings
from voicebot.store.session import Database, normalised


async def run(settings: Settings, stop: asyncio.Event) -> None:
    """Do jobs until told to stop."""
    # what procrastinate logs of a job holds its arguments; we log our own lines
    logging.getLogger("procrastinate").setLevel(logging.CRITICAL)
    await asyncio.to_thread(schema.upgrade, conninfo(normalised(settings.database_url)))
    database = Database(settings.database_url)
    try:
        await JobWorker(settings, database, TASKS).run(stop, announce)
    finally:
        database.dispose()


def main() -> None:
    """Run the process."""
    settings = Settings()
    entry.run("jobs", settings, lambda stop: run(settings, stop))


if __name__ == "__main__":
    main()
