"""An inference server over stand-ins, in a process of its own, to be killed and stopped."""

from __future__ import annotations

import asyncio
import sys

from tests.unit import parts
from voicebot.rpc.inference_server import InferenceServer


async def main(port: int) -> None:
    """Serve until the process ends; the port goes to standard output."""
    server = InferenceServer(parts.local(), f"127.0.0.1:{port}")
    sys.stdout.write(f"{await server.start()}\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
