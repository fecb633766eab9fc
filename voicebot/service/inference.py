"""The entry of an inference server: `python -m voicebot.service.inference`."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import structlog

from voicebot import bootstrap
from voicebot.call.conversation import LocalConversation
from voicebot.call.pipeline import Pipeline
from voicebot.domain.call import CallRequest, Direction
from voicebot.domain.errors import VoicebotError
from voicebot.domain.speech import Transcript, Utterance, UtteranceKind
from voicebot.rpc.inference_server import InferenceServer
from voicebot.service import entry
from voicebot.service.child import announce
from voicebot.service.heart import Heart
from voicebot.service.metrics import Metrics
from voicebot.settings import Settings
from voicebot.store.session import Database
from voicebot.store.workers import INFERENCE, Worker

log = structlog.get_logger()

THREADS = 32
DRAIN_S = 3.0


async def run(settings: Settings, stop: asyncio.Event) -> None:
    """Understand and decide for line workers until told to stop."""
    pipeline = bootstrap.pipeline(settings)
    await asyncio.to_thread(warm, pipeline, bootstrap.playbooks(settings).ids())
    # Most threads wait for a recogniser; one that waits must not keep another call from opening.
    with ThreadPoolExecutor(THREADS, thread_name_prefix="decide") as pool:
        server = InferenceServer(
            lambda: LocalConversation(pipeline, pool), f"{settings.bind}:{settings.inference_port}"
        )
        port = await server.start()
        address = f"{settings.advertise or settings.bind}:{port}"
        heart = _heart(settings, f"{socket.gethostname()}-inference-{port}", address, server, pipeline)
        await heart.start()
        entry.loaded()
        announce(port=port)
        await stop.wait()
        await server.drain(DRAIN_S)
        await heart.stop()


def _heart(
    settings: Settings, worker_id: str, address: str, server: InferenceServer, pipeline: Pipeline
) -> Heart:
    """Return what shows this server to people; line workers find it by its address, not by this."""
    metrics = Metrics()

    async def now() -> Worker:
        metrics.decoding.labels("inference").set(pipeline.load)
        return Worker(worker_id, INFERENCE, address, "", THREADS, server.calls, draining=server.draining)

    return Heart(Database(settings.database_url, pool_size=1), now)


def warm(pipeline: Pipeline, playbook_ids: Iterable[str]) -> None:
    """Decide once on every playbook, so that no customer waits for what is made at first use."""
    for playbook_id in playbook_ids:
        request = CallRequest("warm", "", "", "", playbook_id, Direction.OUTBOUND)
        opening = Utterance(UtteranceKind.ANSWERED, 0, 0)
        try:
            pipeline.decide(pipeline.begin(request), opening, Transcript(""), 1, at=datetime.now(UTC))
        except VoicebotError as error:
            # a broken playbook fails its own calls, not the server
            log.warning("playbook not usable", playbook=playbook_id, error=str(error), hint=error.hint)


def main() -> None:
    """Run the process."""
    settings = Settings()
    entry.run("inference", settings, lambda stop: run(settings, stop))


if __name__ == "__main__":
    main()
