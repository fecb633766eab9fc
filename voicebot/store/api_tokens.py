"""Tokens for programs, and the answers they got to requests that they may repeat."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from voicebot.domain.errors import DataError
from voicebot.domain.ids import uuid7
from voicebot.domain.users import Right
from voicebot.store.calls import row_id
from voicebot.store.tables import ApiAnswerRow, ApiTokenRow
from voicebot.store.user_sessions import hashed

PREFIX = "vb_"  # tells a leaked token from other text
ANSWERS_KEPT = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class ApiToken:
    """A token as it may be shown: never itself."""

    id: str
    name: str
    scopes: frozenset[Right]
    created_by: str
    created_at: datetime
    expires_at: datetime | None
    used_at: datetime | None
    revoked: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered to a request before."""

    same_request: bool
    status: int | None  # None: it is still being worked on
    body: str


class ApiTokenRepository:
    """Tokens."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def all(self) -> tuple[ApiToken, ...]:
        """Return all tokens, newest first."""
        query = select(ApiTokenRow).order_by(ApiTokenRow.created_at.desc())
        return tuple(_token(row) for row in self._session.scalars(query))

    def make(self, name: str, scopes: Sequence[Right], by: str, expires_at: datetime | None) -> str:
        """Make a token and return it: the only time that it is seen. Raises DataError."""
        name = name.strip()
        if not name or not scopes:
            raise DataError("a token needs a name and at least one right")
        if self._session.scalar(select(ApiTokenRow.id).where(ApiTokenRow.name == name)):
            raise DataError("there is a token {name!r} already", hint="choose another name", name=name)
        token = PREFIX + secrets.token_urlsafe(32)
        self._session.add(
            ApiTokenRow(
                id=uuid7(),
                name=name,
                token_hash=hashed(token),
                scopes=sorted(scope.value for scope in scopes),
                created_by=by,
                expires_at=expires_at,
            )
        )
        self._session.flush()
        return token

    def revoke(self, token_id: str, now: datetime) -> None:
        """Let a token in no more."""
        self._session.execute(
            update(ApiTokenRow).where(ApiTokenRow.id == row_id(token_id)).values(revoked_at=now)
        )

    def find(self, token: str, now: datetime) -> ApiToken | None:
        """Return what a token stands for, if it holds."""
        row = self._session.scalar(select(ApiTokenRow).where(ApiTokenRow.token_hash == hashed(token)))
        if row is None or row.revoked_at or (row.expires_at and row.expires_at <= now):
            return None
        if row.used_at is None or now - row.used_at > timedelta(minutes=1):
            row.used_at = now
        return _token(row)


class AnswerRepository:
    """Answers to requests with an Idempotency-Key."""

    def __init__(self, session: Session, token_id: str) -> None:
        self._session = session
        self._token = row_id(token_id)

    def claim(self, key: str, request: bytes, now: datetime) -> Answer | None:
        """Begin a request; return the answer of an earlier one with the same key."""
        self._session.execute(delete(ApiAnswerRow).where(ApiAnswerRow.at < now - ANSWERS_KEPT))
        digest = hashlib.sha256(request).digest()
        added = self._session.execute(
            insert(ApiAnswerRow)
            .values(token_id=self._token, key=key, request_hash=digest, at=now)
            .on_conflict_do_nothing()
            .returning(ApiAnswerRow.key)
        ).first()
        if added:
            return None
        row = self._session.get_one(ApiAnswerRow, (self._token, key))
        return Answer(row.request_hash == digest, row.status, row.body or "")

    def finish(self, key: str, status: int, body: str) -> None:
        """Keep the answer."""
        self._session.execute(
            update(ApiAnswerRow)
            .where(ApiAnswerRow.token_id == self._token, ApiAnswerRow.key == key)
            .values(status=status, body=body)
        )

    def forget(self, key: str) -> None:
        """Let a request that failed be tried again."""
        self._session.execute(
            delete(ApiAnswerRow).where(ApiAnswerRow.token_id == self._token, ApiAnswerRow.key == key)
        )


def _token(row: ApiTokenRow) -> ApiToken:
    return ApiToken(
        str(row.id),
        row.name,
        frozenset(Right(scope) for scope in row.scopes),
        row.created_by,
        row.created_at,
        row.expires_at,
        row.used_at,
        row.revoked_at is not None,
    )
