"""Recordings at rest: AES-256-GCM, sealed second by second as they are written.

A file is a head and then chunks. The head holds a key of the file's own, wrapped by the installation's key:
to rotate that one, heads are written anew and not the sound. A chunk is its length and its ciphertext; its
nonce is its number, and the last one says that it is the last, so nothing can be cut off or exchanged
unnoticed. A file whose writer was killed opens up to its last whole chunk.
"""

from __future__ import annotations

import hashlib
import os
import struct
from contextlib import suppress
from dataclasses import dataclass
from typing import BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from voicebot.domain.errors import StoreError
from voicebot.store.crypto import KEY_BYTES, KeyRing, derive

MAGIC = b"VBS1"
_NAME_BYTES, _NONCE_BYTES, _TAG_BYTES = 8, 12, 16
HEAD_BYTES = len(MAGIC) + _NAME_BYTES + _NONCE_BYTES + KEY_BYTES + _TAG_BYTES
_LENGTH = struct.Struct("!I")
_MORE, _LAST = b"more", b"last"


@dataclass(frozen=True, slots=True)
class Unsealed:
    """What a file held."""

    data: bytes
    complete: bool  # False: its writer did not come to the end


class SealedFile:
    """Seals what is written to one file. Not thread-safe."""

    def __init__(self, file: BinaryIO, head: bytes, key: bytes) -> None:
        """Write the head. Raises OSError."""
        self._file = file
        self._cipher = AESGCM(key)
        self._chunks = 0
        file.write(head)
        file.flush()

    def add(self, data: bytes) -> None:
        """Append a chunk; it is with the system when this returns. Raises OSError."""
        self._append(data, _MORE)

    def finish(self) -> None:
        """Say that nothing follows. Raises OSError."""
        self._append(b"", _LAST)

    def _append(self, data: bytes, place: bytes) -> None:
        sealed = self._cipher.encrypt(_nonce(self._chunks), data, place)
        self._chunks += 1
        self._file.write(_LENGTH.pack(len(sealed)) + sealed)
        self._file.flush()


class RecordingSeal:
    """Seals and opens recordings with the keys of an installation."""

    def __init__(self, ring: KeyRing) -> None:
        """Take the keys: the first seals, all open."""
        keys = [derive(key, b"voicebot recording seal") for key in ring.openers]
        self._wrappers = {_name(key): AESGCM(key) for key in keys}
        self._newest = _name(keys[0])

    def begin(self, file: BinaryIO) -> SealedFile:
        """Return what seals into an open, empty file. Raises OSError."""
        key = os.urandom(KEY_BYTES)
        return SealedFile(file, self._head(key), key)

    def open(self, sealed: bytes) -> Unsealed:
        """Return what a file holds. Raises StoreError if no key fits, or it was changed."""
        cipher, at, number = AESGCM(self._key_of(sealed)), HEAD_BYTES, 0
        parts: list[bytes] = []
        while len(sealed) - at >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(sealed, at)
            chunk = sealed[at + _LENGTH.size : at + _LENGTH.size + length]
            if len(chunk) < length:
                break  # torn: its writer was killed
            at += _LENGTH.size + length
            data = _open(cipher, number, chunk, _MORE)
            if data is None:
                if _open(cipher, number, chunk, _LAST) is None or at != len(sealed):
                    raise StoreError("a recording was changed after it was written")
                return Unsealed(b"".join(parts), complete=True)
            parts.append(data)
            number += 1
        return Unsealed(b"".join(parts), complete=False)

    def rewrapped(self, sealed: bytes) -> bytes | None:
        """Return it with its key under the newest key; None if it is. Raises StoreError if none fits."""
        if sealed[len(MAGIC) :][:_NAME_BYTES] == self._newest:
            return None
        return self._head(self._key_of(sealed)) + sealed[HEAD_BYTES:]

    def _head(self, key: bytes) -> bytes:
        nonce = os.urandom(_NONCE_BYTES)
        known = MAGIC + self._newest
        return known + nonce + self._wrappers[self._newest].encrypt(nonce, key, known)

    def _key_of(self, sealed: bytes) -> bytes:
        known = sealed[: len(MAGIC) + _NAME_BYTES]
        nonce, wrapped = sealed[len(known) :][:_NONCE_BYTES], sealed[len(known) + _NONCE_BYTES : HEAD_BYTES]
        wrapper = self._wrappers.get(known[len(MAGIC) :])
        if wrapper is not None:
            with suppress(InvalidTag, ValueError):
                return wrapper.decrypt(nonce, wrapped, known)
        raise StoreError(
            "a recording can not be decrypted",
            hint="VOICEBOT_NUMBER_KEY, or the key file in the data home, is not the one that sealed it",
        )


def is_sealed(data: bytes) -> bool:
    """Return whether a file is sealed, and no plain WAV."""
    return data.startswith(MAGIC)


def _open(cipher: AESGCM, number: int, chunk: bytes, place: bytes) -> bytes | None:
    try:
        return cipher.decrypt(_nonce(number), chunk, place)
    except (InvalidTag, ValueError):
        return None


def _nonce(number: int) -> bytes:
    """Return a chunk's nonce: its number, which the file's own key sees once (NIST SP 800-38D, 8.2.1)."""
    return number.to_bytes(_NONCE_BYTES, "big")


def _name(key: bytes) -> bytes:
    """Return what tells keys apart in a head, and tells nothing of the key."""
    return hashlib.sha256(b"name of " + key).digest()[:_NAME_BYTES]
