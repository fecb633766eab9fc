"""Stereo recording of a call: left the customer, right the bot. 8 kHz, 16 bit, WAV."""

from __future__ import annotations

import queue
import struct
import threading
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Protocol

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


class Sealing(Protocol):
    """Takes a file's content piece by piece and writes it encrypted."""

    def add(self, data: bytes) -> None:
        """Append. Raises OSError."""

    def finish(self) -> None:
        """Nothing follows. Raises OSError."""


class _Plain:
    """A WAV whose header is brought up to date every time, so that the file is valid after a crash."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._size = -HEADER_BYTES

    def add(self, data: bytes) -> None:
        self._size += self._file.write(data)
        self._file.seek(0)
        self._file.write(wav_header(self._size))
        self._file.seek(HEADER_BYTES + self._size)
        self._file.flush()

    def finish(self) -> None:
        """All is written."""


class Recording:
    """One call's file, written by a thread of its own, once a second.

    A crash costs the last second. A full disk ends the recording, not the call.
    """

    def __init__(self, path: Path, seal: Callable[[BinaryIO], Sealing] | None = None) -> None:
        """Create the file. Raises OSError.

        Args:
            path: of the file.
            seal: what encrypts it; None = it is written as it is.
        """
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("wb")
        try:
            self._sink = seal(self._file) if seal is not None else _Plain(self._file)
            self._sink.add(wav_header(0))
        except OSError:
            self._file.close()
            raise
        self._frames: queue.SimpleQueue[tuple[bytes, bytes] | None] = queue.SimpleQueue()
        self._failed = False
        self._thread = threading.Thread(target=self._write, name="recording", daemon=True)
        self._thread.start()

    def write(self, customer: bytes, bot: bytes) -> None:
        """Take one frame of each direction. Does not block: called in the media thread."""
        if not self._failed:
            self._frames.put((customer, bot))

    def close(self) -> None:
        """Finish the file."""
        self._frames.put(None)
        self._thread.join()

    def _write(self) -> None:
        try:
            with self._file:
                while second := self._next_second():
                    self._sink.add(second)
                self._sink.finish()
        except OSError as error:
            self._failed = True  # what comes now is thrown away, so that it does not fill the memory
            log.warning("recording ended early", error=error.strerror)

    def _next_second(self) -> bytes:
        """Wait for a second of sound and return it; less at the end, and then nothing."""
        left, right = bytearray(), bytearray()
        for _ in range(_SYNC_FRAMES):
            pair = self._frames.get()
            if pair is None:
                self._frames.put(None)  # the end stays the end
                break
            left += pair[0]
            right += pair[1]
        return interleave(bytes(left), bytes(right))
