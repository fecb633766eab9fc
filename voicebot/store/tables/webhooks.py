"""Webhooks and their deliveries."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, Integer, SmallInteger, UniqueConstraint, func
from sqlalchemy.orm import Mapped, mapped_column

from voicebot.store.tables.base import Base


class WebhookRow(Base):
    """Somebody who is told of calls."""

    __tablename__ = "webhooks"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    url: Mapped[str]
    events: Mapped[list[Any]]  # domain.webhook.Event
    secret_sealed: Mapped[bytes]
    created_by: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    held_until: Mapped[datetime | None]


class WebhookDeliveryRow(Base):
    """One event for one webhook. What it says is read when it is sent, so nothing personal lies here."""

    __tablename__ = "webhook_deliveries"
    __table_args__ = (
        # a replayed journal tells nobody twice
        UniqueConstraint("webhook_id", "event", "call_id", "occurred_at"),
        Index("ix_webhook_deliveries_listed", "webhook_id", "status", "id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    webhook_id: Mapped[UUID] = mapped_column(ForeignKey("webhooks.id", ondelete="CASCADE"))
    event: Mapped[str]
    call_id: Mapped[UUID | None]  # NULL: a test
    occurred_at: Mapped[datetime]
    status: Mapped[str]  # domain.webhook.DeliveryStatus
    attempts: Mapped[int] = mapped_column(Integer, server_default="0")
    created_at: Mapped[datetime]
    next_at: Mapped[datetime]
    answer: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    error: Mapped[str] = mapped_column(server_default="")
    ended_at: Mapped[datetime | None]
