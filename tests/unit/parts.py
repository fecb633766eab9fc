"""Small stand-ins at the ports of inference: what each stage says is plain, and each can be made to fail."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from voicebot.call.conversation import LocalConversation
from voicebot.call.pipeline import Pipeline
from voicebot.domain.audio import Audio
from voicebot.domain.call import (
    CallRequest,
    Direction,
    Disposition,
    EndCause,
    IntentLevel,
    Outcome,
    PromptRef,
)
from voicebot.domain.dialogue import Candidate, Decision, DialogueState, Exchange, Relation
from voicebot.domain.emotion import CALM, Emotion, EmotionLabel, SpeakerBaseline
from voicebot.domain.errors import ModelError, PlaybookError, RecognitionError, SynthesisError, WithdrawnError
from voicebot.domain.script import Action, Answer, Playbook, Scene, Script, Style
from voicebot.domain.speech import NOTHING_EXPECTED, Expectation, Prosody, Transcript, Utterance
from voicebot.domain.understanding import Situation, Understanding

REQUEST = CallRequest("call-1", "attempt-1", "campaign-1", "contact-1", "loan", Direction.OUTBOUND)
PLAYBOOK = Playbook(
    id="loan",
    version="v1",
    title="贷款",
    company="甲",
    product="乙",
    scenes={"opening": Scene("opening", "开场")},
    scripts={
        "hello": Script("hello", "opening", "您好。", answers=(Answer("yes", ("方便",)),)),
        "more": Script("more", "opening", "我再说一下。"),
        "pardon": Script("pardon", "opening", "您再说一遍。"),
        "message": Script("message", "*", "请您回电。", action=Action.HANG_UP),
    },
    opening="hello",
    announcement="hello",
    unclear=("pardon",),
    silence=("pardon",),
    give_up="pardon",
    apology="pardon",
    do_not_call="pardon",
    handover="pardon",
    farewell="pardon",
    voicemail="message",
    keywords=("利率",),
)


class Playbooks:
    """One playbook."""

    def get(self, playbook_id: str, version: str = "") -> Playbook:
        if playbook_id != PLAYBOOK.id:
            raise PlaybookError(f"no playbook is called {playbook_id}")
        return PLAYBOOK


class Stream:
    """Hears one letter for each 100 ms of speech: a, b, c …; \\xff bytes are not recognised."""

    def __init__(self, owner: Recognizer, expected: Expectation) -> None:
        self.owner = owner
        self.expected = expected
        self.pcm = b""
        self.aborted = False
        self.withdrawn = False

    def feed(self, pcm: bytes) -> None:
        self.pcm += pcm

    def ending(self) -> Sequence[float]:
        self.owner.looks += 1
        return (float(len(self.pcm)),)

    def result(self, *, final: bool) -> Transcript:
        self.withdrawn = False
        while not self.owner.gate.wait(0.01):
            if self.withdrawn:
                raise WithdrawnError("more speech came")
        self.owner.decodes += 1
        self.owner.heard_ms.append(len(self.pcm) // 16)
        if b"\xff" in self.pcm:
            raise RecognitionError("unreadable")
        letters = "".join(chr(97 + number % 26) for number in range(len(self.pcm) // 1600))
        return Transcript(letters, confidence=0.9, engine="fake", compute_s=self.owner.compute_s)

    def withdraw(self) -> None:
        self.withdrawn = True

    def abort(self) -> None:
        self.aborted = True


class Recognizer:
    """Opens streams; `gate` holds every result back while it is cleared."""

    name = "fake"

    def __init__(self) -> None:
        self.load = 0.0
        self.decodes = 0
        self.looks = 0
        self.heard_ms: list[int] = []  # speech that each decoding went through
        self.compute_s = 0.0
        self.gate = threading.Event()
        self.gate.set()
        self.streams: list[Stream] = []

    def open(self, rate_hz: int, expected: Expectation = NOTHING_EXPECTED) -> Stream:
        self.streams.append(Stream(self, expected))
        return self.streams[-1]


class Analyzer:
    """Counts turns in the baseline. Words that hold z can not be analysed."""

    version = "fake"

    def analyse(
        self, transcript: Transcript, audio: Audio | None, baseline: SpeakerBaseline
    ) -> tuple[tuple[str, ...], Prosody | None, Emotion, SpeakerBaseline]:
        if "z" in transcript.text:
            raise ModelError("broken")
        emotion = Emotion(EmotionLabel.INTERESTED, CALM)
        return tuple(transcript.text), None, emotion, replace(baseline, turns=baseline.turns + 1)


class SituationReader:
    """Long speech is busy."""

    def read(self, transcript: Transcript, audio: Audio | None, before: Situation) -> Situation:
        return Situation.BUSY if audio is not None and audio.duration_s > 1 else before


class Ranker:
    """Two candidates, always; fails on words that hold y."""

    version = "ranker-fake"

    def rank(
        self,
        understanding: Understanding,
        state: DialogueState,
        playbook: Playbook,
        allowed: Sequence[str],
        k: int = 5,
    ) -> tuple[Candidate, ...]:
        if "y" in understanding.transcript.text:
            raise ModelError("broken")
        return Candidate("more", 0.7), Candidate("hello", 0.3)


class Policy:
    """Opens with hello, goes on with more, asks back when it heard no words; repeats what it heard."""

    def begin(self, playbook: Playbook, slots: Mapping[str, str]) -> DialogueState:
        return DialogueState(playbook.id, playbook.version, "opening", slots=dict(slots))

    def allowed(self, state: DialogueState, playbook: Playbook) -> tuple[str, ...]:
        return tuple(playbook.scripts)

    def relate(
        self,
        understanding: Understanding,
        state: DialogueState,
        playbook: Playbook,
        candidates: Sequence[Candidate] = (),
    ) -> Relation:
        return Relation.ANSWERS

    def choose(
        self,
        utterance: Utterance,
        understanding: Understanding,
        relation: Relation,
        candidates: Sequence[Candidate],
        state: DialogueState,
        playbook: Playbook,
        seed: int,
    ) -> tuple[Decision, DialogueState]:
        heard = understanding.transcript.text or utterance.dtmf
        script = "hello" if utterance.kind == "answered" else "more" if heard else "pardon"
        text = f"{playbook.scripts[script].text}{heard}"
        decision = Decision(
            Action.SAY,
            script,
            text,
            Style.NEUTRAL,
            tuple(candidates),
            (f"seed {seed}",),
            relation,
            state.scene,
            state.scene,
            playbook_version=playbook.version,
        )
        history = (*state.history, Exchange(heard, script, text))
        return decision, replace(state, turn=state.turn + 1, history=history, used=(*state.used, script))

    def conclude(self, state: DialogueState, cause: EndCause, playbook: Playbook) -> Outcome:
        said = tuple(exchange.customer_text for exchange in state.history)
        return Outcome(Disposition.UNDECIDED, IntentLevel.D, (cause.value, *said))


class Prompts:
    """Every text is spoken as 20 ms of itself; 'q' can not be spoken."""

    def prepare(self, text: str, style: Style, *, protected: bool = False) -> PromptRef:
        if "q" in text:
            raise SynthesisError("q can not be spoken")
        return PromptRef(text, text, 20, "fake", protected)

    def audio(self, key: str) -> Audio:
        if key == "absent":
            raise SynthesisError(f"no prompt {key}")
        return Audio(key.encode() * 10)


def pipeline(recognizer: Recognizer | None = None) -> Pipeline:
    """Return the main path over the stand-ins."""
    return Pipeline(
        recognizer or Recognizer(), Analyzer(), SituationReader(), Ranker(), Policy(), Prompts(), Playbooks()
    )


def local(recognizer: Recognizer | None = None) -> Callable[[], LocalConversation]:
    """Return a factory of conversations in this process."""
    way, threads = pipeline(recognizer), ThreadPoolExecutor(16)
    return lambda: LocalConversation(way, threads)


def speech(ms: int) -> bytes:
    """Return that much speech."""
    return bytes(ms * 16)
