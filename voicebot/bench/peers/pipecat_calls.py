"""Many calls at once with Pipecat, as its users build them: Silero, Smart Turn, a recogniser, cached replies.

Runs inside Pipecat's own environment: `pipecat_calls.py JOB`. The job is a JSON file: {"calls", "speech": DIR
of 8 kHz *.pcm, "asr": SOCKET of `voicebot.bench.load_asr`, "events": FILE, "seed", "reply_ms"}. Sound stays
in memory: no SIP and no RTP has to be paid for. What the customers notice goes to the file, as JSON lines of
the same form as our talkers'.
"""

from __future__ import annotations

import asyncio
import json
import random
import struct
import sys
import time
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any, TextIO

from loguru import logger
from pipecat.frames.frames import TranscriptionFrame

from voicebot.bench.peers.pipecat_talk import PipecatPeer
from voicebot.bench.peers.talk import FRAME_BYTES, FRAME_MS, Speaker, tone

REPLY_AFTER_MS, AT_LATEST_MS, SPREAD = 700, 6400, 0.2  # as voicebot.simulate.talker
LATE_MS = 40.0
_LENGTH = struct.Struct("!I")
_SILENCE = bytes(FRAME_BYTES)


class Customer:
    """Talks with one pipeline, on one clock."""

    def __init__(self, number: int, job: dict[str, Any], speech: list[bytes], events: TextIO) -> None:
        """Take what to say and where to write."""
        self._dice = random.Random(job["seed"] * 1000 + number)  # noqa: S311  # which line comes next
        self._speech = speech
        self._events = events
        self._speaker = Speaker()
        self._peer = PipecatPeer("default", recogniser=lambda: Shared(job["asr"]))
        self._peer.reply = tone(job["reply_ms"])
        self._started = number * job["round_s"] / job["calls"]
        self._reply_after_ms = REPLY_AFTER_MS * self._spread()
        self.frames = self.late = 0

    async def talk(self) -> None:
        """Talk for ever."""
        await asyncio.sleep(self._started)
        await self._peer.start(self._speaker)
        due = last = time.perf_counter()
        saying, at, quiet_ms, since_ms, silent_at = b"", 0, 0, AT_LATEST_MS, 0.0
        at_latest_ms = 0.0
        while True:
            frame = saying[at : at + FRAME_BYTES].ljust(FRAME_BYTES, b"\0") if at < len(saying) else _SILENCE
            at += FRAME_BYTES
            await self._peer.hear(frame)
            now = time.perf_counter()
            heard = any(self._speaker.next_frame())
            if heard:
                self.frames += 1
                self.late += (now - last) * 1000 > LATE_MS
            last = now
            speaking = at <= len(saying)
            if speaking:
                silent_at, quiet_ms, since_ms = now, 0, 0
            else:
                since_ms += FRAME_MS
                quiet_ms = 0 if heard else quiet_ms + FRAME_MS
                if heard and silent_at:
                    self._write("answer", delay_ms=round((now - silent_at) * 1000))
                    silent_at = 0.0
                if since_ms >= at_latest_ms or (not silent_at and quiet_ms >= self._reply_after_ms):
                    if silent_at:
                        self._write("no_answer")
                    saying, at = self._dice.choice(self._speech), 0
                    at_latest_ms = AT_LATEST_MS * self._spread()
                    self._write("said", duration_s=round(len(saying) / 32000, 3))
            due += FRAME_MS / 1000
            await asyncio.sleep(max(0.0, due - time.perf_counter()))

    def _spread(self) -> float:
        return self._dice.uniform(1 - SPREAD, 1 + SPREAD)

    def _write(self, event: str, **facts: Any) -> None:
        self._events.write(json.dumps({"event": event, "at": time.time(), **facts}) + "\n")
        self._events.flush()


class Shared:
    """Asks the recogniser that every framework shares."""

    def __init__(self, path: str) -> None:
        """Take its socket; connects at the first utterance."""
        self._path = path
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._asking = asyncio.Lock()

    async def __call__(self, audio: bytes) -> AsyncGenerator[Any, None]:
        """Yield the words of a WAV file of 16 kHz, as Pipecat hands it over."""
        pcm = audio[44:] if audio[:4] == b"RIFF" else audio
        half = b"".join(pcm[i : i + 2] for i in range(0, len(pcm) - 1, 4))  # every second sample: 8 kHz again
        async with self._asking:
            if self._streams is None:
                self._streams = await asyncio.open_unix_connection(self._path)
            reader, writer = self._streams
            writer.write(_LENGTH.pack(len(half)) + half)
            await writer.drain()
            (size,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
            text = (await reader.readexactly(size)).decode()
        if text:
            yield TranscriptionFrame(text, "customer", str(time.time()), finalized=True)


def doubled(pcm: bytes) -> bytes:
    """Return 8 kHz as 16 kHz: every sample and the mean of it and the next."""
    size = len(pcm) // 2
    samples = struct.unpack(f"<{size}h", pcm[: size * 2])
    out = []
    for one, two in zip(samples, (*samples[1:], 0), strict=True):
        out += [one, (one + two) // 2]
    return struct.pack(f"<{len(out)}h", *out)


def conduct(job: dict[str, Any]) -> None:
    """Keep so many calls up until killed."""
    speech = [doubled(path.read_bytes()) for path in sorted(Path(job["speech"]).glob("*.pcm"))]
    with Path(job["events"]).open("w", encoding="utf-8") as events:
        asyncio.run(talk(job, speech, events))


async def talk(job: dict[str, Any], speech: list[bytes], events: TextIO) -> None:
    """Let all customers talk; tell once a second how punctual the replies were."""
    customers = [Customer(number, job, speech, events) for number in range(job["calls"])]
    talks = [asyncio.create_task(customer.talk()) for customer in customers]
    while not any(talk.done() for talk in talks):
        await asyncio.sleep(1)
        frames, late = sum(one.frames for one in customers), sum(one.late for one in customers)
        events.write(
            json.dumps({"event": "frames", "at": time.time(), "packets": frames, "late": late}) + "\n"
        )
        events.flush()
    await asyncio.gather(*talks)


if __name__ == "__main__":
    logger.remove()
    logger.add(sys.stderr, level="ERROR")
    conduct(json.loads(Path(sys.argv[1]).read_text("utf-8")))
