"""The way of one utterance: recognise, understand, rank, relate, choose, prepare what is said.

    speech ─▶ transcript ─▶ keywords, prosody, emotion ─▶ situation ─▶ candidates
           ─▶ relation ─▶ decision and next state ─▶ prompts

The stages do not know each other. `decide` is pure: the same snapshot, utterance and transcript give the same
decision and the same next snapshot, so that a decision can be thrown away and taken again.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import structlog

from voicebot import codec
from voicebot.call.protection import protected_ms
from voicebot.call.speculation import Pace
from voicebot.call.stopwatch import Stopwatch
from voicebot.dialogue import wording
from voicebot.dialogue.following import follow, match
from voicebot.dialogue.offers import offers
from voicebot.domain.answering import Teller
from voicebot.domain.audio import LINE_RATE_HZ, Audio
from voicebot.domain.call import CallRequest, Delivery, EndCause, Outcome, PromptRef, Turn, TurnResult
from voicebot.domain.dialogue import Candidate, Decision, DialogueState, Relation, Snapshot
from voicebot.domain.emotion import CALM, Emotion, EmotionLabel, SpeakerBaseline
from voicebot.domain.errors import InferenceError, VoicebotError, WithdrawnError
from voicebot.domain.people import Delivered
from voicebot.domain.ports import (
    DialoguePolicy,
    EmotionAnalyzer,
    EndpointScorer,
    PlaybookSource,
    PromptStore,
    Ranker,
    RecognitionStream,
    Recognizer,
    SituationReader,
)
from voicebot.domain.script import Action, Playbook, Style
from voicebot.domain.speech import Expectation, Prosody, Transcript, Utterance, UtteranceKind
from voicebot.domain.understanding import Understanding
from voicebot.text.announcements import by_table

CANDIDATES = 5

log = structlog.get_logger()


class Pipeline:
    """The main path. Holds no call's state; thread-safe as far as its parts are."""

    def __init__(
        self,
        recognizer: Recognizer,
        analyzer: EmotionAnalyzer,
        situation_reader: SituationReader,
        ranker: Ranker,
        policy: DialoguePolicy,
        prompts: PromptStore,
        playbooks: PlaybookSource,
        endpoints: EndpointScorer | None = None,
        tells: Teller = by_table,
    ) -> None:
        """Join the stages.

        Without `endpoints`, ends of turns are told by silence alone; without `tells`, machines that answer by
        known wording alone.
        """
        self.tells = tells
        self._endpoints = endpoints
        self._recognizer = recognizer
        self._analyzer = analyzer
        self._situation_reader = situation_reader
        self._ranker = ranker
        self._policy = policy
        self._prompts = prompts
        self._playbooks = playbooks
        self.pace = Pace()
        self._protected_ms: dict[str, int] = {}  # by prompt

    # -- a call's state --

    def begin(self, request: CallRequest) -> Snapshot:
        """Return the snapshot of a call before its opening. Raises PlaybookError."""
        playbook = self._playbooks.get(request.playbook_id)
        seed = zlib.crc32(request.call_id.encode())
        state = replace(self._policy.begin(playbook, request.slots), withheld=request.withheld)
        return Snapshot(request.call_id, seed, state)

    def resume(self, request: CallRequest, data: bytes) -> Snapshot:
        """Return the snapshot that a line worker held. Raises InferenceError if it is not this call's."""
        try:
            snapshot = codec.decode(Snapshot, data)
        except ValueError as wrong:
            raise InferenceError(
                "the snapshot can not be read",
                hint="line workers and inference servers must be of one version",
            ) from wrong
        if snapshot.call_id != request.call_id:
            raise InferenceError(f"the snapshot is of call {snapshot.call_id}, not {request.call_id}")
        return snapshot

    def conclude(self, snapshot: Snapshot, cause: EndCause) -> Outcome:
        """Return the disposition, intent level and reasons at the end of a call."""
        return self._policy.conclude(snapshot.state, cause, self._playbook(snapshot.state))

    # -- recognise --

    def listen(self, snapshot: Snapshot) -> RecognitionStream:
        """Open a stream for the customer's next utterance, told what is expected here."""
        playbook = self._playbook(snapshot.state)
        last = playbook.scripts.get(snapshot.state.used[-1]) if snapshot.state.used else None
        answers = tuple(answer.phrases for answer in last.answers) if last else ()
        return self._recognizer.open(
            LINE_RATE_HZ, Expectation(answers, playbook.keywords, _customer_lines(playbook))
        )

    @property
    def load(self) -> float:
        """Utterances being recognised or waiting, for each that can be at the same time."""
        return self._recognizer.load

    def ending(self, stream: RecognitionStream | None) -> Sequence[float] | None:
        """Return the recogniser's vector of how the speech so far ends; None if it has none.

        Raises WithdrawnError: more speech came.
        """
        if stream is None:
            return None
        try:
            return stream.ending()
        except WithdrawnError:
            raise
        except VoicebotError as error:
            log.warning("no view of the speech's end", error=str(error))
            return None

    def recognise(self, stream: RecognitionStream | None, *, final: bool = False) -> Transcript:
        """Return the words so far; nothing understood if the engine fails, so that the bot asks back.

        Raises WithdrawnError: more speech came.
        """
        if stream is None:
            return Transcript("", method="no speech")
        try:
            return stream.result(final=final)
        except WithdrawnError:
            raise
        except VoicebotError as error:
            log.warning("recognition failed", error=str(error))
            return Transcript("", engine=self._recognizer.name, method="failed")

    def overhear(self, pcm: bytes) -> str:
        """Return the words of what answers a call, outside the dialogue; "" if they can not be read."""
        stream = self._recognizer.open(LINE_RATE_HZ, Expectation(announcement=True))
        stream.feed(pcm)
        try:
            return self.recognise(stream).text  # not final: customers' answers go first
        finally:
            stream.abort()

    def message(self, snapshot: Snapshot) -> PromptRef | None:
        """Return what the playbook leaves for a mailbox; None if it leaves nothing. Raises VoicebotError."""
        playbook = self._playbook(snapshot.state)
        script = playbook.scripts.get(playbook.voicemail)
        if script is None:
            return None
        values = {**snapshot.state.slots, **snapshot.state.facts}
        text = wording.word(script, Style.NEUTRAL, values, playbook, snapshot.seed)
        return self._prompts.prepare(text, Style.NEUTRAL, protected=True)

    def endpoint(
        self, snapshot: Snapshot, utterance: Utterance, ending: Sequence[float] | None, text: str | None
    ) -> tuple[float, str, bool] | None:
        """Return the chance that the customer has finished, the words, and whether they are a mere 嗯.

        None without a scorer, or where it can say nothing: then silence alone decides.
        """
        if self._endpoints is None or utterance.audio is None:
            return None
        score = self._endpoints.score(ending, utterance.audio, text, snapshot.state.expect)
        if score is None:
            return None
        return score, text or "", self._endpoints.backchannel(text or "", utterance.audio)

    # -- decide --

    def decide(
        self,
        snapshot: Snapshot,
        utterance: Utterance,
        transcript: Transcript,
        generation: int,
        *,
        at: datetime,
        recognise_ms: float = 0.0,
        speak: bool = True,
    ) -> TurnResult:
        """Return the decision on an utterance, with the next snapshot.

        Args:
            snapshot: the state as of the last commit.
            utterance: with its audio, if it is speech.
            transcript: its words; empty for silence, keys and the opening.
            generation: under which the line worker asked.
            at: now, UTC.
            recognise_ms: how long the transcript took, for the record.
            speak: the script will be spoken to the customer; else it is only suggested, and not rendered.

        Raises:
            VoicebotError: a script is missing or can not be spoken.
        """
        state = snapshot.state
        playbook = self._playbook(state)
        step = Stopwatch({"recognise_ms": round(recognise_ms, 2)})
        with step("emotion"):
            keywords, prosody, emotion, baseline = self._feel(utterance, transcript, snapshot.baseline)
        with step("situation"):
            situation = state.situation
            if utterance.kind is UtteranceKind.SPEECH:
                situation = self._situation_reader.read(transcript, utterance.audio, state.situation)
        understanding = Understanding(transcript, keywords, prosody, emotion, situation)
        with step("rank"):
            candidates = self._rank(understanding, state, playbook)
        with step("relation"):
            relation = self._policy.relate(understanding, state, playbook, candidates)
        with step("choose"):
            seed = zlib.crc32(f"{snapshot.seed}:{state.turn}".encode())
            decision, after = self._policy.choose(
                utterance, understanding, relation, candidates, state, playbook, seed
            )
            decision = replace(decision, model_version=self._ranker.version)
        with step("prompts"):
            prompts = self._prepare(decision, playbook) if speak else ()
        turn = _turn(snapshot, utterance, understanding, decision, prompts, at, step)
        return TurnResult(
            generation,
            decision.action,
            prompts,
            turn,
            codec.encode(replace(snapshot, state=after, baseline=baseline)),
            decision.expect,
            decision.patience_ms,
            offers(decision, state, playbook, seed),
        )

    def delivered(
        self,
        snapshot: Snapshot,
        decided: TurnResult | None,
        transcript: Transcript,
        span_s: tuple[float, float],
        *,
        at: datetime,
    ) -> TurnResult:
        """Return the turn in which a person of ours spoke, with the next snapshot.

        Args:
            snapshot: the state as of the last commit.
            decided: the decision on the customer's utterance before it; None = the customer said nothing.
            transcript: of the person's words.
            span_s: from when to when, seconds since the answer.
            at: now, UTC.
        """
        playbook = self._playbook(snapshot.state)
        suggested = tuple(one.script_id for one in decided.suggested) if decided else ()
        script_id, alike = match(transcript.text, playbook, snapshot.state.scene, suggested)
        said = Delivered(transcript.text, script_id, alike, *span_s)
        turn = decided.turn if decided else _unasked(snapshot, said, playbook, at)
        after = codec.decode(Snapshot, decided.snapshot) if decided else snapshot
        state = follow(snapshot.state, after.state if decided else None, said, playbook)
        return TurnResult(
            decided.generation if decided else 0,
            Action.SAY,
            (),
            replace(turn, delivered=said, delivery=Delivery.SUGGEST),
            codec.encode(replace(after, state=state)),
        )

    def listen_to_agent(self, snapshot: Snapshot) -> RecognitionStream:
        """Open a stream for a person of ours, who mostly says scripts."""
        playbook = self._playbook(snapshot.state)
        lines = tuple(script.text for script in playbook.scripts.values())
        return self._recognizer.open(LINE_RATE_HZ, Expectation((), playbook.keywords, lines))

    def speak(self, text: str) -> Audio:
        """Return a text as speech for our own people. Raises SynthesisError."""
        return self._prompts.audio(self._prompts.prepare(text, Style.NEUTRAL).key)

    def audio(self, key: str) -> Audio:
        """Return a prepared prompt's audio."""
        return self._prompts.audio(key)

    # -- the steps --

    def _playbook(self, state: DialogueState) -> Playbook:
        return self._playbooks.get(state.playbook_id, state.playbook_version)

    def _feel(
        self, utterance: Utterance, transcript: Transcript, baseline: SpeakerBaseline
    ) -> tuple[tuple[str, ...], Prosody | None, Emotion, SpeakerBaseline]:
        """Hear words and sound. Who is silent is calm; where the analyser fails, the words go on alone."""
        if utterance.kind is not UtteranceKind.SPEECH:
            return (), None, Emotion(EmotionLabel.CALM, CALM, reasons=("nothing was spoken",)), baseline
        try:
            return self._analyzer.analyse(transcript, utterance.audio, baseline)
        except VoicebotError as error:
            log.warning("emotion failed", error=str(error))
            return (), None, Emotion(EmotionLabel.CALM, CALM, reasons=("the analyser failed",)), baseline

    def _rank(
        self, understanding: Understanding, state: DialogueState, playbook: Playbook
    ) -> tuple[Candidate, ...]:
        """Rank what may be said. Without a ranker the policy's own rules still answer."""
        allowed = self._policy.allowed(state, playbook)
        try:
            return self._ranker.rank(understanding, state, playbook, allowed, CANDIDATES)
        except VoicebotError as error:
            log.warning("ranking failed", error=str(error))
            return ()

    def _prepare(self, decision: Decision, playbook: Playbook) -> tuple[PromptRef, ...]:
        if not decision.script_text:
            return ()
        prompt = self._prompts.prepare(decision.script_text, decision.style, protected=decision.protected)
        script = playbook.scripts.get(decision.script_id)
        if script is not None and script.protected_text and prompt.duration_ms:
            until = self._protected_ms.get(prompt.key)
            if until is None:
                pcm = self._prompts.audio(prompt.key).pcm
                until = protected_ms(pcm, script.protected_text, decision.script_text)
                self._protected_ms[prompt.key] = until
            prompt = replace(prompt, protected_ms=until)
        return (prompt,)


