"""The entry of an inference server: `python -m voicebot.service.inference`."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

from voicebot import bootstrap
from voicebot.call.conversation import LocalConversation
from voicebot.rpc.inference_server import InferenceServer
from voicebot.service import entry
from voicebot.service.child import announce
from voicebot.settings import Settings


async def run(settings: Settings, stop: asyncio.Event) -> None:
    """Understand and decide for line workers until told to stop."""
    pipeline = bootstrap.pipeline(settings)
    with ThreadPoolExecutor(settings.asr_threads + 2, thread_name_prefix="decide") as pool:
        server = InferenceServer(
            lambda: LocalConversation(pipeline, pool), f"{settings.bind}:{settings.inference_port}"
        )
        port = await server.start()
        announce(port=port)
        await stop.wait()
        await server.stop()


def main() -> None:
    """Run the process."""
    settings = Settings()
    entry.run("inference", settings, lambda stop: run(settings, stop))


if __name__ == "__main__":
    main()
