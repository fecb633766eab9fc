"""How much of a prompt is protected, where a playbook protects only the words it begins with."""

from __future__ import annotations

from voicebot.domain.audio import FRAME_BYTES, FRAME_MS

_AROUND_MS = 1200  # the words' share of the prompt is near enough to find the pause after them
_QUIET = 0.06  # of the prompt's peak
_INTO_MS = 60  # into the pause


def protected_ms(pcm: bytes, protected_text: str, text: str) -> int:
    """Return how long a prompt may not be interrupted: up to the longest pause near where the words end.

    Args:
        pcm: the whole prompt, 16-bit 8 kHz mono.
        protected_text: what `text` begins with.
        text: what the prompt says.
    """
    frames = len(pcm) // FRAME_BYTES
    if not frames or not text.startswith(protected_text):
        return frames * FRAME_MS
    near = frames * len(protected_text) // max(1, len(text))
    around = _AROUND_MS // FRAME_MS
    peaks = [_peak(pcm, at) for at in range(frames)]
    limit = _QUIET * max(peaks)
    pauses: list[tuple[int, int]] = []  # (frames, first)
    begun = frames
    for at in range(max(0, near - around), min(frames, near + around)):
        if peaks[at] > limit:
            begun = frames
            continue
        begun = min(begun, at)
        pauses.append((at + 1 - begun, begun))
    if not pauses:
        return near * FRAME_MS
    length, first = max(pauses, key=lambda pause: (pause[0], -abs(pause[1] - near)))
    return first * FRAME_MS + min(_INTO_MS, length * FRAME_MS)


def _peak(pcm: bytes, frame: int) -> int:
    return max(memoryview(pcm)[frame * FRAME_BYTES : (frame + 1) * FRAME_BYTES].cast("h"))
