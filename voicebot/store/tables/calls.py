"""Calls, turns and outcomes: what the journal writes."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Index, LargeBinary, SmallInteger, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from voicebot.store.tables.base import Base


class CallRow(Base):
    """通话. `answered_at` is NULL when nobody answered.

    What the journal writes refers to other rows without foreign keys: a call that took place is kept
    whatever became of its campaign.
    """

    __tablename__ = "calls"
    __table_args__ = (
        Index("ix_calls_campaign_id", "campaign_id", "started_at"),
        Index("ix_calls_contact_id", "contact_id"),
        Index(
            "ix_calls_caller_lookups",
            "caller_lookups",
            postgresql_using="gin",
            postgresql_where=text("caller_lookups IS NOT NULL"),
        ),
        Index("ix_calls_caller", "id", postgresql_where=text("caller_sealed IS NOT NULL")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    attempt_id: Mapped[UUID | None]
    campaign_id: Mapped[UUID | None]
    contact_id: Mapped[UUID | None]
    playbook_id: Mapped[str]
    direction: Mapped[str]
    worker: Mapped[str]
    started_at: Mapped[datetime]
    answered_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    cause: Mapped[str | None]
    sip_status: Mapped[int | None] = mapped_column(SmallInteger)
    sip_reason: Mapped[str | None]
    recording: Mapped[str] = mapped_column(server_default="")
    turns: Mapped[int] = mapped_column(server_default=text("0"))
    quality: Mapped[dict[str, Any] | None]  # domain.quality.MediaQuality; NULL = no media flowed
    # of somebody on no list who called in; NULL = a contact's call, or the number was withheld
    caller_sealed: Mapped[bytes | None]
    caller_lookups: Mapped[list[bytes] | None] = mapped_column(ARRAY(LargeBinary))
    caller_masked: Mapped[str | None]


class TurnRow(Base):
    """轮次. One partition a month; see `voicebot.store.partitions`."""

    __tablename__ = "turns"
    __table_args__ = (
        Index("ix_turns_campaign_id", "campaign_id", "at"),
        Index("ix_turns_stored_by", "stored_by", postgresql_using="brin"),
        {"postgresql_partition_by": "RANGE (at)"},
    )

    call_id: Mapped[UUID] = mapped_column(primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[datetime] = mapped_column(primary_key=True)
    campaign_id: Mapped[UUID | None]
    kind: Mapped[str]
    start_s: Mapped[float]
    end_s: Mapped[float]
    customer_text: Mapped[str]
    emotion: Mapped[str]
    situation: Mapped[str]
    relation: Mapped[str]
    scene: Mapped[str]
    action: Mapped[str]
    script_id: Mapped[str]
    script_text: Mapped[str]
    propensity: Mapped[float]
    model_version: Mapped[str]
    playbook_version: Mapped[str]
    barged_in: Mapped[bool]
    heard_ms: Mapped[int | None]
    delivery: Mapped[str]
    delivered_script_id: Mapped[str | None]  # what a person really said: the script it matches
    delivered_text: Mapped[str | None]
    prompt_engine: Mapped[str]
    understanding: Mapped[dict[str, Any]]
    decision: Mapped[dict[str, Any]]
    timings_ms: Mapped[dict[str, Any]]
    stored_by: Mapped[int] = mapped_column(
        BigInteger, server_default=text("pg_current_xact_id()::text::bigint")
    )


class CorrectionRow(Base):
    """更正: what a person changed in an outcome, and what it was before. Append-only by use."""

    __tablename__ = "outcome_corrections"
    __table_args__ = (Index("ix_outcome_corrections_call_id", "call_id", "at"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    call_id: Mapped[UUID]
    at: Mapped[datetime]
    actor: Mapped[str]
    why: Mapped[str]
    before: Mapped[dict[str, Any]]  # disposition, intent_level, facts, origin
    after: Mapped[dict[str, Any]]


class OutcomeRow(Base):
    """通话结果 with its reasons: one a call, answered or not."""

    __tablename__ = "outcomes"
    __table_args__ = (
        Index("ix_outcomes_campaign_id", "campaign_id", "at"),
        Index("ix_outcomes_at", "at"),
        Index("ix_outcomes_stored_by", "stored_by"),
    )

    call_id: Mapped[UUID] = mapped_column(primary_key=True)
    attempt_id: Mapped[UUID | None]
    campaign_id: Mapped[UUID | None]
    contact_id: Mapped[UUID | None]
    disposition: Mapped[str]
    intent_level: Mapped[str]
    reasons: Mapped[list[Any]]
    facts: Mapped[dict[str, Any]]
    opted_out: Mapped[bool]
    origin: Mapped[str]  # call, rule (an unknown attempt was settled), person
    at: Mapped[datetime]
    # the transaction that wrote it last, by a trigger: the roll-ups' watermark
    stored_by: Mapped[int] = mapped_column(
        BigInteger, server_default=text("pg_current_xact_id()::text::bigint")
    )
