"""Recordings of calls by their keys: here while a call goes on, then wherever files are kept."""

from __future__ import annotations

import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import structlog

from voicebot.domain.errors import StoreError
from voicebot.domain.ports import BlobStore
from voicebot.store.blobs import DirectoryBlobs
from voicebot.store.sealing import RecordingSeal, SealedFile, is_sealed

log = structlog.get_logger()

PREFIX = "recordings/"  # in a shared store
FINISHED_S = 30.0  # a running recording is written every second
_RIFF_SIZE, _DATA_SIZE, _HEADER_BYTES = 4, 40, 44


class Recordings:
    """Finds, opens, ships and forgets recordings."""

    def __init__(
        self, local: Path, shared: BlobStore | None, seal: RecordingSeal, sealing: bool = True
    ) -> None:
        """Take where they are written, where they are kept (None = where they are written), and the keys.

        Args:
            local: folder on this machine.
            shared: store that all machines share.
            seal: opens them.
            sealing: whether new ones are sealed.
        """
        self._local = DirectoryBlobs(local)
        self._shared = shared
        self._seal = seal
        self.sealer: Callable[[BinaryIO], SealedFile] | None = seal.begin if sealing else None

    def wav(self, key: str) -> bytes:
        """Return a recording as a WAV file. Raises StoreError if it is missing or can not be opened."""
        data = self._get(key)
        if not is_sealed(data):
            return data
        opened = self._seal.open(data)
        if not opened.complete:
            log.info("recording has no end: its writer was killed, or still writes")
        return _sized(opened.data)

    def has(self, key: str) -> bool:
        """Whether there is such a recording."""
        try:
            self._get(key)
        except StoreError:
            return False
        return True

    def delete(self, key: str) -> None:
        """Delete a recording wherever it is; one that is gone already is no error. Raises StoreError."""
        self._local.delete(key)
        if self._shared is not None:
            self._shared.delete(PREFIX + key)

    def ship(self, now_s: float | None = None) -> Iterator[str]:
        """Move finished recordings to the shared store one by one; yield their keys. Raises StoreError."""
        if self._shared is None:
            return
        now_s = time.time() if now_s is None else now_s
        for key in list(self._local.keys()):
            try:
                age_s = now_s - self._local.path(key).stat().st_mtime
            except OSError:
                continue  # deleted meanwhile
            if age_s >= FINISHED_S:
                self._shared.put(PREFIX + key, self._local.get(key))
                self._local.delete(key)
                yield key

    def rewrap(self) -> Iterator[tuple[str, bool]]:
        """Bring every sealed recording under the newest key; yield key and whether it was changed.

        Raises StoreError.
        """
        places: list[tuple[BlobStore, str]] = [(self._local, "")]
        if self._shared is not None:
            places.append((self._shared, PREFIX))
        for store, prefix in places:
            for key in list(store.keys(prefix)):
                data = store.get(key)
                new = self._seal.rewrapped(data) if is_sealed(data) else None
                if new is not None:
                    store.put(key, new)
                yield key, new is not None

    def _get(self, key: str) -> bytes:
        try:
            return self._local.get(key)
        except StoreError:
            if self._shared is None or not key:
                raise
            self._local.path(key)  # a key that leads out is none in a bucket either
            return self._shared.get(PREFIX + key)


def _sized(wav: bytes) -> bytes:
    """Return a WAV whose header says how long it is: it was written before that was known."""
    if len(wav) < _HEADER_BYTES:
        return wav
    fixed = bytearray(wav)
    struct.pack_into("<I", fixed, _RIFF_SIZE, len(wav) - 8)
    struct.pack_into("<I", fixed, _DATA_SIZE, len(wav) - _HEADER_BYTES)
    return bytes(fixed)
