"""Phone numbers at rest: AES-256-GCM to keep them, HMAC-SHA-256 to find them again."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from voicebot.domain.errors import SettingsError, StoreError

KEY_BYTES = 32
_NONCE_BYTES = 12  # NIST SP 800-38D, 8.2
_FORMAT = b"\x01"  # first byte of a sealed number; another key or cipher gets another


class NumberVault:
    """Seals and opens phone numbers with one key of 32 bytes.

    Two keys are derived from it (RFC 5869, expand), so that what finds a number can not open it.
    """

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise SettingsError(
                f"the number key has {len(key)} bytes instead of {KEY_BYTES}",
                hint="set VOICEBOT_NUMBER_KEY to the base64 of 32 random bytes, or leave it empty",
            )
        self._cipher = AESGCM(_derive(key, b"voicebot number seal"))
        self._lookup_key = _derive(key, b"voicebot number lookup")

    def seal(self, number: str) -> bytes:
        """Return a number encrypted: format byte, nonce, ciphertext with tag."""
        nonce = os.urandom(_NONCE_BYTES)
        return _FORMAT + nonce + self._cipher.encrypt(nonce, number.encode(), _FORMAT)

    def unseal(self, sealed: bytes) -> str:
        """Return the number that was sealed. Raises StoreError if the key does not fit."""
        nonce, ciphertext = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
        try:
            return self._cipher.decrypt(nonce, ciphertext, sealed[:1]).decode()
        except (InvalidTag, ValueError) as error:
            raise StoreError(
                "a phone number can not be decrypted",
                hint="VOICEBOT_NUMBER_KEY, or the key file in the data home, is not the one that sealed it",
            ) from error

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


def load_or_create_key(path: Path) -> bytes:
    """Return the key in a file, made at random (mode 0600) the first time.

    Two starters race safely: the file appears complete or not at all, and the first one wins.
    Raises SettingsError if the file is damaged or can not be made.
    """
    try:
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            _create(path)
        return parse_key(path.read_text().strip())
    except OSError as error:
        raise SettingsError(
            f"the number key {path} can not be read or made: {error.strerror}",
            hint="make its directory writable, or set VOICEBOT_NUMBER_KEY",
        ) from error


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


def _derive(key: bytes, purpose: bytes) -> bytes:
    return HKDFExpand(SHA256(), KEY_BYTES, purpose).derive(key)
