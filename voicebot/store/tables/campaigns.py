"""Campaigns, contacts, do-not-call and call attempts."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Index, SmallInteger, UniqueConstraint, desc, false, func, text
from sqlalchemy.orm import Mapped, mapped_column

from voicebot.store.tables.base import Base


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
    takeover: Mapped[str] = mapped_column(server_default="auto")  # domain.people.TakeoverKind
    max_calls: Mapped[int]
    max_attempts: Mapped[int]
    ring_timeout_s: Mapped[float]
    mode: Mapped[str] = mapped_column(server_default="bot")  # domain.campaign.Mode
    priority: Mapped[int] = mapped_column(server_default=text("0"))
    calls_per_s: Mapped[float] = mapped_column(server_default=text("0"))
    max_talks: Mapped[int] = mapped_column(server_default=text("0"))
    hours: Mapped[str] = mapped_column(server_default="")
    starts_at: Mapped[datetime | None]
    ends_at: Mapped[datetime | None]
    retry: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    held: Mapped[str] = mapped_column(server_default="")
    rehearses: Mapped[str] = mapped_column(server_default="")  # not counted where campaigns are
    leave_message: Mapped[bool] = mapped_column(server_default=false())
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    started_at: Mapped[datetime | None]
    resumed_at: Mapped[datetime | None]  # the last time; earlier failures of its trunk do not count
    finished_at: Mapped[datetime | None]


class ContactRow(Base):
    """客户名单: one person on one campaign's list."""

    __tablename__ = "contacts"
    __table_args__ = (
        UniqueConstraint("campaign_id", "number_lookup"),
        Index(
            "ix_contacts_hopper",
            "campaign_id",
            desc("priority"),
            "next_at",
            "id",
            postgresql_where=text("status = 'pending'"),
        ),
        Index("ix_contacts_calling", "campaign_id", postgresql_where=text("status = 'calling'")),
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
    priority: Mapped[int] = mapped_column(server_default=text("0"))
    next_at: Mapped[datetime]  # not claimable before
    callback_at: Mapped[datetime | None]  # a call was agreed, or asked for by a person, for then
    agent_id: Mapped[str] = mapped_column(server_default="")  # who asked for the call (preview)
    lease_until: Mapped[datetime | None]
    leased_by: Mapped[str | None]
    refusal: Mapped[str | None]  # code of the last refusal to dial
    refusal_words: Mapped[str | None]
    refused_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class ContactCountRow(Base):
    """A change of how many contacts of a campaign are alike, written by triggers: store.contact_counts."""

    __tablename__ = "contact_counts"
    __table_args__ = (Index("ix_contact_counts_campaign_id", "campaign_id"),)

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=True)
    campaign_id: Mapped[UUID]
    status: Mapped[str]
    refusal: Mapped[str]
    contacts: Mapped[int] = mapped_column(BigInteger)


class DoNotCallRow(Base):
    """A number that must not be called: everywhere (scope "all"), for one consent scope or one campaign.

    The scope of a campaign's own list is "campaign:" and its id.
    """

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
        Index("ix_call_attempts_trunk", "trunk", "created_at"),
        Index("ix_call_attempts_campaign_id", "campaign_id", "created_at"),
        Index(
            "ix_call_attempts_called_in",
            "campaign_id",
            "contact_id",
            postgresql_where=text("direction = 'inbound'"),
        ),
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
    trunk: Mapped[str] = mapped_column(server_default="")  # name, or the host of a URI template
    created_at: Mapped[datetime]
    answered_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    cause: Mapped[str | None]  # domain.call.EndCause, or not_dialled
    disposition: Mapped[str | None]
    sip_status: Mapped[int | None] = mapped_column(SmallInteger)
    sip_reason: Mapped[str | None]
