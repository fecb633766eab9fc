"""A journal's file: what the database has not got yet."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from voicebot.domain.errors import StoreError


class Spool:
    """Lines appended to one file, which one process holds.

    A written line outlives the process (kill -9); after `sync` it outlives the machine. Not
    thread-safe.
    """

    def __init__(self, path: Path) -> None:
        """Open the file, made (mode 0600) if absent. Raises StoreError if another process holds it."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        except OSError as error:
            raise StoreError(
                f"the journal {path} can not be opened: {error.strerror}", hint="make its directory writable"
            ) from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(self._file)
            raise StoreError(
                f"the journal {path} is held by another process",
                hint="stop the other line worker of this name, or give this one another",
            ) from error
        self._dirty = False

    def lines(self) -> list[bytes]:
        """Return every whole line. A torn last line, whose writer was killed in mid-write, is cut off."""
        size = os.fstat(self._file).st_size
        data = b""
        while len(data) < size:
            data += os.pread(self._file, size - len(data), len(data))
        whole = data.rfind(b"\n") + 1
        if whole < size:
            os.ftruncate(self._file, whole)
        return data[:whole].splitlines()

    def append(self, line: bytes) -> None:
        """Write one line. Raises OSError, and then nothing of it is in the file."""
        start = os.fstat(self._file).st_size
        data = line + b"\n"
        try:
            while data:
                data = data[os.write(self._file, data) :]
        except OSError:
            os.ftruncate(self._file, start)
            raise
        self._dirty = True

    def sync(self) -> None:
        """Put what was appended on the disk itself."""
        if self._dirty:
            self._dirty = False
            os.fsync(self._file)

    def clear(self) -> None:
        """Empty the file: the database has it all."""
        os.ftruncate(self._file, 0)
        self._dirty = False

    def close(self) -> None:
        """Let the file go."""
        os.close(self._file)
