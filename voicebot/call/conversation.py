"""The inference side of one call, in this process."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from datetime import UTC, datetime
from typing import TypeVar

from voicebot import codec
from voicebot.call.overhearing import Overhearing
from voicebot.call.pipeline import Pipeline
from voicebot.domain.answering import Finding
from voicebot.domain.audio import LINE_RATE_HZ, Audio
from voicebot.domain.call import CallRequest, EndCause, Outcome, Progress, PromptRef, TurnResult
from voicebot.domain.dialogue import Snapshot
from voicebot.domain.errors import InferenceError
from voicebot.domain.ports import RecognitionStream
from voicebot.domain.speech import Transcript, Utterance, UtteranceKind

_MOST_SPEECH_BYTES = 180 * LINE_RATE_HZ * 2  # of one utterance; what lies before is forgotten

T = TypeVar("T")


class LocalConversation:
    """Holds the snapshot, the speech since the last commit, and the decisions that may become real."""

    def __init__(self, pipeline: Pipeline, executor: Executor) -> None:
        """Make the conversation of one call.

        Args:
            pipeline: shared by all calls.
            executor: threads for what blocks; as many as calls may decide at once.
        """
        self._pipeline = pipeline
        self._executor = executor
        self._snapshot: Snapshot | None = None
        self._speech: list[tuple[int, bytes]] = []  # (generation, PCM) since the last commit
        self._stream: RecognitionStream | None = None
        self._results: dict[int, TurnResult] = {}
        self._newest = 0
        self._committed = 0
        self._deciding: asyncio.Future[TurnResult] | None = None
        self._on_progress: Callable[[Progress], None] = lambda _: None
        self._on_finding: Callable[[Finding], None] = lambda _: None
        self._overhearing: Overhearing | None = None
        self._leave_message = False

    async def open(self, request: CallRequest, snapshot: bytes = b"") -> bytes:
        """Begin, or resume from a snapshot. Raises PlaybookError, InferenceError."""
        if self._snapshot is not None:
            raise InferenceError(f"call {request.call_id} is open already")
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
                self._pipeline.overhear, self._executor, lambda found: self._on_finding(found), self._message
            )
        self._overhearing.push(pcm, answered=answered)

    def speech(self, generation: int, pcm: bytes) -> None:
        """Take speech since onset, in order. What belongs to a committed generation is late and dropped."""
        if self._snapshot is None or generation <= self._committed or not pcm:
            return
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
        if self._deciding is not None:
            self._deciding.cancel()
        if utterance.kind is UtteranceKind.SPEECH:
            pcm = b"".join(part for number, part in self._speech if number <= generation)
            utterance = replace(utterance, audio=Audio(pcm))
        stream = self._stream
        tell = self._teller(snapshot, utterance, generation)
        work = self._blocking(lambda: self._work(snapshot, utterance, stream, generation, tell))
        self._deciding = work
        try:
            result = await work
        except asyncio.CancelledError:
            if generation == self._newest:
                raise  # the caller gave up
            raise InferenceError(f"generation {generation} is superseded by {self._newest}") from None
        self._results[generation] = result
        return result

    async def commit(self, generation: int) -> None:
        """Make a decision real: state, baseline and recogniser context advance to it."""
        self._open()
        result = self._results.get(generation)
        if result is None:
            raise InferenceError(f"generation {generation} was not decided here")
        self._snapshot = codec.decode(Snapshot, result.snapshot)
        self._committed = generation
        self._results.clear()
        self._end_stream()
        kept = [(number, pcm) for number, pcm in self._speech if number > generation]
        self._speech.clear()
        for number, pcm in kept:
            self.speech(number, pcm)

    async def prompt(self, ref: PromptRef) -> Audio:
        """Return a prompt's audio. Raises SynthesisError."""
        return await self._blocking(lambda: self._pipeline.audio(ref.key))

    async def close(self, cause: EndCause) -> Outcome:
        """End the call and return its outcome, as of the last commit."""
        snapshot = self._open()
        if self._deciding is not None:
            self._deciding.cancel()
        self._end_stream()
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

    def _teller(
        self, snapshot: Snapshot, utterance: Utterance, generation: int
    ) -> Callable[[Sequence[float] | None, str | None], None]:
        """Return what tells the line worker, from any thread, whether this speech may be over."""
        loop, began = asyncio.get_running_loop(), time.perf_counter()

        def tell(ending: Sequence[float] | None, text: str | None) -> None:
            found = self._pipeline.endpoint(snapshot, utterance, ending, text)
            if found is not None:
                at_ms = round((time.perf_counter() - began) * 1000)
                progress = Progress(generation, *found, at_ms, text is not None)
                loop.call_soon_threadsafe(self._on_progress, progress)

        return tell

    def _work(
        self,
        snapshot: Snapshot,
        utterance: Utterance,
        stream: RecognitionStream | None,
        generation: int,
        tell: Callable[[Sequence[float] | None, str | None], None],
    ) -> TurnResult:
        """Recognise and decide; in a thread."""
        began = time.perf_counter()
        transcript = Transcript("")
        if utterance.kind is UtteranceKind.SPEECH:
            endings: list[Sequence[float]] = []

            def hear(ending: Sequence[float]) -> None:
                endings.append(ending)
                tell(ending, None)

            transcript = self._pipeline.recognise(stream, on_ending=hear)
            tell(endings[-1] if endings else None, transcript.text)
        recognise_ms = (time.perf_counter() - began) * 1000
        return self._pipeline.decide(
            snapshot, utterance, transcript, generation, at=datetime.now(UTC), recognise_ms=recognise_ms
        )

    def _open(self) -> Snapshot:
        if self._snapshot is None:
            raise InferenceError("the call is not open")
        return self._snapshot

    def _end_stream(self) -> None:
        if self._stream is not None:
            self._stream.abort()
        self._stream = None

    def _blocking(self, work: Callable[[], T]) -> asyncio.Future[T]:
        return asyncio.get_running_loop().run_in_executor(self._executor, work)
