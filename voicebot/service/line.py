"""The entry of a line worker: `python -m voicebot.service.line --index N`."""

from __future__ import annotations

import argparse
import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Sequence

import structlog

from voicebot import bootstrap
from voicebot.call.worker import LineWorker
from voicebot.domain.call import CallEvent
from voicebot.domain.errors import VoicebotError
from voicebot.domain.trunk import Trunk
from voicebot.rpc.line_server import LineServer
from voicebot.service import entry
from voicebot.service.child import announce
from voicebot.service.heart import Heart
from voicebot.service.metrics import Metrics
from voicebot.service.traces import over_http
from voicebot.settings import Settings
from voicebot.store.session import Database
from voicebot.store.workers import LINE, Worker

log = structlog.get_logger()

TRUNKS_S = 5.0  # how often trunks are looked for


async def run(settings: Settings, index: int, stop: asyncio.Event) -> None:
    """Carry calls until told to stop; then take no new ones, let the running ones end, and go."""
    worker_id = f"{socket.gethostname()}-line-{index}"
    database = Database(settings.database_url, pool_size=2)
    journal = bootstrap.journal(settings, database, worker_id)
    line = bootstrap.line_worker(settings, index, worker_id, database, journal)
    await line.start()
    server = LineServer(line, f"{settings.bind}:{settings.line_port and settings.line_port + index}")
    port = await server.start()

    accounts = bootstrap.trunk_accounts(settings, database)
    told = bootstrap.registrations(database, worker_id)
    following = asyncio.create_task(_follow_trunks(accounts, told, line, register=index == 0))
    metrics = Metrics()
    traces = over_http(settings.traces, worker_id) if settings.traces else None
    takers = [metrics.take, *([traces.take] if traces is not None else [])]
    watching = asyncio.create_task(_measure(line.watch(), takers))

    async def now() -> Worker:
        status = await line.status()
        metrics.line(worker_id, status, journal.spool_pending)
        return Worker(
            id=worker_id,
            kind=LINE,
            address=f"{settings.advertise or settings.bind}:{port}",
            sip_uri=status.sip_uri,
            capacity=status.capacity,
            busy=status.busy,
            draining=status.draining,
            spool_pending=journal.spool_pending,
        )

    heart = Heart(database, now)
    await heart.start()
    entry.loaded()
    announce(port=port, sip_uri=line.sip_uri, capacity=line.capacity)
    await stop.wait()
    log.info("draining", calls=(await line.status()).busy)
    await line.drain()
    await server.stop()
    await line.stop()
    await heart.stop()
    watching.cancel()
    following.cancel()
    if traces is not None:
        await asyncio.to_thread(traces.close)
    await asyncio.to_thread(journal.close)
    database.dispose()


async def _follow_trunks(
    accounts: Callable[[], tuple[Trunk, ...]],
    tell: Callable[[str, int, str], None],
    line: LineWorker,
    *,
    register: bool,
) -> None:
    """Keep the worker's accounts as the trunks are set. One worker of a machine registers, all call.

    How registrations end is told to the database, where operators look.
    """
    known: tuple[Trunk, ...] = ()
    told: dict[str, tuple[int, str]] = {}
    while True:
        try:
            found = await asyncio.to_thread(accounts)
        except VoicebotError as error:
            log.warning("trunks can not be read", error=error.detail)
        else:
            if found != known:
                line.set_trunks(found, register=register)
                known, told = found, {}
            try:
                for name, (status, reason) in line.registrations.items():
                    if told.get(name) != (status, reason):
                        await asyncio.to_thread(tell, name, status, reason)
                        told[name] = (status, reason)
            except VoicebotError as error:
                log.warning("registrations can not be written", error=error.detail)
        await asyncio.sleep(TRUNKS_S)


async def _measure(events: AsyncIterator[CallEvent], takers: Sequence[Callable[[CallEvent], None]]) -> None:
    async for event in events:
        for take in takers:
            take(event)


def main() -> None:
    """Run the process."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--index", type=int, default=0, help="which of this machine's line workers")
    index = parser.parse_args().index
    settings = Settings()
    entry.run(f"line-{index}", settings, lambda stop: run(settings, index, stop))


if __name__ == "__main__":
    main()
