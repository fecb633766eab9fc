"""The tables. Times are UTC with zone; ids are UUIDv7, made in the app."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Boolean,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Text,
    UniqueConstraint,
    false,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    """All tables."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_label)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012 - read by SQLAlchemy
        datetime: DateTime(timezone=True),
        str: Text,
        bytes: LargeBinary,
        dict[str, Any]: JSONB,
        list[Any]: JSONB,
    }


class CampaignRow(Base):
    """外呼任务."""

    __tablename__ = "campaigns"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    playbook_id: Mapped[str]
    status: Mapped[str]  # domain.campaign.CampaignStatus
    policy_pack: Mapped[str]
    scope: Mapped[str]
    trunk: Mapped[str]
    caller_id: Mapped[str]
    transfer_uri: Mapped[str]
    max_calls: Mapped[int]
    max_attempts: Mapped[int]
    ring_timeout_s: Mapped[float]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]


class ContactRow(Base):
    """客户名单: one person on one campaign's list."""

    __tablename__ = "contacts"
    __table_args__ = (
        UniqueConstraint("campaign_id", "number_lookup"),
        Index(
            "ix_contacts_hopper", "campaign_id", "next_at", "id", postgresql_where=text("status = 'pending'")
        ),
        Index("ix_contacts_number_lookup", "number_lookup"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    campaign_id: Mapped[UUID] = mapped_column(ForeignKey("campaigns.id"))
    number_sealed: Mapped[bytes]  # AES-256-GCM
    number_lookup: Mapped[bytes]  # HMAC-SHA-256
    number_masked: Mapped[str]  # for people
    zone: Mapped[str]
    slots: Mapped[dict[str, Any]]
    consent_scope: Mapped[str | None]
    consent_evidence: Mapped[str | None]
    consent_given_at: Mapped[datetime | None]
    consent_expires_at: Mapped[datetime | None]
    status: Mapped[str] = mapped_column(server_default="pending")  # domain.campaign.ContactStatus
    attempts: Mapped[int] = mapped_column(server_default=text("0"))
    next_at: Mapped[datetime]  # not claimable before
    lease_until: Mapped[datetime | None]
    leased_by: Mapped[str | None]
    refusal: Mapped[str | None]  # code of the last refusal to dial
    refusal_words: Mapped[str | None]
    refused_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class DoNotCallRow(Base):
    """A number that must not be called: everywhere (scope "all") or for one consent scope."""

    __tablename__ = "do_not_call"

    number_lookup: Mapped[bytes] = mapped_column(primary_key=True)
    scope: Mapped[str] = mapped_column(primary_key=True)
    origin: Mapped[str]  # call, import, person
    origin_id: Mapped[str]  # the call, file or user it came from
    at: Mapped[datetime]


class AttemptRow(Base):
    """呼叫尝试. Committed before the INVITE; at most one of a number is live (open or unknown)."""

    __tablename__ = "call_attempts"
    __table_args__ = (
        Index(
            "uq_call_attempts_live_number",
            "number_lookup",
            unique=True,
            postgresql_where=text("status IN ('open', 'unknown')"),
        ),
        Index("ix_call_attempts_number_lookup", "number_lookup", "created_at"),
        Index("ix_call_attempts_contact_id", "contact_id", "created_at"),
        Index(
            "ix_call_attempts_campaign_live",
            "campaign_id",
            "worker",
            postgresql_where=text("status IN ('open', 'unknown')"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    campaign_id: Mapped[UUID] = mapped_column(ForeignKey("campaigns.id"))
    contact_id: Mapped[UUID] = mapped_column(ForeignKey("contacts.id"))
    call_id: Mapped[UUID] = mapped_column(unique=True)
    number_lookup: Mapped[bytes]
    direction: Mapped[str]
    status: Mapped[str]  # domain.campaign.AttemptStatus
    worker: Mapped[str | None]  # line worker it was given to
    created_at: Mapped[datetime]
    answered_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    cause: Mapped[str | None]  # domain.call.EndCause, or not_dialled
    disposition: Mapped[str | None]
    sip_status: Mapped[int | None] = mapped_column(SmallInteger)
    sip_reason: Mapped[str | None]


class CallRow(Base):
    """通话. `answered_at` is NULL when nobody answered.

    What the journal writes refers to other rows without foreign keys: a call that took place is kept
    whatever became of its campaign.
    """

    __tablename__ = "calls"
    __table_args__ = (
        Index("ix_calls_campaign_id", "campaign_id", "started_at"),
        Index("ix_calls_contact_id", "contact_id"),
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


class TurnRow(Base):
    """轮次. One partition a month; see `voicebot.store.partitions`."""

    __tablename__ = "turns"
    __table_args__ = (
        Index("ix_turns_campaign_id", "campaign_id", "at"),
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
    prompt_engine: Mapped[str]
    understanding: Mapped[dict[str, Any]]
    decision: Mapped[dict[str, Any]]
    timings_ms: Mapped[dict[str, Any]]


class OutcomeRow(Base):
    """通话结果 with its reasons: one a call, answered or not."""

    __tablename__ = "outcomes"
    __table_args__ = (
        Index("ix_outcomes_campaign_id", "campaign_id", "at"),
        Index("ix_outcomes_at", "at"),
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


class WorkerRow(Base):
    """A process that serves, with its last heartbeat."""

    __tablename__ = "workers"

    id: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]  # line, inference
    address: Mapped[str]  # of its gRPC server, host:port
    sip_uri: Mapped[str]
    capacity: Mapped[int]
    busy: Mapped[int]
    draining: Mapped[bool] = mapped_column(Boolean, server_default=false())
    spool_pending: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    started_at: Mapped[datetime]  # attempts from before are not known to it any more
    seen_at: Mapped[datetime]


class PlaybookVersionRow(Base):
    """话术库 as it was when calls were conducted with it."""

    __tablename__ = "playbook_versions"

    playbook_id: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[str] = mapped_column(primary_key=True)
    content: Mapped[dict[str, Any]]
    at: Mapped[datetime] = mapped_column(server_default=func.now())


class PromptRow(Base):
    """A prompt in the cache. Its text lies beside its sound, not here: it may hold a name."""

    __tablename__ = "prompts"

    key: Mapped[str] = mapped_column(primary_key=True)
    engine: Mapped[str]
    style: Mapped[str]
    duration_ms: Mapped[int]
    size_bytes: Mapped[int]
    made_at: Mapped[datetime]
    used_at: Mapped[datetime]
    uses: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))


class AuditRow(Base):
    """Who did what. Append-only: a trigger refuses changes."""

    __tablename__ = "audit_log"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=True)
    at: Mapped[datetime] = mapped_column(server_default=func.now())
    actor: Mapped[str]
    action: Mapped[str]
    subject: Mapped[str]
    detail: Mapped[dict[str, Any]]
