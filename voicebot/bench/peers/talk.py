"""One talk with a framework: sounds go in frame by frame, in real time, and what it says is kept.

Runs inside the framework's own environment. A job is a JSON file:
{"out": DIR, "trigger": FILE, "sounds": [{"id", "file", "end_ms", "over"}]}; files are 16 kHz 16-bit mono wav.
For each sound, OUT/ID.wav holds what the framework said, from the sound's first sample on; OUT/talk.json what
it cost. `over`: the sound comes while it answers `trigger`.
"""

from __future__ import annotations

import asyncio
import json
import random
import struct
import time
import wave
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

RATE_HZ = 16_000
FRAME_MS = 20
FRAME_BYTES = RATE_HZ * FRAME_MS // 1000 * 2
SHORT_REPLY_MS, LONG_REPLY_MS = 500, 6000
OVER_MS = 1500  # into a reply
MOST_WAIT_MS = 4000  # for an answer
REST_MS = 800  # between sounds
_SILENCE = bytes(FRAME_BYTES)


class Speaker:
    """What the framework says: filled as fast as it likes, emptied 20 ms at a time."""

    def __init__(self) -> None:
        """Make it empty."""
        self._pcm = bytearray()
        self.held = False
        self.played_ms = 0  # since it was last empty
        self.on_empty: Callable[[], None] = lambda: None

    @property
    def busy(self) -> bool:
        """True while something is left to say."""
        return bool(self._pcm)

    def put(self, pcm: bytes) -> None:
        """Append 16 kHz 16-bit mono."""
        self._pcm += pcm

    def clear(self) -> None:
        """Drop what was not said yet."""
        self._pcm.clear()

    def next_frame(self) -> bytes:
        """Return the next 20 ms."""
        if self.held or not self._pcm:
            return _SILENCE
        frame = bytes(self._pcm[:FRAME_BYTES]).ljust(FRAME_BYTES, b"\0")
        del self._pcm[:FRAME_BYTES]
        self.played_ms += FRAME_MS
        if not self._pcm:
            self.on_empty()
            self.played_ms = 0
        return frame


class Peer(Protocol):
    """A framework, wired to a speaker."""

    reply: bytes  # what it answers next

    async def start(self, speaker: Speaker) -> None:
        """Get ready to hear."""

    async def hear(self, frame: bytes) -> None:
        """Take 20 ms of the customer."""

    async def stop(self) -> None:
        """End."""


class Wire:
    """Both directions of the talk, on one clock."""

    def __init__(self, peer: Peer, speaker: Speaker) -> None:
        """Join them; the clock starts with the first frame."""
        self._peer = peer
        self._speaker = speaker
        self._noise = random.Random(1)  # noqa: S311 - noise, no secret
        self._due = 0.0
        self.late_ms: list[float] = []
        self.said = bytearray()

    async def pass_on(self, frame: bytes) -> bytes:
        """Let one frame go each way and wait for the next one's time."""
        await self._peer.hear(frame)
        out = self._speaker.next_frame()
        self.said += out
        self._due = (self._due or time.perf_counter()) + FRAME_MS / 1000
        left = self._due - time.perf_counter()
        self.late_ms.append(max(0.0, -left * 1000))
        await asyncio.sleep(max(0.0, left))
        return out

    async def rest(self, ms: int, until: Callable[[], bool] = lambda: False) -> int:
        """Say nothing for a time, or until something is true. Returns the milliseconds."""
        for at in range(0, ms, FRAME_MS):
            if until():
                return at
            levels = [self._noise.randint(-8, 8) for _ in range(FRAME_BYTES // 2)]
            await self.pass_on(struct.pack(f"<{len(levels)}h", *levels))
        return ms

    async def play(self, pcm: bytes) -> None:
        """Let the customer speak."""
        for at in range(0, len(pcm), FRAME_BYTES):
            await self.pass_on(pcm[at : at + FRAME_BYTES].ljust(FRAME_BYTES, b"\0"))


async def conduct(peer: Peer, job: Mapping[str, Any]) -> None:
    """Play every sound of a job and write down what the framework said."""
    out, sounds = Path(job["out"]), job["sounds"]
    speaker = Speaker()
    peer.reply = tone(SHORT_REPLY_MS)
    await peer.start(speaker)
    wire = Wire(peer, speaker)
    await wire.rest(2000)
    cpu, began = time.process_time(), time.perf_counter()
    trigger = read(Path(job["trigger"]))
    for sound in sounds:
        await wire.rest(20_000, until=lambda: not speaker.busy)
        await wire.rest(REST_MS)
        if sound["over"]:
            await _over(peer, speaker, wire, read(Path(sound["file"])), trigger)
        else:
            peer.reply = tone(SHORT_REPLY_MS)
            await _ask(speaker, wire, read(Path(sound["file"])), int(sound["end_ms"]))
        write(out / f"{sound['id']}.wav", bytes(wire.said))
    wall = time.perf_counter() - began
    late = sorted(wire.late_ms)
    cost = {
        "cpu_s_per_s": (time.process_time() - cpu) / wall,
        "frame_late_ms_p95": late[int(len(late) * 0.95)],
    }
    write_cost(out, cost)
    await peer.stop()


async def _ask(speaker: Speaker, wire: Wire, pcm: bytes, end_ms: int) -> None:
    """Say something and wait for the answer."""
    wire.said.clear()
    await wire.play(pcm)
    end = end_ms // FRAME_MS * FRAME_BYTES
    await wire.rest(MOST_WAIT_MS, until=lambda: any(wire.said[end:]))
    await wire.rest(MOST_WAIT_MS, until=lambda: not speaker.busy)


async def _over(peer: Peer, speaker: Speaker, wire: Wire, pcm: bytes, trigger: bytes) -> None:
    """Say something while it speaks."""
    peer.reply = tone(LONG_REPLY_MS)
    await wire.play(trigger)
    await wire.rest(MOST_WAIT_MS, until=lambda: speaker.busy)
    await wire.rest(OVER_MS)
    peer.reply = tone(SHORT_REPLY_MS)
    wire.said.clear()
    await wire.play(pcm)
    await wire.rest(LONG_REPLY_MS + 1500 - len(pcm) * FRAME_MS // FRAME_BYTES)


def write_cost(out: Path, cost: Mapping[str, float]) -> None:
    """Write down what the talk cost."""
    (out / "talk.json").write_text(json.dumps(cost), "utf-8")


def tone(ms: int) -> bytes:
    """Return a reply that is easily told from silence."""
    size = RATE_HZ * ms // 1000
    return struct.pack(f"<{size}h", *(4000 if at // 40 % 2 else -4000 for at in range(size)))


def read(path: Path) -> bytes:
    """Return the samples of a wav file."""
    with wave.open(str(path)) as file:
        return bytes(file.readframes(file.getnframes()))


def write(path: Path, pcm: bytes) -> None:
    """Write a wav file."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes(pcm)


def main(make: Callable[[str], Any], arguments: list[str]) -> None:
    """Run `MODE JOB` with the peer that `make` returns for the mode."""
    mode, job = arguments
    asyncio.run(conduct(make(mode), json.loads(Path(job).read_text("utf-8"))))
