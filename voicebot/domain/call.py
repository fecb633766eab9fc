"""Calls: how they begin, go on and end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Literal

from voicebot.domain.dialogue import Decision
from voicebot.domain.people import Delivered, SuggestedScript, Suggestion, TakeoverKind, TakeoverUpdate
from voicebot.domain.quality import MediaQuality
from voicebot.domain.script import Action, Expect
from voicebot.domain.speech import UtteranceKind
from voicebot.domain.understanding import Understanding


class Direction(StrEnum):
    """Who began the call."""

    OUTBOUND = "outbound"
    INBOUND = "inbound"


class Delivery(StrEnum):
    """How a decision reaches its listener (推送)."""

    SPEAK = "speak"
    SUGGEST = "suggest"


class Disposition(StrEnum):
    """How a call attempt ended (通话结果)."""

    INTERESTED = "interested"
    COMPLETED = "completed"  # what the call was for is done: a survey answered, an appointment confirmed
    CALLBACK = "callback"
    REFUSED = "refused"
    DO_NOT_CALL = "do_not_call"
    WRONG_PERSON = "wrong_person"
    UNDECIDED = "undecided"  # talked, without a result
    TRANSFERRED = "transferred"
    SILENT = "silent"  # answered, never spoke
    NO_ANSWER = "no_answer"
    BUSY = "busy"
    VOICEMAIL = "voicemail"
    UNREACHABLE = "unreachable"  # switched off, invalid number, network
    DROPPED = "dropped"  # ended by a fault of ours or the line's

    @property
    def chinese(self) -> str:
        """What people read."""
        return {
            "interested": "有意向", "callback": "约回访", "refused": "拒绝", "do_not_call": "勿再呼叫",
            "wrong_person": "非本人", "undecided": "未定", "transferred": "转人工", "silent": "无应答语音",
            "no_answer": "未接", "busy": "忙线", "voicemail": "语音信箱", "unreachable": "无法接通",
            "dropped": "掉线", "completed": "已完成",
        }[self.value]  # fmt: skip


class IntentLevel(StrEnum):
    """How interested the customer is (意向等级)."""

    A = "A"  # wants it, or talks to an agent now
    B = "B"  # interested, open questions
    C = "C"  # hesitant, or asks to be called back
    D = "D"  # undecided or unknown
    E = "E"  # refused
    F = "F"  # never call again, wrong person, unreachable


class EndCause(StrEnum):
    """Which side or event ended a call attempt."""

    CUSTOMER_HUNG_UP = "customer_hung_up"
    BOT_HUNG_UP = "bot_hung_up"
    TRANSFERRED = "transferred"
    NO_ANSWER = "no_answer"  # ring time-out
    BUSY = "busy"  # 486, 600, or the network says so
    REJECTED = "rejected"  # 403, 603 and the like
    UNREACHABLE = "unreachable"  # 404, 480, 5xx, network
    VOICEMAIL = "voicemail"  # a mailbox or an assistant answered
    NO_MEDIA = "no_media"  # answered, RTP never came
    FAILURE = "failure"  # our own fault
    NOT_DIALLED = "not_dialled"  # given back: the customer was never called, and it counts as no attempt


@dataclass(frozen=True, slots=True)
class Caller:
    """The number of somebody on no list who calls in, as far as it may leave the one who looked it up."""

    masked: str
    sealed: str  # base64; opens with the installation's key only
    lookups: tuple[str, ...]  # hex; every number that the digits may stand for, the likeliest first


@dataclass(frozen=True, slots=True)
class CallRequest:
    """What a line worker needs to conduct a call, outbound or inbound."""

    call_id: str
    attempt_id: str
    campaign_id: str
    contact_id: str
    playbook_id: str
    direction: Direction
    to_uri: str = ""  # outbound: the SIP URI to call
    trunk: str = ""  # outbound: name of the trunk whose account places it; "" = none, the URI says all
    caller_id: str = ""  # outbound: From URI or number
    headers: Mapping[str, str] = field(default_factory=dict)
    slots: Mapping[str, str] = field(default_factory=dict)
    delivery: Delivery = Delivery.SPEAK
    ring_timeout_s: float = 40.0
    transfer_uri: str = ""  # where a takeover goes; "" = to an agent who is ready
    takeover: TakeoverKind = TakeoverKind.AUTO
    agent_id: str = ""  # reserved by the dialer: talks from the first word; the call is a person's
    agent_uri: str = ""  # the phone of that agent; rung before the customer is
    record: bool = True
    leave_message: bool = False  # to a mailbox, if the playbook has a message; else hang up
    caller: Caller | None = None  # inbound, of nobody on a list; None = such a one withholds the number

    @property
    def withheld(self) -> bool:
        """Whether nobody can tell who calls in, so that a wish not to be called can not be kept."""
        return self.direction is Direction.INBOUND and not self.contact_id and self.caller is None


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of one call, with its reasons."""

    disposition: Disposition
    intent_level: IntentLevel
    reasons: tuple[str, ...]
    facts: Mapping[str, str] = field(default_factory=dict)
    opted_out: bool = False