def _unasked(snapshot: Snapshot, said: Delivered, playbook: Playbook, at: datetime) -> Turn:
    """Return the turn of a person who spoke although the customer had said nothing."""
    state = snapshot.state
    nothing = Understanding(Transcript(""), (), None, Emotion(EmotionLabel.CALM, CALM), state.situation)
    decision = Decision(
        Action.SAY,
        said.script_id,
        said.text,
        Style.NEUTRAL,
        (),
        ("坐席自己说的",),
        Relation.ANSWERS,
        state.scene,
        state.scene,
        playbook_version=playbook.version,
    )
    return Turn(
        snapshot.call_id,
        state.turn,
        at,
        UtteranceKind.SILENCE,
        said.start_s,
        said.start_s,
        nothing,
        decision,
    )


def _customer_lines(playbook: Playbook) -> tuple[str, ...]:
    """Return every way in which customers of a playbook are known to talk, each once."""
    scripts = playbook.scripts.values()
    answers = (phrase for script in scripts for answer in script.answers for phrase in answer.phrases)
    return tuple(dict.fromkeys((*(line for script in scripts for line in script.examples), *answers)))


def _turn(
    snapshot: Snapshot,
    utterance: Utterance,
    understanding: Understanding,
    decision: Decision,
    prompts: tuple[PromptRef, ...],
    at: datetime,
    step: Stopwatch,
) -> Turn:
    return Turn(
        call_id=snapshot.call_id,
        seq=snapshot.state.turn,
        at=at,
        kind=utterance.kind,
        start_s=utterance.start_s,
        end_s=utterance.end_s,
        understanding=understanding,
        decision=decision,
        barged_in=utterance.barged_in,
        heard_ms=utterance.heard_ms,
        prompt_engine="+".join(dict.fromkeys(prompt.engine for prompt in prompts)),
        timings_ms={**step.ms, "decide_ms": round(sum(step.ms.values()), 2)},
    )
