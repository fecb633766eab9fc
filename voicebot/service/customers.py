"""The entry of the simulated customers' user agent: `python -m voicebot.service.customers`."""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path

from voicebot.registry import resources
from voicebot.service import entry
from voicebot.service.child import announce
from voicebot.settings import Settings
from voicebot.simulate import personas
from voicebot.simulate.phone import EventLog, SimulatedPhone
from voicebot.telephony import UserAgentConfig


async def run(settings: Settings, role: str, events: Path, stop: asyncio.Event) -> None:
    """Answer for the personas of a role on a free port until told to stop; write what they say to a file."""
    people = [one for one in personas.load(resources.demo_dir() / "personas.yaml") if one.role == role]
    config = UserAgentConfig(
        bind=settings.bind,
        sip_port=0,
        rtp_port=0,
        user=people[0].number,
        no_media_s=3600.0,  # a silent bot is the bot's matter
        follow_refer=True,
    )
    with await asyncio.to_thread(events.open, "w", encoding="utf-8") as out:
        phone = SimulatedPhone(config, people, resources.demo_dir() / "customers", EventLog(out))
        await asyncio.to_thread(phone.start)
        announce(sip_uri=phone.sip_uri)
        await stop.wait()
        await asyncio.to_thread(phone.stop)


def main() -> None:
    """Run the process."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--role", choices=("customer", "agent"), default="customer")
    parser.add_argument("--events", type=Path, required=True, help="file for what they do, JSON lines")
    options = parser.parse_args()
    settings = Settings()
    entry.run("customers", settings, lambda stop: run(settings, options.role, options.events, stop))


if __name__ == "__main__":
    main()
