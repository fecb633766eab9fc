"""Where a prompt goes on after a false stop."""

from __future__ import annotations

from voicebot.domain.audio import FRAME_BYTES, FRAME_MS

_BACK_MS = 1600  # at most
_GAP_FRAMES = 3  # of near silence: between phrases
_QUIET = 0.06  # of the prompt's peak


def resume_ms(pcm: bytes, at_ms: int) -> int:
    """Return the beginning of the phrase that was cut at `at_ms`; `at_ms` itself if none is near.

    Args:
        pcm: the whole prompt, 16-bit 8 kHz mono.
        at_ms: how much of it was heard.
    """
    at = at_ms // FRAME_MS
    first = max(0, at - _BACK_MS // FRAME_MS)
    peaks = [_peak(pcm, frame) for frame in range(first, at)]
    limit = _QUIET * max(peaks, default=0)
    quiet = 0
    for back, peak in enumerate(reversed(peaks)):
        quiet = quiet + 1 if peak <= limit else 0
        if quiet >= _GAP_FRAMES and back >= _GAP_FRAMES:
            return (at - back - 1 + quiet) * FRAME_MS
    return first * FRAME_MS if first == 0 else at_ms


def _peak(pcm: bytes, frame: int) -> int:
    samples = memoryview(pcm)[frame * FRAME_BYTES : (frame + 1) * FRAME_BYTES]
    return max(samples.cast("h"), default=0) if len(samples) == FRAME_BYTES else 0
