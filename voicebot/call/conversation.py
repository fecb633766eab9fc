"""The inference side of one call, in this process."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from datetime import UTC, datetime
from typing import TypeVar

from voicebot import codec
from voicebot.call.overhearing import Overhearing
from voicebot.call.pipeline import Pipeline
from voicebot.call.speculation import SpeculationTuning, look_ms, wait_ms
from voicebot.domain.answering import Finding
from voicebot.domain.audio import LINE_RATE_HZ, Audio
from voicebot.domain.call import CallRequest, Delivery, EndCause, Outcome, Progress, PromptRef, TurnResult
from voicebot.domain.dialogue import Snapshot
from voicebot.domain.errors import InferenceError, WithdrawnError
from voicebot.domain.ports import RecognitionStream
from voicebot.domain.speech import Transcript, Utterance, UtteranceKind

_CPU = "decoding_cpu_ms"
_MOST_SPEECH_BYTES = 180 * LINE_RATE_HZ * 2  # of one utterance; what lies before is forgotten

T = TypeVar("T")


class LocalConversation:
    """Holds the snapshot, the speech since the last commit, and the decisions that may become real."""

    def __init__(
        self, pipeline: Pipeline, executor: Executor, tuning: SpeculationTuning | None = None
    ) -> None:
        """Make the conversation of one call.

        Args:
            pipeline: shared by all calls.
            executor: threads for what blocks; as many as calls may decide at once.
            tuning: when speculation is worth its CPU.
        """
        self._pipeline = pipeline
        self._tuning = tuning or SpeculationTuning()
        self._executor = executor
        self._snapshot: Snapshot | None = None
        self._speech: list[tuple[int, bytes]] = []  # (generation, PCM) since the last commit
        self._stream: RecognitionStream | None = None
        self._results: dict[int, TurnResult] = {}
        self._newest = 0
        self._committed = 0
        self._deciding: asyncio.Future[TurnResult] | None = None
        self._gone_on = asyncio.Event()  # the customer, since the newest decision was asked for
        self._wasted_ms = 0.0  # CPU of decisions since the last commit that came to nothing
        self._delivery = Delivery.SPEAK
        self._agent_stream: RecognitionStream | None = None
        self._on_progress: Callable[[Progress], None] = lambda _: None
        self._on_finding: Callable[[Finding], None] = lambda _: None
        self._overhearing: Overhearing | None = None
        self._leave_message = False

    async def open(self, request: CallRequest, snapshot: bytes = b"") -> bytes:
        """Begin, or resume from a snapshot. Raises PlaybookError, InferenceError."""
        if self._snapshot is not None:
            raise InferenceError(f"call {request.call_id} is open already")
        self._delivery = request.delivery
        if snapshot:
            self._snapshot = await self._blocking(lambda: self._pipeline.resume(request, snapshot))
        else:
            self._snapshot = await self._blocking(lambda: self._pipeline.begin(request))
        self._leave_message = request.leave_message
        return codec.encode(self._snapshot)

    def listen(self, on_progress: Callable[[Progress], None]) -> None:
        """Have progress told, in the event loop, while decisions are computed."""
        self._on_progress = on_progress

    def notice(self, on_finding: Callable[[Finding], None]) -> None:
        """Have it told, in the event loop, what answers the call."""
        self._on_finding = on_finding

    def overhear(self, pcm: bytes, *, answered: bool) -> None:
        """Take what the far end says before and after the answer, beside the dialogue."""
        if self._snapshot is None:
            return
        if self._overhearing is None:
            self._overhearing = Overhearing(
                self._pipeline.overhear,
                self._executor,
                lambda found: self._on_finding(found),
                self._message,
                self._pipeline.tells,
                lambda: self._pipeline.load >= self._tuning.spare,
            )
        self._overhearing.push(pcm, answered=answered)

    def speech(self, generation: int, pcm: bytes) -> None:
        """Take speech since onset, in order. What belongs to a committed generation is late and dropped."""
        if self._snapshot is None or generation <= self._committed or not pcm:
            return
        if generation > self._newest:
            self._gone_on.set()  # the newest decision is dead
            if self._stream is not None:
                self._stream.withdraw()
        self._speech.append((generation, pcm))
        if self._stream is None:
            self._stream = self._pipeline.listen(self._snapshot)
        self._stream.feed(pcm)
        while sum(len(part) for _, part in self._speech) > _MOST_SPEECH_BYTES:
            self._speech.pop(0)

    async def decide(self, generation: int, utterance: Utterance) -> TurnResult:
        """Decide on the speech so far.

        Raises:
            InferenceError: the call is not open, or the generation is older than another that was asked for.
            VoicebotError: a script is missing or can not be spoken.
        """
        snapshot = self._open()
        if generation <= self._committed or generation < self._newest:
            raise InferenceError(
                f"generation {generation} is superseded by {max(self._newest, self._committed)}"
            )
        self._newest = generation
        self._wasted_ms += sum(result.turn.timings_ms[_CPU] for result in self._results.values())
        self._results.clear()  # nobody commits them any more
        self._gone_on.set()
        self._gone_on = gone_on = asyncio.Event()
        if self._deciding is not None:
            self._deciding.cancel()
        stream, ending = self._stream, None
        if utterance.kind is UtteranceKind.SPEECH:
            pcm = b"".join(part for number, part in self._speech if number <= generation)
            utterance = replace(utterance, audio=Audio(pcm))
            ending = await self._worth_it(snapshot, utterance, stream, generation, gone_on)
        loop = asyncio.get_running_loop()
        work = self._blocking(lambda: self._work(snapshot, utterance, stream, generation, ending, loop))
        self._deciding = work
        try:
            result = await work
        except WithdrawnError:
            raise self._superseded(generation) from None
        except asyncio.CancelledError:
            if generation == self._newest:
                raise  # the caller gave up
            raise self._superseded(generation) from None
        cpu_ms = result.turn.understanding.transcript.compute_s * 1000
        if gone_on.is_set():
            self._wasted_ms += cpu_ms
            raise self._superseded(generation)
        self._results[generation] = self._timed(result, cpu_ms)
        return self._results[generation]

    async def _worth_it(
        self,
        snapshot: Snapshot,
        utterance: Utterance,
        stream: RecognitionStream | None,
        generation: int,
        gone_on: asyncio.Event,
    ) -> Sequence[float] | None:
        """Return how the speech ends, as soon as it is worth to decide on it; tell the line worker before.

        Raises:
            InferenceError: the customer went on meanwhile.
        """
        began = time.perf_counter()
        expect, load = snapshot.state.expect, self._pipeline.load
        ending: Sequence[float] | None = None
        score: float | None = None
        if utterance.barged_in or load < self._tuning.full:
            waited_for = utterance.barged_in or self._delivery is Delivery.SUGGEST
            await self._stay(look_ms(self._tuning, load, waited_for=waited_for), generation, gone_on)
            try:
                ending, told = await self._blocking(
                    lambda: self._hear(snapshot, utterance, stream, generation, began)
                )
            except WithdrawnError:
                raise self._superseded(generation) from None
            if told is not None:
                score = told.endpoint_score
                self._on_progress(told)
        wait = wait_ms(
            self._tuning,
            score,
            expect,
            load,
            barged_in=utterance.barged_in,
            asked_ms=(time.perf_counter() - began) * 1000,
            pace_ms=self._pipeline.pace.ms,
        )
        if self._delivery is Delivery.SUGGEST:
            wait = 0  # an agent waits for it, and reads while the customer may go on
        await self._stay(wait, generation, gone_on)
        return ending

    async def _stay(self, ms: int, generation: int, gone_on: asyncio.Event) -> None:
        """Wait for so long. Raises InferenceError: the customer went on meanwhile."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(ms / 1000):
                await gone_on.wait()
        if gone_on.is_set():
            raise self._superseded(generation)

    async def commit(self, generation: int) -> None:
        """Make a decision real: state, baseline and recogniser context advance to it."""
        self._open()
        result = self._results.get(generation)
        if result is None:
            raise InferenceError(f"generation {generation} was not decided here")
        self._snapshot = codec.decode(Snapshot, result.snapshot)
        self._advance(generation)

    def _advance(self, generation: int) -> None:
        """Forget the speech of a generation that became real; later speech is a new utterance's."""
        self._committed = generation
        self._results.clear()
        self._wasted_ms = 0.0
        self._end_stream()
        kept = [(number, pcm) for number, pcm in self._speech if number > generation]
        self._speech.clear()
        for number, pcm in kept:
            self.speech(number, pcm)

    def deliver(self, delivery: Delivery) -> None:
        """Have decisions spoken, or only suggested, from now on."""
        self._delivery = delivery

    def agent_speech(self, pcm: bytes) -> None:
        """Take what a person of ours says, in order."""
        if self._snapshot is None or not pcm:
            return
        if self._agent_stream is None:
            self._agent_stream = self._pipeline.listen_to_agent(self._snapshot)
        self._agent_stream.feed(pcm)

    async def agent_said(self, generation: int, start_s: float, end_s: float) -> TurnResult:
        """Recognise what the person said, and advance by it, not by the decision.

        Raises:
            InferenceError: the call is not open, or nothing was said to what was not decided here.
        """
        snapshot, stream = self._open(), self._agent_stream
        self._agent_stream = None
        decided = self._results.get(generation)
        pipeline = self._pipeline
        if stream is None and decided is None:
            raise InferenceError(f"generation {generation} was not decided here")

        def work() -> TurnResult:
            heard = pipeline.recognise(stream, final=True)
            return pipeline.delivered(snapshot, decided, heard, (start_s, end_s), at=datetime.now(UTC))

        # Where nothing is to be recognised, no more speech is taken before the state has advanced.
        result = work() if stream is None else await self._blocking(work)
        self._snapshot = codec.decode(Snapshot, result.snapshot)
        if decided is not None:
            self._advance(generation)
        return result

    async def speak(self, text: str) -> Audio:
        """Return a text as speech for our own people. Raises SynthesisError."""
        return await self._blocking(lambda: self._pipeline.speak(text))

    async def prompt(self, ref: PromptRef) -> Audio:
        """Return a prompt's audio. Raises SynthesisError."""
        return await self._blocking(lambda: self._pipeline.audio(ref.key))

    async def close(self, cause: EndCause) -> Outcome:
        """End the call and return its outcome, as of the last commit."""
        snapshot = self._open()
        if self._deciding is not None:
            self._deciding.cancel()
        self._end_stream()
        self._end_agent_stream()
        if self._overhearing is not None:
            self._overhearing.stop()
        self._speech.clear()
        self._snapshot = None
        return self._pipeline.conclude(snapshot, cause)

    def _message(self) -> PromptRef | None:
        snapshot = self._snapshot
        if not self._leave_message or snapshot is None:
            return None
        return self._pipeline.message(snapshot)

    def _hear(
        self,
        snapshot: Snapshot,
        utterance: Utterance,
        stream: RecognitionStream | None,
        generation: int,
        began: float,
    ) -> tuple[Sequence[float] | None, Progress | None]:
        """Return how the speech ends, and what to tell the line worker of it; in a thread."""
        ending = self._pipeline.ending(stream)
        return ending, self._thought(snapshot, utterance, generation, began, ending, None)

    def _thought(
        self,
        snapshot: Snapshot,
        utterance: Utterance,
        generation: int,
        began: float,
        ending: Sequence[float] | None,
        text: str | None,
    ) -> Progress | None:
        found = self._pipeline.endpoint(snapshot, utterance, ending, text)
        if found is None:
            return None
        at_ms = round((time.perf_counter() - began) * 1000)
        return Progress(generation, *found, at_ms, text is not None)

    def _work(
        self,
        snapshot: Snapshot,
        utterance: Utterance,
        stream: RecognitionStream | None,
        generation: int,
        ending: Sequence[float] | None,
        loop: asyncio.AbstractEventLoop,
    ) -> TurnResult:
        """Recognise and decide; in a thread."""
        began = time.perf_counter()
        transcript = Transcript("")
        encoded = ending is not None
        if utterance.kind is UtteranceKind.SPEECH:
            if not encoded:
                ending = self._pipeline.ending(stream)
            transcript = self._pipeline.recognise(stream)
            told = self._thought(snapshot, utterance, generation, began, ending, transcript.text)
            if told is not None:
                loop.call_soon_threadsafe(self._on_progress, told)
        recognise_ms = (time.perf_counter() - began) * 1000
        result = self._pipeline.decide(
            snapshot,
            utterance,
            transcript,
            generation,
            at=datetime.now(UTC),
            recognise_ms=recognise_ms,
            speak=self._delivery is Delivery.SPEAK,
        )
        if utterance.kind is UtteranceKind.SPEECH and encoded:
            self._pipeline.pace.note((time.perf_counter() - began) * 1000)
        return result

    def _timed(self, result: TurnResult, cpu_ms: float) -> TurnResult:
        """Return a result whose turn tells what decoding cost, and what of it came to nothing."""
        timings = {
            **result.turn.timings_ms,
            _CPU: round(cpu_ms, 1),
            "wasted_cpu_ms": round(self._wasted_ms, 1),
        }
        return replace(result, turn=replace(result.turn, timings_ms=timings))

    def _superseded(self, generation: int) -> InferenceError:
        return InferenceError(f"generation {generation} is superseded: the customer went on")

    def _open(self) -> Snapshot:
        if self._snapshot is None:
            raise InferenceError("the call is not open")
        return self._snapshot

    def _end_agent_stream(self) -> None:
        if self._agent_stream is not None:
            self._agent_stream.abort()
        self._agent_stream = None

    def _end_stream(self) -> None:
        if self._stream is not None:
            self._stream.abort()
        self._stream = None

    def _blocking(self, work: Callable[[], T]) -> asyncio.Future[T]:
        return asyncio.get_running_loop().run_in_executor(self._executor, work)
