"""Our recogniser for other frameworks, over a Unix socket: `python -m voicebot.bench.load_asr SOCKET`. For
`bench load`.

A request is a length (4 bytes, network order) and so many bytes of 8 kHz 16-bit mono; the answer is the text,
in the same frame.
"""

from __future__ import annotations

import asyncio
import struct
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from voicebot import bootstrap
from voicebot.domain.audio import LINE_RATE_HZ
from voicebot.domain.errors import RecognitionError
from voicebot.domain.ports import Recognizer
from voicebot.service import entry
from voicebot.service.child import announce
from voicebot.settings import Settings

LENGTH = struct.Struct("!I")
THREADS = 32  # most wait for one of the recogniser's own


async def run(settings: Settings, path: Path, stop: asyncio.Event) -> None:
    """Serve until told to stop."""
    recognizer = bootstrap.recognizer(settings)

    def recognise(pcm: bytes) -> str:
        stream = recognizer.open(LINE_RATE_HZ)
        stream.feed(pcm)
        try:
            return stream.result(final=True).text
        except RecognitionError:
            return ""

    with ThreadPoolExecutor(THREADS) as pool:
        await asyncio.get_running_loop().run_in_executor(pool, _warm, recognizer)

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                while True:
                    (size,) = LENGTH.unpack(await reader.readexactly(LENGTH.size))
                    pcm = await reader.readexactly(size)
                    text = await asyncio.get_running_loop().run_in_executor(pool, recognise, pcm)
                    data = text.encode()
                    writer.write(LENGTH.pack(len(data)) + data)
                    await writer.drain()
            except (asyncio.IncompleteReadError, ConnectionError):
                writer.close()

        server = await asyncio.start_unix_server(serve, str(path))
        announce()
        await stop.wait()
        server.close()


def _warm(recognizer: Recognizer) -> None:
    stream = recognizer.open(LINE_RATE_HZ)
    stream.feed(bytes(2 * LINE_RATE_HZ))
    stream.result(final=True)


def main() -> None:
    """Run the process."""
    settings = Settings()
    entry.run("asr", settings, lambda stop: run(settings, Path(sys.argv[1]), stop))


if __name__ == "__main__":
    main()
