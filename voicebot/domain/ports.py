"""The Protocols through which rooms of the house meet. Wired in `voicebot.bootstrap`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from typing import Protocol

from voicebot.domain.answering import Finding
from voicebot.domain.audio import Audio
from voicebot.domain.call import (
    CallEvent,
    CallRecord,
    CallRequest,
    Delivery,
    EndCause,
    LineStatus,
    Outcome,
    Overheard,
    Progress,
    PromptRef,
    Turn,
    TurnResult,
)
from voicebot.domain.dialogue import Candidate, Decision, DialogueState, Relation
from voicebot.domain.emotion import Emotion, EmotionSample, SpeakerBaseline
from voicebot.domain.people import Agent, Briefing, Takeover, TakeoverKind
from voicebot.domain.sample import Sample
from voicebot.domain.script import Expect, Playbook, Style
from voicebot.domain.speech import NOTHING_EXPECTED, Expectation, Prosody, Transcript, Utterance
from voicebot.domain.understanding import Situation, Understanding


class RecognitionStream(Protocol):
    """One utterance being recognised."""

    def feed(self, pcm: bytes) -> None:
        """Take the next speech, at the rate the stream was opened with."""

    def ending(self) -> Sequence[float] | None:
        """Return a vector of how the speech so far ends, before its words are known; None without one.

        Blocks while the engine computes; what it has computed serves `result` too.
        """

    def result(self, *, final: bool) -> Transcript:
        """Return the words so far. Blocks while the engine computes; `final` ends the stream."""

    def withdraw(self) -> None:
        """Drop a request that waits for its turn, for more speech is coming: it raises WithdrawnError."""

    def abort(self) -> None:
        """Throw the stream away; a running decode may finish unheard."""


class Recognizer(Protocol):
    """A speech recognition engine. Thread-safe: many streams at once."""

    name: str

    @property
    def load(self) -> float:
        """Requests that are computed or wait, for each that can be computed at the same time."""

    def open(self, rate_hz: int, expected: Expectation = NOTHING_EXPECTED) -> RecognitionStream:
        """Begin one utterance, told what is expected here."""


class EndpointScorer(Protocol):
    """Tells ends of turns from pauses."""

    version: str

    def score(
        self, ending: Sequence[float] | None, audio: Audio, text: str | None, expect: Expect
    ) -> float | None:
        """Return the chance (0-1) that the customer has finished; None if nothing can be said.

        `ending`: the recogniser's vector of how the speech ends. `audio`: the speech with the short pause.
        `text`: the words, None while unknown. `expect`: what the bot asked for.
        """

    def backchannel(self, text: str, audio: Audio) -> bool:
        """Return whether words do not ask for the turn: a mere 嗯 or 对, or heard where nobody spoke."""


class EmotionAnalyzer(Protocol):
    """Turns words and sound into keywords, prosody and emotion (first, second, fused)."""

    version: str

    def analyse(
        self, transcript: Transcript, audio: Audio | None, baseline: SpeakerBaseline
    ) -> tuple[tuple[str, ...], Prosody | None, Emotion, SpeakerBaseline]:
        """Return keywords, the utterance's prosody, its emotion and the next baseline."""


class EmotionSamples(Protocol):
    """Where judged turns come from: a file, or the database."""

    def samples(self) -> Iterator[EmotionSample]:
        """Yield every judged turn whose voice can be compared with the speaker's own calm one."""


class SituationReader(Protocol):
    """Reads the customer's situation from words (and later, background sound)."""

    def read(self, transcript: Transcript, audio: Audio | None, before: Situation) -> Situation:
        """Return the situation after this utterance."""


class Ranker(Protocol):
    """The target model (目标模型): understanding -> candidate scripts."""

    @property
    def version(self) -> str:
        """What this thread's last turn was ranked by."""

    def rank(
        self,
        understanding: Understanding,
        state: DialogueState,
        playbook: Playbook,
        allowed: Sequence[str],
        k: int = 5,
    ) -> tuple[Candidate, ...]:
        """Return up to k of the allowed script ids, most probable first."""


class SampleSource(Protocol):
    """Where historical samples come from: a file, or what people scored in the database."""

    def samples(self, playbook_id: str) -> Iterable[Sample]:
        """Return the samples of a playbook, in a fixed order."""


