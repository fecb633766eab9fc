"""The entry of what moves finished recordings to the shared store: `python -m voicebot.service.shipper`.

A process of its own beside the line workers: they need no S3 client, and while the store is away recordings
wait on this machine's disk, whatever is killed.
"""

from __future__ import annotations

import asyncio

import structlog

from voicebot import bootstrap
from voicebot.domain.errors import StoreError
from voicebot.service import entry
from voicebot.service.child import announce
from voicebot.settings import Settings

EVERY_S = 10.0
log = structlog.get_logger()


async def run(settings: Settings, stop: asyncio.Event) -> None:
    """Ship until told to stop."""
    recordings = bootstrap.recordings(settings)
    announce()
    away = False
    while not stop.is_set():
        try:
            shipped = await asyncio.to_thread(lambda: sum(1 for _ in recordings.ship()))
        except StoreError as error:
            if not away:
                log.warning("recordings wait: the store is away", error=error.detail)
            away = True
        else:
            if away or shipped:
                log.info("recordings shipped", count=shipped)
            away = False
        try:
            await asyncio.wait_for(stop.wait(), EVERY_S)
        except TimeoutError:
            continue


def main() -> None:
    """Run the process."""
    settings = Settings()
    entry.run("shipper", settings, lambda stop: run(settings, stop))


if __name__ == "__main__":
    main()
