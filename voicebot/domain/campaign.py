"""Campaigns and contacts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class CampaignStatus(StrEnum):
    """Where a campaign stands."""

    DRAFT = "draft"
    RUNNING = "running"
    PAUSED = "paused"
    DRAINING = "draining"
    FINISHED = "finished"
    STOPPED = "stopped"


class AttemptStatus(StrEnum):
    """Where a call attempt stands."""

    OPEN = "open"  # committed, INVITE may be on its way
    ENDED = "ended"
    UNKNOWN = "unknown"  # its worker died: nobody may redial before a rule settles it


class ContactStatus(StrEnum):
    """Where a contact stands on its campaign's list."""

    PENDING = "pending"  # to be called, not before its next time
    CALLING = "calling"  # an attempt was opened and is not settled
    DONE = "done"  # nothing more to do


@dataclass(frozen=True, slots=True)
class Consent:
    """A person's agreement to be called, with its evidence."""

    scope: str  # what it allows: marketing, service, ...
    evidence: str  # where the proof lies
    given_at: datetime
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Campaign:
    """A list to call with one playbook, inside legal windows (外呼任务)."""

    id: str
    name: str
    playbook_id: str
    status: CampaignStatus
    policy_pack: str  # CN, US, SIMULATION
    scope: str = "marketing"  # consent it needs
    trunk: str = ""  # SIP URI template with {number}
    caller_id: str = ""
    transfer_uri: str = ""
    max_calls: int = 3
    max_attempts: int = 3
    ring_timeout_s: float = 40.0


@dataclass(frozen=True, slots=True)
class Contact:
    """One person on a campaign's list (客户名单)."""

    id: str
    campaign_id: str
    number: str  # E.164, in clear only in memory
    zone: str  # IANA time zone; "" = unknown, which means: do not call
    slots: Mapping[str, str] = field(default_factory=dict)
    consent: Consent | None = None
