"""Campaigns and contacts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from voicebot.domain.people import TakeoverKind


class CampaignStatus(StrEnum):
    """Where a campaign stands."""

    DRAFT = "draft"
    RUNNING = "running"
    PAUSED = "paused"
    DRAINING = "draining"  # no new calls; running ones may end
    STOPPING = "stopping"  # no new calls; running ones are hung up
    FINISHED = "finished"
    STOPPED = "stopped"


class Mode(StrEnum):
    """Who talks to the customer, and for whom it is dialled."""

    BOT = "bot"  # the bot speaks
    PROGRESSIVE = "progressive"  # a person speaks: dialled as soon as one is ready, who is reserved
    PREVIEW = "preview"  # a person speaks, who sees the contact first and asks for the call


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

    scope: str  # what it allows: marketing, service, ...; several are parted by ";"
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
    trunk: str = ""  # name of a trunk, or a SIP URI template with {number}
    caller_id: str = ""
    transfer_uri: str = ""  # where takeovers go; "" = to our own agents
    takeover: TakeoverKind = TakeoverKind.AUTO
    max_calls: int = 3
    max_attempts: int = 3
    ring_timeout_s: float = 40.0
    mode: Mode = Mode.BOT
    priority: int = 0  # higher is served first
    calls_per_s: float = 0.0  # new calls a second at most; 0 = no limit of its own
    max_talks: int = 0  # conversations at the same time; 0 = as many as calls
    hours: str = ""  # its own hours, inside the policy's; "" = the policy's
    starts_at: datetime | None = None  # no call before
    ends_at: datetime | None = None  # no call from then on
    retry: Mapping[str, int] = field(default_factory=dict)  # disposition -> minutes; -1 = never again
    leave_message: bool = False  # to a mailbox, if the playbook has a message
    held: str = ""  # why it does not call although it was started, in words
    rehearses: str = ""  # id of the campaign, or playbook, that is tried by it; "" = it calls customers


ANY_AGENT = "*"  # whoever is ready


@dataclass(frozen=True, slots=True)
class Contact:
    """One person on a campaign's list (客户名单)."""

    id: str
    campaign_id: str
    number: str  # E.164, in clear only in memory
    zone: str  # IANA time zone; "" = unknown, which means: do not call
    slots: Mapping[str, str] = field(default_factory=dict)
    consent: Consent | None = None
    priority: int = 0  # higher is called first
    agent_id: str = ""  # the person who asked for the call (preview); ANY_AGENT = a person is to call
