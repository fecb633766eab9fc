"""Somebody who listens in: frames of the media thread, gathered for an event loop."""

from __future__ import annotations

import asyncio

from voicebot.domain.audio import FRAME_MS
from voicebot.domain.call import Overheard

CHUNK_MS = 100
_MOST_WAITING = 50  # chunks; who keeps up worse hears gaps


class Listener:
    """Belongs to the event loop in which it is made."""

    def __init__(self) -> None:
        """Begin with nothing heard."""
        self._loop = asyncio.get_running_loop()
        self._chunks: asyncio.Queue[Overheard] = asyncio.Queue(_MOST_WAITING)
        self._customer = bytearray()
        self._ours = bytearray()
        self._frames = 0

    def take(self, customer: bytes, ours: bytes) -> None:
        """Take one frame of each direction, in the media thread."""
        self._customer += customer
        self._ours += ours
        self._frames += 1
        if self._frames * FRAME_MS >= CHUNK_MS:
            chunk = Overheard(bytes(self._customer), bytes(self._ours))
            self._customer.clear()
            self._ours.clear()
            self._frames = 0
            self._loop.call_soon_threadsafe(self._put, chunk)

    async def next(self, timeout_s: float) -> Overheard | None:
        """Return the next stretch; None if none comes in time."""
        try:
            async with asyncio.timeout(timeout_s):
                return await self._chunks.get()
        except TimeoutError:
            return None

    def _put(self, chunk: Overheard) -> None:
        if self._chunks.full():
            self._chunks.get_nowait()
        self._chunks.put_nowait(chunk)
