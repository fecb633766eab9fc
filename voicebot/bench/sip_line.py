"""The line worker of `bench turns`: `python -m voicebot.bench.sip_line FILE`. Helper, run by the bench.

The real line worker on an inference server that runs already (VOICEBOT_INFERENCE_PORT). Instead of a
database, FILE gets the timings of each turn, one JSON object a line.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping
from pathlib import Path

from voicebot import bootstrap
from voicebot.call.events import SessionConfig
from voicebot.call.prompts import PromptMemory
from voicebot.call.worker import LineWorker
from voicebot.domain.call import CallRecord, CallRequest, Direction, Rejection, Turn
from voicebot.domain.ids import uuid7
from voicebot.domain.people import Takeover
from voicebot.domain.speech import UtteranceKind
from voicebot.service import entry
from voicebot.service.child import announce
from voicebot.settings import Settings
from voicebot.telephony import UserAgentConfig

PLAYBOOK_ID = "turns"


class Timings:
    """The journal: writes down how long the turns took."""

    def __init__(self, file: Path) -> None:
        """Append to a file."""
        self._file = file

    def answered(self, request: CallRequest, worker: str) -> None:
        """Nothing is written down."""

    def turn(self, turn: Turn) -> None:
        """Write the timings of a turn in which somebody spoke."""
        if turn.kind is UtteranceKind.SPEECH:
            with self._file.open("a", encoding="utf-8") as lines:
                lines.write(json.dumps(dict(turn.timings_ms)) + "\n")

    def taken_over(self, takeover: Takeover) -> None:
        """Nobody takes calls over here."""

    def ended(self, record: CallRecord) -> None:
        """Nothing is written down."""


async def run(settings: Settings, file: Path, stop: asyncio.Event) -> None:
    """Answer every call with the bench's playbook until told to stop."""

    async def resolve(headers: Mapping[str, str], to_user: str, source: str) -> CallRequest | Rejection:
        call_id = str(uuid7())
        return CallRequest(call_id, call_id, "", "", PLAYBOOK_ID, Direction.INBOUND, record=False)

    session = SessionConfig("bench", bootstrap.conversations(settings), Timings(file), PromptMemory())
    worker = LineWorker(UserAgentConfig(bind=settings.bind, sip_port=0, rtp_port=0), session, resolve)
    await worker.start()
    announce(sip_uri=worker.sip_uri)
    await stop.wait()
    await worker.stop()


def main() -> None:
    """Run the process."""
    settings, file = Settings(), Path(sys.argv[1])
    entry.run("line", settings, lambda stop: run(settings, file, stop))


if __name__ == "__main__":
    main()