class Explorer(Protocol):
    """Departs from the best candidate in a bounded share of decisions, so that others can be learnt about."""

    def explore(
        self, playbook_id: str, shown: Sequence[tuple[str, float]], seed: int
    ) -> tuple[int, tuple[float, ...]]:
        """Return which of the shown (script id and share; best first) is said, and how likely each was.

        Pure in its seed.
        """


class DialoguePolicy(Protocol):
    """Chooses one script (话术决策) and advances the state. Pure: same input, same output."""

    def begin(self, playbook: Playbook, slots: Mapping[str, str]) -> DialogueState:
        """Return the state before the opening."""

    def allowed(self, state: DialogueState, playbook: Playbook) -> tuple[str, ...]:
        """Return the script ids that may be said now: gated by scene, needs and compliance."""

    def relate(
        self,
        understanding: Understanding,
        state: DialogueState,
        playbook: Playbook,
        candidates: Sequence[Candidate] = (),
    ) -> Relation:
        """Return how the utterance relates to those before; the candidates help to tell."""

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
        """Return the decision and the state after it."""

    def conclude(self, state: DialogueState, cause: EndCause, playbook: Playbook) -> Outcome:
        """Return the disposition, intent level and reasons at the end of a call."""


class Synthesizer(Protocol):
    """A voice. hanzi and style in, 8 kHz audio out."""

    name: str
    robotic: bool  # not fit for customers: warn
    live: bool  # quick enough to speak within a call

    def available(self) -> str:
        """Return "" if the engine can speak here, else why not."""

    def synthesize(self, text: str, style: Style) -> Audio:
        """Return the spoken text. Raises SynthesisError; never returns silence."""


class PromptStore(Protocol):
    """Rendered prompts (prompt cache), keyed by hash."""

    def prepare(self, text: str, style: Style, *, protected: bool = False) -> PromptRef:
        """Return the cached prompt for a text, rendering it first if need be."""

    def audio(self, key: str) -> Audio:
        """Return a prompt's audio."""


class PromptIndex(Protocol):
    """What lies in the prompt cache, for every process to see. Never blocks and never fails a call."""

    def kept(self, key: str, engine: str, style: str, duration_ms: int, size_bytes: int) -> None:
        """A prompt was rendered."""

    def used(self, key: str) -> None:
        """A prompt was spoken, or looked at to be spoken."""

    def dropped(self, keys: Sequence[str]) -> None:
        """Prompts were deleted."""


class PlaybookSource(Protocol):
    """Where playbooks come from."""

    def get(self, playbook_id: str, version: str = "") -> Playbook:
        """Return a playbook, the newest if no version is named."""


class PlaybookArchive(Protocol):
    """Keeps the versions of playbooks for calls that began with them. Never fails a call."""

    def keep(self, playbook_id: str, version: str, text: str) -> None:
        """Note a version with the text of its file."""

    def text(self, playbook_id: str, version: str) -> str:
        """Return the text of a version's file; "" if it is not known."""


class Conversation(Protocol):
    """The inference side of one call, as the line worker sees it (over gRPC or in-process)."""

    async def open(self, request: CallRequest, snapshot: bytes = b"") -> bytes:
        """Begin, or resume from a snapshot. Returns the snapshot."""

    def listen(self, on_progress: Callable[[Progress], None]) -> None:
        """Have progress told, in the event loop, while decisions are computed."""

    def notice(self, on_finding: Callable[[Finding], None]) -> None:
        """Have it told, in the event loop, what answers the call."""

    def overhear(self, pcm: bytes, *, answered: bool) -> None:
        """Pass on what the far end says, before the answer and after it, to find what answers.

        Whole frames of 20 ms, in order. Beside the dialogue: `speech` carries what is decided on. Does not
        block.
        """

    def speech(self, generation: int, pcm: bytes) -> None:
        """Pass on speech since onset, in order. Does not block.

        Nothing is sent twice: a newer generation goes on where the older one's speech ended, so
        an utterance is all speech since the last commit.
        """

    async def decide(self, generation: int, utterance: Utterance) -> TurnResult:
        """Decide on the utterance so far. Asked again with a newer generation if speech goes on.

        `utterance.audio` is not sent again: it is what `speech` carried for this generation.
        """

    async def commit(self, generation: int) -> None:
        """Make this generation's decision real; its snapshot is the state from now on."""

    def deliver(self, delivery: Delivery) -> None:
        """Have decisions spoken, or suggested, from now on; what is only suggested is not rendered."""

    def agent_speech(self, pcm: bytes) -> None:
        """Pass on what a person of ours says, in order. Does not block."""

    async def agent_said(self, generation: int, start_s: float, end_s: float) -> TurnResult:
        """Make real what that person said since the last time, in place of a decision.

        `generation` is the decision on the customer's utterance that was answered; 0 = none. The result's
        turn tells what was delivered, its snapshot is the state from now on. If no speech was passed on, the
        person was silent: the utterance stands unanswered, and what the customer says next is a new one.
        """

    async def speak(self, text: str) -> Audio:
        """Return a text as speech for our own people: a briefing."""

    async def prompt(self, ref: PromptRef) -> Audio:
        """Return a prompt's audio."""

    async def close(self, cause: EndCause) -> Outcome:
        """End the call and return its outcome."""


