"""Playout: audio waiting to be sent, taken 20 ms at a time by the bridge's clock."""

from __future__ import annotations

import random
import struct
import threading
from functools import cache

from voicebot.domain.audio import FADE_BYTES, FRAME_BYTES, FRAME_MS, LINE_RATE_HZ, SILENT_FRAME, fade_out

COMFORT_DBOV = -66.0  # heard as an open line, far below speech at -26


@cache
def comfort_noise(seconds: int = 2) -> bytes:
    """Return noise for the time between prompts, so that the line is not dead (ITU-T G.711 App. II)."""
    dice = random.Random(711)  # noqa: S311 - noise, no secret
    scale = 32768 * 10 ** (COMFORT_DBOV / 20)
    samples = [round(dice.gauss(0, scale)) for _ in range(seconds * LINE_RATE_HZ)]
    return struct.pack(f"<{len(samples)}h", *samples)


class Playout:
    """What one leg says next. Filled from any thread, emptied by the media thread; never bursts."""

    def __init__(self) -> None:
        """Make an empty playout."""
        self.noise = b""  # whole frames, said over and over when nothing is left; none = digital silence
        self._noise_at = 0
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
        """Drop what was not sent yet, but for a fade within the next frame. Returns its milliseconds."""
        with self._lock:
            left = len(self._pcm) - self._at
            self._pcm, self._at = fade_out(self._pcm[self._at : self._at + FADE_BYTES]), 0
            if not self._pcm:
                self._drained.set()
        return left * FRAME_MS // FRAME_BYTES

    def next_frame(self) -> bytes:
        """Return the next 320 bytes; noise or silence when nothing is left."""
        with self._lock:
            frame = self._pcm[self._at : self._at + FRAME_BYTES]
            if not frame:
                return self._idle()
            self._at += FRAME_BYTES
            if self._at >= len(self._pcm):
                self._pcm, self._at = b"", 0
                self._drained.set()
        return frame if len(frame) == FRAME_BYTES else frame.ljust(FRAME_BYTES, b"\0")

    def _idle(self) -> bytes:
        frame = self.noise[self._noise_at : self._noise_at + FRAME_BYTES]
        self._noise_at = (self._noise_at + FRAME_BYTES) % max(1, len(self.noise))
        return frame or SILENT_FRAME

    @property
    def playing(self) -> bool:
        """True while audio is left."""
        return not self._drained.is_set()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Block until all is sent. Returns False on time-out. Not for asyncio."""
        return self._drained.wait(timeout_s)
