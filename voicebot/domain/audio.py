"""Audio as it travels through the product: 16-bit mono PCM."""

from __future__ import annotations

from dataclasses import dataclass

LINE_RATE_HZ = 8000
FRAME_MS = 20
FRAME_SAMPLES = LINE_RATE_HZ * FRAME_MS // 1000
FRAME_BYTES = FRAME_SAMPLES * 2
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
