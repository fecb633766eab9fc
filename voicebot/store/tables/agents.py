"""Agents with their presence, takeovers, and what people think of turns."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Index, false, func
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, mapped_column

from voicebot.store.tables.base import Base


class AgentRow(Base):
    """坐席 and whether they can take a call. Times and switch: `domain.people.Agent`."""

    __tablename__ = "agents"

    id: Mapped[str] = mapped_column(primary_key=True)  # login
    name: Mapped[str]
    uri: Mapped[str]
    campaigns: Mapped[list[Any]] = mapped_column(server_default=sql("'[]'"))
    available: Mapped[bool] = mapped_column(server_default=false())
    idle_since: Mapped[datetime] = mapped_column(server_default=func.now())
    seen_at: Mapped[datetime | None]
    call_id: Mapped[str] = mapped_column(server_default="")
    worker: Mapped[str] = mapped_column(server_default="")
    lease_until: Mapped[datetime | None]
    connected_at: Mapped[datetime | None]
    missed: Mapped[int] = mapped_column(server_default=sql("0"))
    notified: Mapped[bool] = mapped_column(server_default=false())  # has a PushTargetRow
    screen: Mapped[dict[str, Any]] = mapped_column(server_default=sql("'{}'"))  # the call's Briefing


class PushTargetRow(Base):
    """A browser that is told of an agent's calls by Web Push."""

    __tablename__ = "push_targets"
    __table_args__ = (Index("ix_push_targets_agent_id", "agent_id"),)

    endpoint: Mapped[str] = mapped_column(primary_key=True)
    agent_id: Mapped[str]
    key: Mapped[bytes]
    secret: Mapped[bytes]
    language: Mapped[str]
    saved_at: Mapped[datetime]


class TakeoverRow(Base):
    """One attempt to hand a call to a person; the abandoned-call limit counts what did not succeed."""

    __tablename__ = "takeovers"
    __table_args__ = (Index("ix_takeovers_campaign_id", "campaign_id", "at"),)

    call_id: Mapped[UUID] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(primary_key=True)
    campaign_id: Mapped[UUID | None]
    reason: Mapped[str]
    kind: Mapped[str]
    result: Mapped[str]
    agent_id: Mapped[str]
    waited_ms: Mapped[int]
    detail: Mapped[str]


class FeedbackRow(Base):
    """反馈: one judgement on one turn."""

    __tablename__ = "feedback"
    __table_args__ = (
        Index("ix_feedback_call_id", "call_id", "seq"),
        Index("ix_feedback_at", "at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    call_id: Mapped[UUID]
    seq: Mapped[int]
    at: Mapped[datetime]
    origin: Mapped[str]  # domain.people.FeedbackOrigin
    actor: Mapped[str]  # who; "" = a rule
    action: Mapped[str]  # 优 良 中 差; used, edited, dismissed; a label of emotion
    script_id: Mapped[str]  # that was judged
    better_script_id: Mapped[str] = mapped_column(server_default="")
    text: Mapped[str] = mapped_column(server_default="")  # the wording a person prefers, or heard
    score: Mapped[float | None]  # 0-100
    weight: Mapped[float] = mapped_column(server_default=sql("1"))
