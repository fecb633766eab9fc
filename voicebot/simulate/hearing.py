"""How a simulated customer hears: is the other side speaking, how long did it speak, is it my turn?"""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from math import log10

from voicebot.domain.audio import FRAME_MS

SPEECH_DBOV = -45.0  # prompts lie at -26, comfort noise far below
MIN_SPEECH_MS = 120  # shorter is a click


@dataclass(frozen=True, slots=True)
class Heard:
    """The other side has spoken and fallen silent."""

    speech_s: float  # from its first to its last speech frame


class Hearing:
    """Energy VAD over 20 ms frames. Time is counted in frames, so tests run at any speed."""

    def __init__(self, reply_after_s: float) -> None:
        """Make an ear that takes `reply_after_s` of silence for the end of the other side's turn."""
        self._reply_after_ms = reply_after_s * 1000
        self._started_ms: int | None = None
        self._voiced_ms = 0
        self._last_ms = 0
        self._now_ms = 0
        self.quiet_ms = 0  # since the other side's last speech frame

    def frame(self, pcm: bytes) -> Heard | None:
        """Take the next frame; tell when the other side's turn has ended."""
        self._now_ms += FRAME_MS
        if level_dbov(pcm) > SPEECH_DBOV:
            self.quiet_ms = 0
            self._voiced_ms += FRAME_MS
            self._last_ms = self._now_ms
            if self._started_ms is None:
                self._started_ms = self._now_ms - FRAME_MS
            return None
        self.quiet_ms += FRAME_MS
        if self._started_ms is None or self.quiet_ms < self._reply_after_ms:
            return None
        heard = Heard((self._last_ms - self._started_ms) / 1000)
        enough = self._voiced_ms >= MIN_SPEECH_MS
        self._started_ms, self._voiced_ms = None, 0
        return heard if enough else None


def level_dbov(pcm: bytes) -> float:
    """Return a frame's level in dB below full scale; -100 for silence."""
    samples = array("h", pcm)
    if not samples:
        return -100.0
    power = sum(sample * sample for sample in samples) / len(samples) / 32768**2
    return 10 * log10(power) if power > 1e-10 else -100.0
