"""Passwords: argon2id, and what is asked of a new one."""

from __future__ import annotations

import secrets

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from voicebot.domain.errors import DataError

SHORTEST = 10  # characters; length is what counts (NIST SP 800-63B, 5.1.1)
LONGEST = 200

_hasher = PasswordHasher()  # RFC 9106, second recommended option
_NOBODY = _hasher.hash(secrets.token_urlsafe(16))


def hash_password(password: str) -> str:
    """Return what is kept of a password. Raises DataError if it is too short or too plain."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise DataError(
            "a password has {shortest} to {longest} characters",
            hint="a few words in a row are fine",
            shortest=SHORTEST,
            longest=LONGEST,
        )
    if len(set(password)) < 5:  # a password of few different characters is guessed first
        raise DataError("the password repeats itself", hint="use more different characters")
    return _hasher.hash(password)


def fits(password: str, hashed: str) -> bool:
    """Return whether a password is the one. Takes as long for a user who is not there ("" hash)."""
    try:
        return _hasher.verify(hashed or _NOBODY, password[:LONGEST]) and bool(hashed)
    except (VerificationError, InvalidHashError):
        return False


def random_password() -> str:
    """Return a password for somebody who will change it."""
    return "-".join(secrets.token_hex(2) for _ in range(4))
