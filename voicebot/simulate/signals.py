"""The networks' tones as a line gives them (ITU-T E.180 Supplement 2: China), and a mailbox's beep."""

from __future__ import annotations

import math
import struct
from functools import cache
from typing import Literal

from voicebot.domain.audio import LINE_RATE_HZ

ToneName = Literal["ring_back", "busy", "congestion", "vacant", "beep"]

LEVEL_DBOV = -20.0
# (frequency in Hz, (on, off) in ms ...)
_TONES: dict[ToneName, tuple[float, tuple[tuple[int, int], ...]]] = {
    "ring_back": (450, ((1000, 4000),)),
    "busy": (450, ((350, 350),)),
    "congestion": (450, ((700, 700),)),
    "vacant": (450, ((100, 100), (100, 100), (100, 100), (400, 400))),
    "beep": (1000, ((400, 0),)),
}


@cache
def cycle(name: ToneName) -> bytes:
    """Return one cycle of a tone, 16-bit 8 kHz mono; say it over and over, the beep once."""
    hz, cadence = _TONES[name]
    scale = 32768 * math.sqrt(2) * 10 ** (LEVEL_DBOV / 20)
    samples: list[int] = []
    for on_ms, off_ms in cadence:
        count = on_ms * LINE_RATE_HZ // 1000
        samples += [round(scale * math.sin(2 * math.pi * hz * n / LINE_RATE_HZ)) for n in range(count)]
        samples += [0] * (off_ms * LINE_RATE_HZ // 1000)
    return struct.pack(f"<{len(samples)}h", *samples)


def lasting(name: ToneName, seconds: float) -> bytes:
    """Return a tone for at least so long."""
    once = cycle(name)
    return once * math.ceil(seconds * LINE_RATE_HZ * 2 / len(once))
