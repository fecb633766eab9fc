"""Audio as it travels through the product: 16-bit mono PCM."""

from __future__ import annotations

from array import array
from dataclasses import dataclass

LINE_RATE_HZ = 8000
FRAME_MS = 20
FRAME_SAMPLES = LINE_RATE_HZ * FRAME_MS // 1000
FRAME_BYTES = FRAME_SAMPLES * 2
FADE_BYTES = 5 * LINE_RATE_HZ // 1000 * 2  # 5 ms: a cut in mid-wave clicks
SILENT_FRAME = bytes(FRAME_BYTES)


@dataclass(frozen=True, slots=True)
class Audio:
    """A stretch of 16-bit little-endian mono PCM."""

    pcm: bytes
    rate_hz: int = LINE_RATE_HZ

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return len(self.pcm) / 2 / self.rate_hz


def fade_in(pcm: bytes) -> bytes:
    """Return 16-bit PCM that rises from silence within its first 5 ms."""
    head = array("h", pcm[:FADE_BYTES])
    for at in range(len(head)):
        head[at] = head[at] * at // len(head)
    return head.tobytes() + pcm[FADE_BYTES:]


def fade_out(pcm: bytes) -> bytes:
    """Return 16-bit PCM that falls to silence over its whole length."""
    samples = array("h", pcm)
    for at in range(len(samples)):
        samples[at] = samples[at] * (len(samples) - at - 1) // len(samples)
    return samples.tobytes()
