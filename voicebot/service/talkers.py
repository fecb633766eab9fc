"""The entry of talking customers, for load: `python -m voicebot.service.talkers`."""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path

from voicebot.domain.audio import Audio
from voicebot.domain.errors import DataError
from voicebot.service import entry
from voicebot.service.child import announce
from voicebot.settings import Settings
from voicebot.simulate.phone import EventLog
from voicebot.simulate.talker import Talkers
from voicebot.telephony import UserAgentConfig


async def run(settings: Settings, options: argparse.Namespace, stop: asyncio.Event) -> None:
    """Answer calls on a free port until told to stop."""
    speech = [Audio(path.read_bytes()) for path in sorted(options.speech.glob("*.pcm"))]
    if not speech:
        raise DataError(f"{options.speech} holds no *.pcm")
    config = UserAgentConfig(
        bind=settings.bind, sip_port=0, rtp_port=options.rtp_port, user="talker", no_media_s=3600.0
    )
    with await asyncio.to_thread(options.events.open, "w", encoding="utf-8") as out:
        talkers = Talkers(config, speech, EventLog(out), options.seed)
        announce(sip_uri=await asyncio.to_thread(talkers.start))
        await stop.wait()
        await asyncio.to_thread(talkers.stop)


def main() -> None:
    """Run the process."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--speech", type=Path, required=True, help="folder of 8 kHz 16-bit mono *.pcm")
    parser.add_argument("--events", type=Path, required=True, help="file for what they notice, JSON lines")
    parser.add_argument("--rtp-port", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    settings = Settings()
    entry.run("talkers", settings, lambda stop: run(settings, options, stop))


if __name__ == "__main__":
    main()
