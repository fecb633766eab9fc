"""Places calls through every line worker whose heartbeat is fresh: `host_call.py URI`. Run on a host of
`hosts`.

Prints one JSON line a call: worker, cause, turns.
"""

from __future__ import annotations

import asyncio
import json
import sys
from datetime import UTC, datetime

from voicebot.domain.call import CallRequest, Direction
from voicebot.domain.ids import uuid7
from voicebot.service.lines import Lines
from voicebot.settings import Settings
from voicebot.store.session import Database
from voicebot.store.workers import LINE, Worker, WorkerRepository

PLAYBOOK = "consumer_loan"


async def call(lines: Lines, worker: Worker, uri: str) -> None:
    """Place one call and tell how it went."""
    request = CallRequest(str(uuid7()), "", "", "", PLAYBOOK, Direction.OUTBOUND, uri, ring_timeout_s=10.0)
    line = lines.at(worker.address)
    events = line.watch()
    seen = asyncio.create_task(_ended(events, request.call_id))
    await asyncio.sleep(0.2)
    await line.originate(request)
    print(json.dumps({"worker": worker.id, **await asyncio.wait_for(seen, 240)}), flush=True)  # noqa: T201


async def _ended(events: object, call_id: str) -> dict[str, object]:
    async for event in events:  # type: ignore[attr-defined]  # an async iterator
        if event.call_id == call_id and event.record is not None:
            mos = event.record.quality.mos if event.record.quality is not None else 0.0
            return {"cause": event.record.cause.value, "turns": event.record.turns, "mos": mos}
    return {"cause": "events ended", "turns": 0, "mos": 0.0}


async def main(uri: str) -> None:
    """Call through all of them at once."""
    with Database(Settings().database_url).transaction() as session:
        found = WorkerRepository(session).alive(LINE, datetime.now(UTC))
    lines = Lines()
    await asyncio.gather(*(call(lines, worker, uri) for worker in found))
    await lines.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
