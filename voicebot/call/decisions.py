"""What one call asks of inference: one stream, and the decision that is under way on it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Coroutine
from dataclasses import replace
from datetime import UTC, datetime

import structlog

from voicebot.call.events import Decided, Event, Failed, Followed, SessionConfig
from voicebot.call.fallback import outcome_without_inference
from voicebot.call.turns import Answer, Commit, Decide, Send, stretches_of
from voicebot.domain.call import CallRequest, EndCause, Outcome, Progress, Turn
from voicebot.domain.errors import InferenceError, VoicebotError
from voicebot.domain.ports import Conversation

log = structlog.get_logger()


class Decisions:
    """Belongs to one call and its event loop. What it finds out comes back as an event of the call.

    A stream that fails is replaced once, from the snapshot of the last commit and the speech since then.
    """

    def __init__(
        self,
        call_id: str,
        config: SessionConfig,
        *,
        post: Callable[[Event], None],
        progress: Callable[[Progress], None],
    ) -> None:
        """Make the stream, not open yet."""
        self._call_id = call_id
        self._config = config
        self._post = post
        self._progress = progress
        self._snapshot = b""
        self._speech: list[Send] = []  # since the last commit: what a new stream would need
        self._task: asyncio.Task[None] | None = None
        self._retried = False
        self._background: set[asyncio.Task[None]] = set()
        self.asked: Decide | None = None
        self.decided: Decided | None = None  # and not committed yet
        self.conversation = self._new_conversation()

    def _new_conversation(self) -> Conversation:
        conversation = self._config.conversation()
        conversation.listen(self._progress)
        conversation.notice(self._post)
        return conversation

    # -- asking --

    async def open(self, request: CallRequest) -> None:
        """Open the stream. Raises TimeoutError or a VoicebotError if nobody is there."""
        self._snapshot = await self._open(request)

    async def _open(self, request: CallRequest, snapshot: bytes = b"") -> bytes:
        """Open the stream, again if it fails: of several servers one that vanished is known only then."""
        async with asyncio.timeout(self._config.open_timeout_s):
            try:
                return await self.conversation.open(request, snapshot)
            except InferenceError as error:
                log.warning("conversation not opened, trying again", call_id=self._call_id, error=str(error))
            self.conversation = self._new_conversation()
            return await self.conversation.open(request, snapshot)

    def send(self, speech: Send) -> None:
        """Pass speech on."""
        self._speech.append(speech)
        self.conversation.speech(speech.generation, speech.pcm)

    async def ask(self, asked: Decide) -> None:
        """Have the speech so far decided; what was asked before is given up."""
        self.asked = asked
        self.decided = None
        if self._task is not None:
            self._task.cancel()
        self._task = asyncio.create_task(self._decide(self.conversation, asked))
        await asyncio.sleep(0)  # it has asked before more speech is sent

    def forget(self, generation: int) -> None:
        """The customer goes on: whatever comes of this decision is neither said nor missed."""
        if self.asked is not None and self.asked.generation == generation:
            self.asked = self.decided = None
            if self._task is not None:
                self._task.cancel()

    async def _decide(self, conversation: Conversation, asked: Decide) -> None:
        begun = time.perf_counter()
        try:
            async with asyncio.timeout(self._config.decide_timeout_s):
                result = await conversation.decide(asked.generation, asked.utterance)
                decided = time.perf_counter()
                audio = [await self._config.prompts.get(conversation, ref) for ref in result.prompts]
        except TimeoutError:
            self._post(Failed(asked.generation, "no decision in time"))
        except VoicebotError as error:
            self._post(Failed(asked.generation, str(error)))
        except Exception:  # the edge of a task: nobody else would hear of it
            log.exception("decision failed", call_id=self._call_id)
            self._post(Failed(asked.generation, "unexpected error"))
        else:
            fetched = time.perf_counter()
            self._post(Decided(result, tuple(audio), (decided - begun) * 1000, (fetched - decided) * 1000))

    def take(self, decided: Decided) -> bool:
        """Keep a decision that has come; False if nobody waits for it any more."""
        if self.asked is None or decided.result.generation != self.asked.generation:
            return False
        self.decided = decided
        return True

    def holds(self, generation: int) -> bool:
        """Whether this decision is there, and nothing has become of it yet."""
        return self.decided is not None and self.decided.result.generation == generation

    # -- what becomes real --

    def commit(self, commit: Commit) -> Turn:
        """Return the turn of the decision that is said now, with its timings."""
        decided = self.decided
        assert decided is not None, "only what was ready is committed"
        assert decided.result.generation == commit.generation
        self._snapshot = decided.result.snapshot
        self._speech.clear()
        self._retried = False
        self.decided = None
        turn = decided.result.turn
        timings = {
            **turn.timings_ms,
            "endpoint_ms": float(commit.endpoint_ms),
            "wait_ms": float(commit.wait_ms),
            "round_trip_ms": round(decided.decide_ms, 1),
            "prompt_ms": round(decided.prompt_ms, 1),
        }
        if commit.score is not None:
            timings["endpoint_score"] = round(commit.score, 3)
        turn = replace(turn, at=datetime.now(UTC), timings_ms=timings)
        if commit.heard_ms is not None:
            turn = replace(turn, barged_in=True, heard_ms=commit.heard_ms)
        return turn

    async def committed(self, generation: int) -> None:
        """Tell inference that a decision was said."""
        try:
            await self.conversation.commit(generation)
        except InferenceError as error:
            # It was said, so it is real: the next decision goes to a new stream, from its snapshot.
            log.warning("commit not delivered", call_id=self._call_id, error=str(error))

    def follow(self, followed: Followed) -> Turn:
        """Return the turn that a person made of what the bot had decided."""
        self._snapshot = followed.result.snapshot
        self._speech = [one for one in self._speech if one.generation > followed.generation]
        if self.decided is not None and self.decided.result.generation == followed.generation:
            self.asked = self.decided = None
        return replace(followed.result.turn, at=datetime.now(UTC))

    # -- when it fails --

    def concerns(self, failed: Failed) -> bool:
        """Whether somebody still waits for what failed."""
        return self.asked is not None and failed.generation == self.asked.generation

    async def retry(self, request: CallRequest, failed: Failed) -> bool:
        """Ask once more, on a new stream; False if that was tried before, or nobody is there."""
        log.warning("decision failed", call_id=self._call_id, error=failed.error, again=not self._retried)
        if self._retried or not await self._reopen(request):
            return False
        self._retried = True
        assert self.asked is not None
        await self.ask(self.asked)
        return True

    async def _reopen(self, request: CallRequest) -> bool:
        self._later(_abandon(self.conversation))
        self.conversation = self._new_conversation()
        try:
            await self._open(request, self._snapshot)
        except (TimeoutError, VoicebotError) as error:
            log.warning("conversation not resumed", call_id=self._call_id, error=str(error))
            return False
        if self._speech:
            assert self.asked is not None
            pcm = b"".join(one.pcm for one in self._speech)
            self.conversation.speech(self.asked.generation, pcm)
        return True

    # -- how it ends --

    def stop(self) -> None:
        """Nothing is decided any more."""
        for task in (self._task, *self._background):
            if task is not None:
                task.cancel()

    async def close(self, cause: EndCause, *, opted_out: bool) -> Outcome:
        """Close the stream and return what the call came to."""
        try:
            async with asyncio.timeout(self._config.open_timeout_s):
                return await self.conversation.close(cause)
        except (TimeoutError, VoicebotError) as error:
            log.warning("no outcome from inference", call_id=self._call_id, error=str(error))
            return outcome_without_inference(cause, opted_out=opted_out)

    def _later(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)


def answer_of(decided: Decided) -> Answer:
    """Return what the turn machine may say of a decision."""
    result = decided.result
    stretches = tuple(
        stretch
        for ref, audio in zip(result.prompts, decided.audio, strict=True)
        for stretch in stretches_of(ref, audio)
    )
    factor = result.turn.decision.pause_factor
    return Answer(result.generation, stretches, result.action, result.patience_ms, factor)


async def _abandon(conversation: Conversation) -> None:
    """Tell a server that failed us, if it still listens, that its stream is not needed any more."""
    with contextlib.suppress(VoicebotError, TimeoutError):
        async with asyncio.timeout(2):
            await conversation.close(EndCause.FAILURE)
