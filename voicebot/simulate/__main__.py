"""`python -m voicebot.simulate`: one process of simulated customers; JSON lines on standard output."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from voicebot.domain.errors import VoicebotError
from voicebot.registry import resources
from voicebot.simulate import personas
from voicebot.simulate.phone import EventLog, SimulatedPhone
from voicebot.telephony import UserAgentConfig


def main(argv: Sequence[str] | None = None) -> int:
    """Answer calls until SIGTERM or Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m voicebot.simulate", description=__doc__)
    parser.add_argument("--bind", default="127.0.0.1")
    parser.add_argument("--sip-port", type=int, default=5080)
    parser.add_argument("--rtp-port", type=int, default=24000)
    parser.add_argument("--personas", type=Path, default=resources.demo_dir() / "personas.yaml")
    parser.add_argument("--clips", type=Path, default=resources.demo_dir() / "customers")
    parser.add_argument("--only", action="append", default=[], metavar="ID", help="only these personas")
    options = parser.parse_args(argv)
    try:
        people = personas.choose(personas.load(options.personas), options.only)
        phone = SimulatedPhone(
            UserAgentConfig(
                bind=options.bind,
                sip_port=options.sip_port,
                rtp_port=options.rtp_port,
                user="customer",
                no_media_s=3600.0,
                follow_refer=True,
            ),
            people,
            options.clips,
            EventLog(sys.stdout),
        )
        stop = threading.Event()
        for name in (signal.SIGINT, signal.SIGTERM):
            signal.signal(name, lambda *_: stop.set())
        phone.start()
        stop.wait()
        phone.stop()
    except VoicebotError as error:
        sys.stderr.write(f"error {error}\n" + (f"what to do {error.hint}\n" if error.hint else ""))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
