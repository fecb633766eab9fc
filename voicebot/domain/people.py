"""People on our side of a call: agents, takeovers, suggestions, and what they think of a turn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from voicebot.domain.emotion import Emotion, EmotionLabel
from voicebot.domain.script import Style
from voicebot.domain.understanding import Situation

PAGE_ALIVE = timedelta(seconds=45)  # an agent whose page was not seen for longer gets no calls
PUSH_ALIVE = timedelta(minutes=30)  # the same, of an agent whose device is told of calls by Web Push


class AgentState(StrEnum):
    """What an agent can do now."""

    AWAY = "away"  # not ready, or the page is closed
    READY = "ready"
    RESERVED = "reserved"  # a call is on its way
    BUSY = "busy"  # talks with a customer


@dataclass(frozen=True, slots=True)
class Agent:
    """An agent (坐席) and where calls reach him."""

    id: str  # login
    name: str
    uri: str  # SIP URI of the phone; "" = none: can not take calls
    available: bool  # the agent's own switch
    campaigns: tuple[str, ...] = ()  # campaign ids whose calls are taken; () = all
    seen_at: datetime | None = None  # the page's last sign of life, UTC
    call_id: str = ""  # reserved for, or talking in
    worker: str = ""  # who reserved: a line worker or a dialer
    lease_until: datetime | None = None  # of a reservation
    connected_at: datetime | None = None  # talks since
    missed: int = 0  # calls not answered since the last one taken
    notified: bool = False  # a device is told of calls while the page sleeps

    def state(self, now: datetime) -> AgentState:
        """Return what the agent can do at a moment."""
        if self.call_id and self.connected_at is not None:
            return AgentState.BUSY
        if self.call_id and self.lease_until is not None and self.lease_until > now:
            return AgentState.RESERVED
        alive = PUSH_ALIVE if self.notified else PAGE_ALIVE
        seen = self.seen_at is not None and now - self.seen_at <= alive
        return AgentState.READY if self.available and self.uri and seen else AgentState.AWAY


@dataclass(frozen=True, slots=True)
class PushTarget:
    """A browser that is told of an agent's calls (Web Push, RFC 8030)."""

    agent_id: str
    endpoint: str  # of the push service; whoever knows it and `secret` can send
    key: bytes  # the browser's public key, 65 bytes (p256dh)
    secret: bytes  # 16 bytes (auth)
    language: str = "zh"


class TakeoverKind(StrEnum):
    """How a customer is handed to a person."""

    AUTO = "auto"  # an agent of ours: bridge, so that suggestions go on; an address outside: blind
    BLIND = "blind"  # REFER; nobody is asked before (RFC 3515)
    ATTENDED = "attended"  # the agent answers and is briefed, then REFER with Replaces (RFC 3891)
    BRIDGE = "bridge"  # both legs stay with us


class TakeoverReason(StrEnum):
    """Why a person takes over."""

    ASKED = "asked"  # the customer wants a person
    INTENT = "intent"  # high intent
    ANGER = "anger"
    UNCLEAR = "unclear"  # twice not understood
    KEY = "key"  # the customer pressed 0
    SUPERVISOR = "supervisor"
    CAMPAIGN = "campaign"  # the campaign is conducted by people
    SCRIPT = "script"  # the playbook hands over here


class TakeoverStage(StrEnum):
    """How far a takeover is."""

    WAITING = "waiting"  # for a free agent; the customer hears music
    RINGING = "ringing"  # at the agent's phone
    BRIEFING = "briefing"  # the agent answered and hears the summary
    CONNECTED = "connected"
    ENDED = "ended"  # see its result


class TakeoverResult(StrEnum):
    """How a takeover ended."""

    CONNECTED = "connected"
    NO_AGENT = "no_agent"  # nobody was free or answered in time: counts as abandoned
    ABANDONED = "abandoned"  # the customer hung up while waiting
    FAILED = "failed"  # the transfer itself was refused


@dataclass(frozen=True, slots=True)
class Takeover:
    """One attempt to hand a call over, as it is journaled."""

    call_id: str
    campaign_id: str
    at: datetime  # UTC, when it ended or was connected
    reason: TakeoverReason
    kind: TakeoverKind
    result: TakeoverResult
    agent_id: str = ""  # "" = nobody of ours
    waited_ms: int = 0  # from the handover line to the agent's voice, or to giving up
    detail: str = ""  # why it failed, for people


@dataclass(frozen=True, slots=True)
class Briefing:
    """What a person is told before the customer comes on the line."""

    call_id: str
    campaign_id: str
    reason: TakeoverReason
    summary: str  # a few spoken sentences, hanzi
    lines: tuple[tuple[str, str], ...]  # (customer | bot | agent, text), oldest first
    emotion: EmotionLabel = EmotionLabel.CALM
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TakeoverUpdate:
    """How far a takeover is, for whoever watches the line. `offered` comes before the agent's phone rings."""

    stage: TakeoverStage
    agent_id: str = ""  # "" = still looking for one
    briefing: Briefing | None = None
    result: TakeoverResult | None = None  # stage ended


@dataclass(frozen=True, slots=True)
class SuggestedScript:
    """A script offered to an agent."""

    script_id: str
    text: str  # slots filled, in hanzi
    probability: float  # the ranker's; 0 = a rule's choice, not the ranker's
    reason: str
    style: Style = Style.NEUTRAL


@dataclass(frozen=True, slots=True)
class Suggestion:
    """What an agent sees after an utterance (推送): up to three scripts, the customer's words and emotion."""

    call_id: str
    seq: int  # of the turn
    generation: int
    at: datetime  # UTC, when it was pushed
    customer_text: str
    emotion: Emotion
    situation: Situation
    scripts: tuple[SuggestedScript, ...]
    after_ms: int  # from the customer's last sound to this push
    final: bool  # False: the customer may go on, then another follows


@dataclass(frozen=True, slots=True)
class Delivered:
    """What a person really said in a turn (话术 as delivered)."""

    text: str  # "" = nothing
    script_id: str = ""  # the script it matches; "" = own words
    similarity: float = 0.0  # 0-1
    start_s: float = 0.0  # seconds since answer
    end_s: float = 0.0


class FeedbackOrigin(StrEnum):
    """Where a judgement on a turn comes from."""

    GRADE = "grade"  # a person's 优 良 中 差
    SUGGESTION = "suggestion"  # an agent used, edited or dismissed it
    CUSTOMER = "customer"  # the customer's own rating
    IMPLICIT = "implicit"  # read from what followed
    EMOTION = "emotion"  # a person says how the customer meant it: judges the ear, not the script


class Grade(StrEnum):
    """A person's judgement of a turn."""

    EXCELLENT = "优"
    GOOD = "良"
    FAIR = "中"
    POOR = "差"

    @property
    def score(self) -> float:
        """0-100; 优 is 80 as in the method."""
        return {"优": 80.0, "良": 70.0, "中": 50.0, "差": 20.0}[self.value]


class SuggestionUse(StrEnum):
    """What an agent did with a suggestion."""

    USED = "used"
    EDITED = "edited"
    DISMISSED = "dismissed"

    @property
    def score(self) -> float:
        """0-100: a click is weaker evidence than a grade, and counts so by its weight."""
        return {"used": 80.0, "edited": 60.0, "dismissed": 20.0}[self.value]
