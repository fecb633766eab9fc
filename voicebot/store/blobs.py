"""Large files by their keys, in a directory. The port's other side, S3, stands in `s3`."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from voicebot.domain.errors import StoreError


class DirectoryBlobs:
    """The BlobStore port on a directory. Keys are relative paths; none leads out of it."""

    def __init__(self, root: Path) -> None:
        """Take the directory, made when something is put."""
        self.root = root

    def put(self, key: str, data: bytes) -> None:
        """Write a blob atomically. Raises StoreError."""
        path = self.path(key)
        draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with draft.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(path)
        except OSError as error:
            with suppress(OSError):
                draft.unlink()
            raise StoreError(f"{key} can not be written: {error.strerror}", hint=_ROOM) from error

    def get(self, key: str) -> bytes:
        """Return a blob. Raises StoreError if it is missing."""
        try:
            return self.path(key).read_bytes()
        except OSError as error:
            raise StoreError(f"{key} can not be read: {error.strerror}") from error

    def keys(self, prefix: str = "") -> Iterator[str]:
        """List keys, without the drafts of what is being written."""
        for path in sorted(self.root.rglob("*")):
            key = path.relative_to(self.root).as_posix()
            if not path.name.startswith(".") and key.startswith(prefix) and path.is_file():
                yield key

    def delete(self, key: str) -> None:
        """Delete a blob; one that is gone already is no error. Raises StoreError."""
        try:
            self.path(key).unlink(missing_ok=True)
        except OSError as error:
            raise StoreError(f"{key} can not be deleted: {error.strerror}") from error

    def path(self, key: str) -> Path:
        """Return where a blob lies. Raises StoreError if the key leads out of the directory."""
        root = self.root.resolve()
        path = (root / key).resolve() if "\0" not in key else root
        if path == root or not path.is_relative_to(root):
            raise StoreError(f"{key!r} is no key of a file")
        return path


_ROOM = "make room on the disk, and let the service's user write there"
