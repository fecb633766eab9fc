"""The entry of the dialer: `python -m voicebot.service.dialer`."""

from __future__ import annotations

import asyncio
import socket

from voicebot import bootstrap
from voicebot.call.journal import replay_left_over
from voicebot.campaign.dialer import Dialer
from voicebot.campaign.hopper import Hopper
from voicebot.campaign.readiness import ContactVoice
from voicebot.service import entry
from voicebot.service.child import announce
from voicebot.service.lines import Lines
from voicebot.settings import Settings
from voicebot.store.session import Database


async def run(settings: Settings, stop: asyncio.Event) -> None:
    """Run campaigns until told to stop."""
    database = Database(settings.database_url)
    # one name a host: a dialer that starts again takes over what its predecessor had claimed
    hopper = Hopper(database, bootstrap.vault(settings), f"{socket.gethostname()}-dialer")
    lines = Lines()
    announce()
    # The line workers hold their own spools by now: what is left belongs to workers that are gone.
    await asyncio.to_thread(replay_left_over, database, settings.home / "spool")
    try:
        voice = ContactVoice(bootstrap.playbooks(settings), bootstrap.prompts(settings))
        await Dialer(hopper, lines, voice).run(stop)
    finally:
        await lines.close()
        database.dispose()


def main() -> None:
    """Run the process."""
    settings = Settings()
    entry.run("dialer", settings, lambda stop: run(settings, stop))


if __name__ == "__main__":
    main()
