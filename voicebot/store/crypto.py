"""Phone numbers at rest: AES-256-GCM to keep them, HMAC-SHA-256 to find them again."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import re
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from voicebot.domain.errors import SettingsError, StoreError

KEY_BYTES = 32
_NONCE_BYTES = 12  # NIST SP 800-38D, 8.2
_LOOKUP, _COMING = "lookup:", "coming:"
_FORMAT = b"\x01"  # first byte of a sealed number; another key or cipher gets another


@dataclass(frozen=True, slots=True)
class KeyRing:
    """The keys of an installation: the first seals, all open. What finds numbers never changes.

    Numbers that are only kept as their HMAC (do-not-call lists) can not be looked up by another key, so the
    key that finds them outlives the one it was derived from.
    """

    keys: tuple[bytes, ...] = field(repr=False)
    lookup: bytes = field(default=b"", repr=False)  # b"" = derived from the last key
    coming: bytes = field(default=b"", repr=False)  # opens only, until it is promoted; b"" = none

    def __post_init__(self) -> None:
        for key in (*self.keys, *(key for key in (self.lookup, self.coming) if key)):
            if len(key) != KEY_BYTES:
                raise SettingsError(
                    f"the number key has {len(key)} bytes instead of {KEY_BYTES}",
                    hint="set VOICEBOT_NUMBER_KEY to the base64 of 32 random bytes, or leave it empty",
                )
        if not self.keys:
            raise SettingsError("there is no number key", hint="make one with: openssl rand -base64 32")

    @property
    def finder(self) -> bytes:
        """The key that numbers are found by."""
        return self.lookup or derive(self.keys[-1], b"voicebot number lookup")

    @property
    def openers(self) -> tuple[bytes, ...]:
        """The keys that open, the one that seals first."""
        return (*self.keys, self.coming) if self.coming else self.keys

    def with_new(self) -> KeyRing:
        """Return it with one more key at random, which only opens."""
        return KeyRing(self.keys, self.finder, os.urandom(KEY_BYTES))

    def promoted(self) -> KeyRing:
        """Return it with the coming key, if there is one, as the first."""
        return KeyRing((self.coming, *self.keys), self.finder) if self.coming else self

    def newest_only(self) -> KeyRing:
        """Return it without the keys that seal no more."""
        return KeyRing(self.keys[:1], self.finder, self.coming)

    def text(self, separator: str = "\n") -> str:
        """Return it as it stands in the key file, or in VOICEBOT_NUMBER_KEY with commas."""
        named = [("", key) for key in self.keys] + [(_LOOKUP, self.lookup), (_COMING, self.coming)]
        return separator.join(name + base64.b64encode(key).decode() for name, key in named if key)


class NumberVault:
    """Seals and opens phone numbers and secrets with keys of 32 bytes.

    Two keys are derived from each (RFC 5869, expand), so that what finds a number can not open it.
    """

    def __init__(self, key: bytes | KeyRing) -> None:
        self.ring = key if isinstance(key, KeyRing) else KeyRing((key,))
        self._ciphers = [AESGCM(derive(one, b"voicebot number seal")) for one in self.ring.openers]
        self._lookup_key = self.ring.finder

    @property
    def push_seed(self) -> bytes:
        """The secret of the key that signs notices to browsers: one that no new number key changes."""
        return derive(self._lookup_key, b"voicebot web push")

    def seal(self, number: str) -> bytes:
        """Return a number encrypted: format byte, nonce, ciphertext with tag."""
        nonce = os.urandom(_NONCE_BYTES)
        return _FORMAT + nonce + self._ciphers[0].encrypt(nonce, number.encode(), _FORMAT)

    def unseal(self, sealed: bytes) -> str:
        """Return the number that was sealed. Raises StoreError if no key fits."""
        for place in range(len(self._ciphers)):
            text = self._open(place, sealed)
            if text is not None:
                return text
        raise StoreError(
            "a phone number can not be decrypted",
            hint="VOICEBOT_NUMBER_KEY, or the key file in the data home, is not the one that sealed it",
        )

    def resealed(self, sealed: bytes) -> bytes | None:
        """Return it sealed by the first key; None if it is already. Raises StoreError if no key fits."""
        return None if self._open(0, sealed) is not None else self.seal(self.unseal(sealed))

    def _open(self, place: int, sealed: bytes) -> str | None:
        nonce, ciphertext = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
        try:
            return self._ciphers[place].decrypt(nonce, ciphertext, sealed[:1]).decode()
        except (InvalidTag, ValueError):
            return None

    def lookup(self, number: str) -> bytes:
        """Return the 32 bytes by which a number is found: the same for the same number and key."""
        return hmac.digest(self._lookup_key, number.encode(), hashlib.sha256)


def parse_key(text: str) -> bytes:
    """Return the key that base64 text describes. Raises SettingsError."""
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise SettingsError(
            "the number key is not base64",
            hint="make one with: openssl rand -base64 32",
        ) from error


def parse_ring(text: str) -> KeyRing:
    """Return the keys in a text: base64, parted by commas or white space. Raises SettingsError."""
    keys, lookup, coming = [], b"", b""
    for part in re.split(r"[\s,]+", text.strip()):
        if part.startswith(_LOOKUP):
            lookup = parse_key(part.removeprefix(_LOOKUP))
        elif part.startswith(_COMING):
            coming = parse_key(part.removeprefix(_COMING))
        else:
            keys.append(parse_key(part))
    return KeyRing(tuple(keys), lookup, coming)


def load_or_create_key(path: Path) -> KeyRing:
    """Return the keys in a file; one is made at random (mode 0600) the first time.

    Two starters race safely: the file appears complete or not at all, and the first one wins.
    Raises SettingsError if the file is damaged or can not be made.
    """
    try:
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            _create(path)
        return parse_ring(path.read_text())
    except OSError as error:
        raise SettingsError(
            f"the number key {path} can not be read or made: {error.strerror}",
            hint="make its directory writable, or set VOICEBOT_NUMBER_KEY",
        ) from error


def write_ring(path: Path, ring: KeyRing) -> None:
    """Put keys in the place of those in a file, at once and for good. Raises SettingsError."""
    draft = path.with_name(f"{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(ring.text() + "\n")
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        raise SettingsError(f"the number key {path} can not be written: {error.strerror}") from error


def _create(path: Path) -> None:
    draft = path.with_name(f"{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(base64.b64encode(os.urandom(KEY_BYTES)) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        path.hardlink_to(draft)
    except FileExistsError:
        pass  # another starter was first: its key counts
    finally:
        draft.unlink()


def derive(key: bytes, purpose: bytes) -> bytes:
    """Return the 32 bytes that stand for one purpose of a key (RFC 5869, expand)."""
    return HKDFExpand(SHA256(), KEY_BYTES, purpose).derive(key)
