"""Stereo recording of a call: left the customer, right the bot. 8 kHz, 16 bit, WAV."""

from __future__ import annotations

import queue
import struct
import threading
from pathlib import Path

import structlog

from voicebot.domain.audio import LINE_RATE_HZ

log = structlog.get_logger()

HEADER_BYTES = 44
_SYNC_FRAMES = 50  # one second: what a crash may cost


def wav_header(data_bytes: int) -> bytes:
    """Return the RIFF header of 16-bit stereo PCM at 8 kHz (Multimedia Programming Interface 1.0)."""
    block = 4
    return struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        b"RIFF", HEADER_BYTES - 8 + data_bytes, b"WAVE",
        b"fmt ", 16, 1, 2, LINE_RATE_HZ, LINE_RATE_HZ * block, block, 16,
        b"data", data_bytes,
    )  # fmt: skip  # one chunk of the format a line


def interleave(left: bytes, right: bytes) -> bytes:
    """Return two mono stretches of equal length as stereo."""
    stereo = bytearray(len(left) * 2)
    stereo[0::4], stereo[1::4] = left[0::2], left[1::2]
    stereo[2::4], stereo[3::4] = right[0::2], right[1::2]
    return bytes(stereo)


class Recording:
    """One call's file, written by a thread of its own.

    The header is brought up to date every second, so the file is valid after a crash. A full disk
    ends the recording, not the call.
    """

    def __init__(self, path: Path) -> None:
        """Create the file. Raises OSError."""
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("wb")
        self._file.write(wav_header(0))
        self._file.flush()
        self._frames: queue.SimpleQueue[tuple[bytes, bytes] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._write, name="recording", daemon=True)
        self._thread.start()

    def write(self, customer: bytes, bot: bytes) -> None:
        """Take one frame of each direction. Does not block: called in the media thread."""
        self._frames.put((customer, bot))

    def close(self) -> None:
        """Finish the file."""
        self._frames.put(None)
        self._thread.join()

    def _write(self) -> None:
        size, unsynced = 0, 0
        try:
            with self._file:
                while (pair := self._frames.get()) is not None:
                    size += self._file.write(interleave(*pair))
                    unsynced += 1
                    if unsynced >= _SYNC_FRAMES:
                        unsynced = 0
                        self._sync(size)
                self._sync(size)
        except OSError as error:
            log.warning("recording ended early", error=error.strerror, bytes=size)

    def _sync(self, size: int) -> None:
        self._file.seek(0)
        self._file.write(wav_header(size))
        self._file.seek(HEADER_BYTES + size)
        self._file.flush()
