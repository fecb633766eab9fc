"""What the console keeps: saved views, API tokens, answers to repeated requests."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Boolean, ForeignKey, SmallInteger, UniqueConstraint, false, func
from sqlalchemy.orm import Mapped, mapped_column

from voicebot.store.tables.base import Base


class SavedViewRow(Base):
    """A filter of outcomes that somebody gave a name."""

    __tablename__ = "saved_views"
    __table_args__ = (UniqueConstraint("user_id", "name"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    name: Mapped[str]
    query: Mapped[str]  # as in the page's address
    shared: Mapped[bool] = mapped_column(Boolean, server_default=false())
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class ApiTokenRow(Base):
    """A token for programs. Itself it is not kept, only its hash."""

    __tablename__ = "api_tokens"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    token_hash: Mapped[bytes] = mapped_column(unique=True)
    scopes: Mapped[list[Any]]  # domain.users.Right
    created_by: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime | None]
    used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class ApiAnswerRow(Base):
    """The answer to a request with an Idempotency-Key, given again when the request is repeated."""

    __tablename__ = "api_answers"

    token_id: Mapped[UUID] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    request_hash: Mapped[bytes]
    status: Mapped[int | None] = mapped_column(SmallInteger)  # NULL: still being worked on
    body: Mapped[str | None]
    at: Mapped[datetime] = mapped_column(server_default=func.now())
