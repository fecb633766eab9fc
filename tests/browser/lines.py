"""A line worker for a console to find: real SIP and RTP, with a script instead of understanding."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from tests.browser.conftest import Console
from tests.integration.scripted import Memory, Server
from voicebot.call.events import SessionConfig
from voicebot.call.prompts import PromptMemory
from voicebot.call.worker import LineWorker
from voicebot.rpc.line_server import LineServer
from voicebot.store.workers import LINE, Worker, WorkerRepository
from voicebot.telephony import UserAgentConfig


@contextmanager
def serving(console: Console, server: Server) -> Iterator[Memory]:
    """Run a line worker in a thread; yield its journal."""
    journal, loop, stop = Memory(), asyncio.new_event_loop(), threading.Event()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def start() -> tuple[LineWorker, LineServer, int]:
        config = SessionConfig("w-1", server.conversation, journal, PromptMemory())
        worker = LineWorker(UserAgentConfig(sip_port=0, rtp_port=0), config)
        await worker.start()
        served = LineServer(worker, "127.0.0.1:0")
        return worker, served, await served.start()

    async def end() -> None:
        await served.stop()
        await worker.stop()

    worker, served, port = asyncio.run_coroutine_threadsafe(start(), loop).result(20)

    def beat() -> None:
        while not stop.is_set():
            now = datetime.now(UTC)
            with console.database.transaction() as session:
                WorkerRepository(session).beat(
                    Worker("w-1", LINE, f"127.0.0.1:{port}", worker.sip_uri, 3, 0, now, now)
                )
            stop.wait(3)

    beating = threading.Thread(target=beat, daemon=True)
    beating.start()
    try:
        yield journal
    finally:
        stop.set()
        beating.join()
        asyncio.run_coroutine_threadsafe(end(), loop).result(20)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5)
