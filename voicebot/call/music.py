"""What a waiting customer hears: a quiet broken chord, computed, so that nobody else's music is needed."""

from __future__ import annotations

import math
import struct
from functools import cache

from voicebot.domain.audio import LINE_RATE_HZ

_NOTES_HZ = (261.63, 329.63, 392.00, 523.25, 392.00, 329.63)  # C E G C G E
_NOTE_S = 0.5
_LEVEL = 1400  # about -30 dBov: below speech


@cache
def music() -> bytes:
    """Return a few seconds of music that can be looped: 16-bit 8 kHz mono, whole frames."""
    count = int(_NOTE_S * LINE_RATE_HZ)
    fade = [min(1.0, n / 80) * math.exp(-3.0 * n / count) for n in range(count)]
    samples: list[int] = []
    for hz in _NOTES_HZ:
        step = 2 * math.pi * hz / LINE_RATE_HZ
        samples += [
            round(_LEVEL * fade[n] * (math.sin(step * n) + 0.3 * math.sin(2 * step * n)))
            for n in range(count)
        ]
    return struct.pack(f"<{len(samples)}h", *samples)
