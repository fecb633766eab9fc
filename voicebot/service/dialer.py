"""The entry of the dialer: `python -m voicebot.service.dialer`."""

from __future__ import annotations

import asyncio
import os
import socket

from voicebot import bootstrap
from voicebot.campaign.dialer import Dialer
from voicebot.campaign.hopper import Hopper
from voicebot.service import entry
from voicebot.service.child import announce
from voicebot.service.lines import Lines
from voicebot.settings import Settings
from voicebot.store.session import Database


async def run(settings: Settings, stop: asyncio.Event) -> None:
    """Run campaigns until told to stop."""
    database = Database(settings.database_url)
    hopper = Hopper(database, bootstrap.vault(settings), f"{socket.gethostname()}-dialer-{os.getpid()}")
    lines = Lines()
    announce()
    try:
        await Dialer(hopper, lines).run(stop)
    finally:
        await lines.close()
        database.dispose()


def main() -> None:
    """Run the process."""
    settings = Settings()
    entry.run("dialer", settings, lambda stop: run(settings, stop))


if __name__ == "__main__":
    main()
