"""The line worker of `bench suggestions`: `python -m voicebot.bench.suggest_line`. Helper, run by the bench.

The real line worker with its gRPC control, on an inference server that runs already
(VOICEBOT_INFERENCE_PORT). Nothing is journaled.
"""

from __future__ import annotations

import asyncio

from voicebot import bootstrap
from voicebot.call.events import SessionConfig
from voicebot.call.prompts import PromptMemory
from voicebot.call.worker import LineWorker
from voicebot.domain.call import CallRecord, CallRequest, Turn
from voicebot.domain.people import Takeover
from voicebot.rpc.line_server import LineServer
from voicebot.service import entry
from voicebot.service.child import announce
from voicebot.settings import Settings
from voicebot.telephony import UserAgentConfig


class Forgetful:
    """A journal that writes nothing down: what is measured is seen by the watcher."""

    def answered(self, request: CallRequest, worker: str) -> None:
        """The call was answered."""

    def turn(self, turn: Turn) -> None:
        """Somebody spoke."""

    def taken_over(self, takeover: Takeover) -> None:
        """The agent is on the line."""

    def ended(self, record: CallRecord) -> None:
        """The call is over."""


async def run(settings: Settings, stop: asyncio.Event) -> None:
    """Conduct the calls that are asked for until told to stop."""
    session = SessionConfig("bench", bootstrap.conversations(settings), Forgetful(), PromptMemory())
    worker = LineWorker(UserAgentConfig(bind=settings.bind, sip_port=0, rtp_port=0), session)
    await worker.start()
    server = LineServer(worker, f"{settings.bind}:0")
    announce(port=await server.start())
    await stop.wait()
    await server.stop()
    await worker.stop()


def main() -> None:
    """Run the process."""
    settings = Settings()
    entry.run("line", settings, lambda stop: run(settings, stop))


if __name__ == "__main__":
    main()
