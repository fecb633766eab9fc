"""A conversation with a script instead of understanding, and a journal that only remembers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from tests.integration.phone import tone
from voicebot.domain.answering import Finding
from voicebot.domain.audio import Audio
from voicebot.domain.call import (
    CallRecord,
    CallRequest,
    Delivery,
    Disposition,
    EndCause,
    IntentLevel,
    Outcome,
    Progress,
    PromptRef,
    Turn,
    TurnResult,
)
from voicebot.domain.dialogue import Decision, Relation
from voicebot.domain.emotion import CALM, Emotion, EmotionLabel
from voicebot.domain.errors import InferenceError
from voicebot.domain.people import Delivered, SuggestedScript, Takeover
from voicebot.domain.script import Action, Style
from voicebot.domain.speech import Transcript, Utterance, UtteranceKind
from voicebot.domain.understanding import Understanding


@dataclass(frozen=True, slots=True)
class Line:
    """One thing the scripted bot says."""

    hz: float = 1000
    ms: int = 600
    action: Action = Action.SAY
    patience_ms: int = 6000
    late_s: float = 0.0


@dataclass
class Server:
    """What all scripted conversations share, and what became of them."""

    lines: Sequence[Line]
    down: bool = False  # opening fails
    lost_openings: int = 0  # so many more fail
    break_at: tuple[int, ...] = ()  # the n-th decisions asked for, from 0, fail
    hang_at: tuple[int, ...] = ()  # or never come
    asked: list[Utterance] = field(default_factory=list)
    speech: dict[int, int] = field(default_factory=dict)  # generation -> ms
    committed: list[int] = field(default_factory=list)
    opened_with: list[bytes] = field(default_factory=list)
    closed: list[EndCause] = field(default_factory=list)
    deliveries: list[Delivery] = field(default_factory=list)
    mute: bool = False  # nothing can be rendered for a person
    agent_ms: int = 0
    agent_said: list[tuple[int, float, float]] = field(default_factory=list)
    spoken: list[str] = field(default_factory=list)
    tell: Callable[[Finding], None] = lambda _: None  # of the newest conversation
    overheard: dict[bool, int] = field(default_factory=dict)  # answered -> ms
    on_overheard: Callable[[bool], None] = lambda _: None

    def conversation(self) -> ScriptedConversation:
        return ScriptedConversation(self)


class ScriptedConversation:
    """Says the server's lines in order; the snapshot is the number of the next line."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._next = 0
        self._results: dict[int, int] = {}
        self._request: CallRequest | None = None

    async def open(self, request: CallRequest, snapshot: bytes = b"") -> bytes:
        if self._server.down:
            raise InferenceError("the server is away")
        if self._server.lost_openings:
            self._server.lost_openings -= 1
            raise InferenceError("the server vanished")
        self._server.opened_with.append(snapshot)
        self._next = int(snapshot or b"0")
        self._request = request
        return str(self._next).encode()

    def listen(self, on_progress: Callable[[Progress], None]) -> None:
        """Scripted lines come without progress: silence decides."""

    def notice(self, on_finding: Callable[[Finding], None]) -> None:
        self._server.tell = on_finding

    def overhear(self, pcm: bytes, *, answered: bool) -> None:
        self._server.overheard[answered] = self._server.overheard.get(answered, 0) + len(pcm) // 16
        self._server.on_overheard(answered)

    def speech(self, generation: int, pcm: bytes) -> None:
        server = self._server
        server.speech[generation] = server.speech.get(generation, 0) + len(pcm) // 16

    async def decide(self, generation: int, utterance: Utterance) -> TurnResult:
        server = self._server
        number = len(server.asked)
        server.asked.append(utterance)
        if number in server.break_at:
            raise InferenceError("the stream broke")
        if number in server.hang_at:
            await asyncio.sleep(60)
        line = server.lines[min(self._next, len(server.lines) - 1)]
        await asyncio.sleep(line.late_s)
        self._results[generation] = self._next + 1
        prompts = (PromptRef(f"{line.hz}/{line.ms}", "好的", line.ms, "tone"),) if line.ms else ()
        assert self._request is not None
        return TurnResult(
            generation,
            line.action,
            prompts,
            turn_of(self._request.call_id, self._next, utterance, line.action),
            str(self._next + 1).encode(),
            patience_ms=line.patience_ms,
            suggested=(SuggestedScript("rate", "年化百分之四", 0.8, "V1"),),
        )

    def deliver(self, delivery: Delivery) -> None:
        self._server.deliveries.append(delivery)

    def agent_speech(self, pcm: bytes) -> None:
        self._server.agent_ms += len(pcm) // 16

    async def agent_said(self, generation: int, start_s: float, end_s: float) -> TurnResult:
        assert self._request is not None
        self._server.agent_said.append((generation, start_s, end_s))
        utterance = Utterance(UtteranceKind.SPEECH if generation else UtteranceKind.SILENCE, start_s, start_s)
        turn = turn_of(self._request.call_id, self._next, utterance, Action.SAY)
        said = Delivered("年化百分之四", "rate", 0.9, start_s, end_s)
        self._next += 1
        return TurnResult(
            0,
            Action.SAY,
            (),
            replace(turn, delivered=said, delivery=Delivery.SUGGEST),
            str(self._next).encode(),
        )

    async def speak(self, text: str) -> Audio:
        if self._server.mute:
            raise InferenceError("no voice here")
        self._server.spoken.append(text)
        return Audio(tone(1500, 600))

    async def commit(self, generation: int) -> None:
        self._next = self._results[generation]
        self._server.committed.append(generation)

    async def prompt(self, ref: PromptRef) -> Audio:
        hz, ms = ref.key.split("/")
        return Audio(tone(float(hz), int(ms)))

    async def close(self, cause: EndCause) -> Outcome:
        if self._server.down:
            raise InferenceError("the server is away")
        self._server.closed.append(cause)
        return Outcome(Disposition.UNDECIDED, IntentLevel.D, ("scripted",))


def turn_of(call_id: str, seq: int, utterance: Utterance, action: Action) -> Turn:
    """Return a turn with nothing remarkable in it."""
    understanding = Understanding(Transcript(""), (), None, Emotion(EmotionLabel.CALM, CALM))
    decision = Decision(
        action, f"s{seq}", "好的", Style.NEUTRAL, (), ("scripted",), Relation.ANSWERS, "opening", "opening"
    )
    return Turn(
        call_id,
        seq,
        datetime.now(UTC),
        utterance.kind,
        utterance.start_s,
        utterance.end_s,
        understanding,
        decision,
        timings_ms={"decide_ms": 1.0},
    )


@dataclass
class Memory:
    """A journal that only remembers."""

    answers: list[str] = field(default_factory=list)
    turns: list[Turn] = field(default_factory=list)
    takeovers: list[Takeover] = field(default_factory=list)
    records: list[CallRecord] = field(default_factory=list)

    def answered(self, request: CallRequest, worker: str) -> None:
        self.answers.append(f"{request.call_id}@{worker}")

    def turn(self, turn: Turn) -> None:
        self.turns.append(turn)

    def taken_over(self, takeover: Takeover) -> None:
        self.takeovers.append(takeover)

    def ended(self, record: CallRecord) -> None:
        self.records.append(record)
