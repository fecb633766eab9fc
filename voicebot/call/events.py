"""What all calls of a worker share, and what can happen to one of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Protocol

from voicebot.call.listening import Noticed
from voicebot.call.plan import Plan, TakeoverTimes
from voicebot.call.prompts import PromptMemory
from voicebot.call.turns import Output, TurnTuning
from voicebot.domain.answering import Finding
from voicebot.domain.audio import Audio
from voicebot.domain.call import Delivery, TurnResult
from voicebot.domain.people import Takeover
from voicebot.domain.ports import AgentDesk, Conversation, Journal
from voicebot.telephony import Ended, Leg, LegEvent, Sealing


@dataclass(frozen=True, slots=True)
class TakenOver:
    """A takeover succeeded or failed."""

    record: Takeover


@dataclass(frozen=True, slots=True)
class AgentLeft:
    """The agent's leg is over, or as good as that."""

    ended: Ended | None  # None: the telephone sends no sound any more


@dataclass(frozen=True, slots=True)
class Followed:
    """What the agent said was understood, in place of the decision of a generation."""

    result: TurnResult
    generation: int


class Phone(Protocol):
    """Places calls: the user agent."""

    @property
    def has_room(self) -> bool:
        """Whether one more leg can be had."""

    def call(
        self,
        uri: str,
        *,
        caller_id: str = "",
        headers: Mapping[str, str] | None = None,
        ring_timeout_s: float = 40.0,
        trunk: str = "",
    ) -> Leg:
        """Place a call."""


@dataclass(frozen=True, slots=True)
class SessionConfig:
    """What all calls of one worker share."""

    worker: str
    conversation: Callable[[], Conversation]  # a fresh one: one for each call, one more to recover
    journal: Journal
    prompts: PromptMemory
    recordings: Path | None = None  # folder that CallRecord.recording is relative to; None = do not record
    apology: Audio | None = None  # said when we fail, before hanging up
    tuning: TurnTuning = field(default_factory=TurnTuning)
    open_timeout_s: float = 5.0
    decide_timeout_s: float = 8.0
    desk: AgentDesk | None = None  # finds agents; None = takeovers go to request.transfer_uri alone
    takeover: TakeoverTimes = field(default_factory=TakeoverTimes)
    overhear_s: float = 15.0  # after the answer, while it is found what answered
    seal: Callable[[BinaryIO], Sealing] | None = None  # encrypts recordings; None = they are plain WAV files


@dataclass(frozen=True, slots=True)
class Decided:
    """A decision and its audio have come."""

    result: TurnResult
    audio: tuple[Audio, ...]
    decide_ms: float  # asked to decided
    prompt_ms: float  # to its audio


@dataclass(frozen=True, slots=True)
class Failed:
    """Inference failed, or was late."""

    generation: int
    error: str


@dataclass(frozen=True, slots=True)
class HangUp:
    """Someone on our side ends the call."""


@dataclass(frozen=True, slots=True)
class TakeOver:
    """Someone on our side hands the call over."""

    plan: Plan


@dataclass(frozen=True, slots=True)
class Switch:
    """Someone on our side lets the bot speak, or only suggest."""

    delivery: Delivery


@dataclass(frozen=True, slots=True)
class Whisper:
    """A supervisor's phone is to join."""

    uri: str


@dataclass(frozen=True, slots=True)
class Overheard:
    """The far end said something around the answer."""

    pcm: bytes


Event = (
    LegEvent
    | Output
    | Noticed
    | Decided
    | Failed
    | HangUp
    | TakeOver
    | TakenOver
    | AgentLeft
    | Followed
    | Switch
    | Whisper
    | Overheard
    | Finding
)
