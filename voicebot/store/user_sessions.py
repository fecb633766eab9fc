"""Sessions of signed-in browsers, sign-in links, failed sign-ins. Secrets are kept as hashes only."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from voicebot.domain.users import User, UserSession
from voicebot.store.calls import row_id
from voicebot.store.tables import SignInFailureRow, SignInLinkRow, UserRow, UserSessionRow
from voicebot.store.users import user_of

IDLE = timedelta(hours=8)  # a session not used so long is over
LONGEST = timedelta(days=7)
LINK_LIFE = timedelta(hours=1)
SEEN_EVERY = timedelta(minutes=1)  # how often a session's last use is written


def hashed(token: str) -> bytes:
    """Return what is kept of a secret token. It has 256 random bits, so a plain hash will do."""
    return hashlib.sha256(token.encode()).digest()


class UserSessionRepository:
    """Sessions, sign-in links and failures."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def begin(self, user: User, address: str, browser: str, now: datetime) -> str:
        """Sign a user in; return the token for the cookie."""
        token = secrets.token_urlsafe(32)
        self._session.add(
            UserSessionRow(
                token_hash=hashed(token),
                user_id=row_id(user.id),
                csrf=secrets.token_urlsafe(24),
                created_at=now,
                seen_at=now,
                expires_at=now + LONGEST,
                address=address,
                browser=browser[:200],
            )
        )
        self._session.execute(update(UserRow).where(UserRow.id == row_id(user.id)).values(signed_in_at=now))
        self._session.execute(delete(UserSessionRow).where(UserSessionRow.expires_at < now))
        return token

    def find(self, token: str, now: datetime) -> UserSession | None:
        """Return the session of a cookie's token, if it still holds and its user may sign in."""
        return self._find(hashed(token), now)

    def by_id(self, session_id: str, now: datetime) -> UserSession | None:
        """Return a session that was found before, if it still holds."""
        return self._find(bytes.fromhex(session_id), now)

    def _find(self, token_hash: bytes, now: datetime) -> UserSession | None:
        query = (
            select(UserSessionRow, UserRow)
            .join(UserRow, UserRow.id == UserSessionRow.user_id)
            .where(UserSessionRow.token_hash == token_hash)
            .where(UserSessionRow.expires_at > now, UserSessionRow.seen_at > now - IDLE, ~UserRow.disabled)
        )
        found = self._session.execute(query).first()
        if found is None:
            return None
        row, user = found
        if now - row.seen_at > SEEN_EVERY:
            row.seen_at = now
        return UserSession(user_of(user), row.token_hash.hex(), row.csrf, row.created_at, row.expires_at)

    def end(self, token: str) -> None:
        """Sign a browser out."""
        self._session.execute(delete(UserSessionRow).where(UserSessionRow.token_hash == hashed(token)))

    # -- links --

    def link(self, user: User, now: datetime) -> str:
        """Return the token of a link that signs a user in once, within the hour."""
        token = secrets.token_urlsafe(32)
        self._session.add(
            SignInLinkRow(token_hash=hashed(token), user_id=row_id(user.id), expires_at=now + LINK_LIFE)
        )
        return token

    def redeem(self, token: str, now: datetime) -> User | None:
        """Use a link up; return its user, or None if it was used, is too old or never was."""
        used = self._session.execute(
            delete(SignInLinkRow)
            .where(SignInLinkRow.token_hash == hashed(token), SignInLinkRow.expires_at > now)
            .returning(SignInLinkRow.user_id)
        ).first()
        row = self._session.get(UserRow, used.user_id) if used else None
        return user_of(row) if row is not None and not row.disabled else None

    # -- failures --

    def failed(self, keys: Sequence[str], now: datetime) -> None:
        """Count a failed sign-in against each key."""
        self._session.add_all(SignInFailureRow(key=key, at=now) for key in keys)

    def failures(self, key: str, since: datetime) -> int:
        """Return how often a key has failed."""
        query = select(func.count()).select_from(SignInFailureRow)
        return (
            self._session.scalar(query.where(SignInFailureRow.key == key, SignInFailureRow.at > since)) or 0
        )

    def forget_failures(self, key: str, before: datetime) -> None:
        """Drop what no longer counts, and all of one key."""
        self._session.execute(
            delete(SignInFailureRow).where((SignInFailureRow.key == key) | (SignInFailureRow.at < before))
        )
