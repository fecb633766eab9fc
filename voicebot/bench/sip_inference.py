"""The inference server of `bench turns`: `python -m voicebot.bench.sip_inference`. Helper, run by the bench.

The one of production, but without a database in which it would show itself.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

from voicebot import bootstrap
from voicebot.call.conversation import LocalConversation
from voicebot.rpc.inference_server import InferenceServer
from voicebot.service import entry
from voicebot.service.child import announce
from voicebot.service.inference import THREADS, warm
from voicebot.settings import Settings


async def run(settings: Settings, stop: asyncio.Event) -> None:
    """Understand and decide until told to stop."""
    pipeline = bootstrap.pipeline(settings)
    await asyncio.to_thread(warm, pipeline, bootstrap.playbooks(settings).ids())
    with ThreadPoolExecutor(THREADS, thread_name_prefix="decide") as pool:
        server = InferenceServer(lambda: LocalConversation(pipeline, pool), f"{settings.bind}:0")
        announce(port=await server.start())
        await stop.wait()
        await server.stop()


def main() -> None:
    """Run the process."""
    settings = Settings()
    entry.run("inference", settings, lambda stop: run(settings, stop))


if __name__ == "__main__":
    main()