@dataclass(frozen=True, slots=True)
class PromptRef:
    """A rendered prompt in the cache."""

    key: str
    text: str
    duration_ms: int
    engine: str
    protected: bool = False
    protected_ms: int = 0  # so much of it, if not all


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn as it is journaled: utterance + decision + delivery (轮次)."""

    call_id: str
    seq: int
    at: datetime  # UTC, when the decision was committed
    kind: UtteranceKind
    start_s: float  # of the utterance, seconds since answer
    end_s: float
    understanding: Understanding
    decision: Decision
    barged_in: bool = False
    heard_ms: int | None = None  # of the script before; None = all
    delivery: Delivery = Delivery.SPEAK
    delivered: Delivered | None = None  # what a person really said, with delivery `suggest`
    prompt_engine: str = ""
    timings_ms: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TurnResult:
    """A decision as it comes back to the line worker. Nothing is said before it is committed."""

    generation: int
    action: Action
    prompts: tuple[PromptRef, ...]
    turn: Turn
    snapshot: bytes  # the next snapshot, opaque here
    expect: Expect = Expect.OPEN
    patience_ms: int = 6000
    suggested: tuple[SuggestedScript, ...] = ()  # for an agent's screen


@dataclass(frozen=True, slots=True)
class Progress:
    """What inference thinks, while it still computes, of speech that may or may not be over."""

    generation: int
    endpoint_score: float  # 0-1: the chance that the customer has finished
    partial_text: str = ""  # the words, as soon as they are known
    backchannel: bool = False  # the words are a mere 嗯 or 对: they do not ask for the turn
    at_ms: int = 0  # since the decision was asked for
    words_known: bool = False  # partial_text is what was recognised, be it nothing


@dataclass(frozen=True, slots=True)
class CallRecord:
    """A finished call attempt as it is journaled."""

    request: CallRequest
    cause: EndCause
    outcome: Outcome
    started_at: datetime
    answered_at: datetime | None
    ended_at: datetime
    sip_status: int = 0  # final SIP status of the INVITE; 0 = none came
    sip_reason: str = ""
    recording: str = ""  # blob key of the stereo WAV
    worker: str = ""
    turns: int = 0
    quality: MediaQuality | None = None  # of the customer's leg; None = no media flowed


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why an inbound INVITE is refused."""

    status: int  # final SIP status, from 400
    reason: str  # ASCII, for the Reason header


@dataclass(frozen=True, slots=True)
class CallEvent:
    """Something that happened to a call, for whoever watches the line."""

    call_id: str
    kind: Literal["dialling", "ringing", "answered", "turn", "ended", "suggestion", "takeover", "delivery"]
    at: datetime  # UTC
    contact_id: str = ""  # "" = nobody on a list
    turn: Turn | None = None  # kind turn
    record: CallRecord | None = None  # kind ended
    suggestion: Suggestion | None = None  # kind suggestion
    takeover: TakeoverUpdate | None = None  # kind takeover
    delivery: Delivery | None = None  # kind delivery: how decisions reach their listener from now on


@dataclass(frozen=True, slots=True)
class Overheard:
    """A stretch of a running call, for whoever listens in. 16-bit 8 kHz mono, both of one length."""

    customer: bytes
    ours: bytes  # the bot or the agent


@dataclass(frozen=True, slots=True)
class LineStatus:
    """How a line worker stands."""

    worker: str
    sip_uri: str
    capacity: int  # calls it can conduct
    busy: int
    draining: bool