class LineControl(Protocol):
    """A line worker, as dialer, console and CLI see it (in-process, or over gRPC)."""

    async def originate(self, request: CallRequest) -> None:
        """Place a call. Raises CapacityError when every leg is in use or it drains."""

    async def hang_up(self, call_id: str) -> None:
        """End a call. Raises TelephonyError if there is none of this id."""

    async def transfer(self, call_id: str, target_uri: str) -> None:
        """Hand a call over (blind REFER); it goes on here if that fails."""

    async def take_over(
        self, call_id: str, agent_id: str = "", kind: TakeoverKind = TakeoverKind.AUTO
    ) -> None:
        """Hand a call to an agent of ours: the one named, who must be free, else whoever is ready.

        It goes on here if nobody takes it.
        """

    async def deliver(self, call_id: str, delivery: Delivery) -> None:
        """Let the bot speak, or only suggest to the person on the line. Raises TelephonyError if none is."""

    async def whisper(self, call_id: str, uri: str) -> None:
        """Let a supervisor's phone join: heard by the agent alone, hears both."""

    def listen(self, call_id: str) -> AsyncIterator[Overheard]:
        """Yield both directions of a call from now on. Costs no leg. Raises TelephonyError."""

    def watch(self) -> AsyncIterator[CallEvent]:
        """Yield what is known of the calls that run, then the events of all calls."""

    async def status(self) -> LineStatus:
        """Return how it stands."""

    async def drain(self) -> None:
        """Take no new calls; return when the running ones have ended."""


class Journal(Protocol):
    """The call journal. Never blocks, never loses: spools to disk while the database is away."""

    def answered(self, request: CallRequest, worker: str) -> None:
        """The call was answered."""

    def turn(self, turn: Turn) -> None:
        """A turn was committed. A decision with do_not_call writes that in the same transaction."""

    def taken_over(self, takeover: Takeover) -> None:
        """A takeover succeeded or failed."""

    def ended(self, record: CallRecord) -> None:
        """The call attempt ended."""


class AgentDesk(Protocol):
    """Finds people for calls, and keeps who talks with whom. Nothing raises StoreError."""

    async def reserve(self, call_id: str, campaign_id: str, agent_id: str = "") -> Agent | None:
        """Reserve the agent who waited longest, or the one named; None = nobody is free."""

    async def staffed(self, campaign_id: str) -> bool:
        """Return whether it makes sense to wait for an agent."""

    async def show(self, agent: Agent, briefing: Briefing) -> None:
        """Put what is known on the agent's screen, before the phone rings."""

    async def connected(self, agent: Agent, call_id: str) -> None:
        """The agent talks with the customer."""

    async def release(self, agent: Agent, call_id: str, *, missed: bool = False, away: bool = False) -> None:
        """The call is over for the agent: free now, or missed it, or goes on where we do not see it."""


class BlobStore(Protocol):
    """Recordings, prompts and weights."""

    def put(self, key: str, data: bytes) -> None:
        """Write a blob atomically."""

    def get(self, key: str) -> bytes:
        """Return a blob; StoreError if it is missing."""

    def keys(self, prefix: str = "") -> Iterator[str]:
        """List keys."""

    def delete(self, key: str) -> None:
        """Delete a blob; one that is gone already is no error."""
