"""Playout: audio waiting to be sent, taken 20 ms at a time by the bridge's clock."""

from __future__ import annotations

import threading

from voicebot.domain.audio import FRAME_BYTES, FRAME_MS, SILENT_FRAME


class Playout:
    """What one leg says next. Filled from any thread, emptied by the media thread; never bursts."""

    def __init__(self) -> None:
        """Make an empty playout."""
        self._lock = threading.Lock()
        self._pcm = b""
        self._at = 0  # bytes of _pcm already taken
        self._drained = threading.Event()
        self._drained.set()

    def play(self, pcm: bytes) -> None:
        """Append 16-bit 8 kHz mono PCM; it starts on the next frame if nothing is playing."""
        with self._lock:
            self._pcm = self._pcm[self._at :] + pcm
            self._at = 0
            if self._pcm:
                self._drained.clear()

    def flush(self) -> int:
        """Drop what was not sent yet, at once. Returns its milliseconds."""
        with self._lock:
            left = len(self._pcm) - self._at
            self._pcm, self._at = b"", 0
            self._drained.set()
        return left * FRAME_MS // FRAME_BYTES

    def next_frame(self) -> bytes:
        """Return the next 320 bytes; silence when nothing is left."""
        with self._lock:
            frame = self._pcm[self._at : self._at + FRAME_BYTES]
            if not frame:
                return SILENT_FRAME
            self._at += FRAME_BYTES
            if self._at >= len(self._pcm):
                self._pcm, self._at = b"", 0
                self._drained.set()
        return frame if len(frame) == FRAME_BYTES else frame.ljust(FRAME_BYTES, b"\0")

    @property
    def playing(self) -> bool:
        """True while audio is left."""
        return not self._drained.is_set()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Block until all is sent. Returns False on time-out. Not for asyncio."""
        return self._drained.wait(timeout_s)
