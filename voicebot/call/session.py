"""One call, from dialling or INVITE to the journal."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Coroutine
from dataclasses import replace
from datetime import UTC, datetime
from typing import Literal

import structlog

from voicebot.call.answering import MESSAGE_S, leave_message, with_finding
from voicebot.call.events import (
    AgentLeft,
    Decided,
    Event,
    Failed,
    Followed,
    HangUp,
    Overheard,
    Phone,
    SessionConfig,
    Switch,
    TakenOver,
    TakeOver,
    Whisper,
)
from voicebot.call.fallback import outcome_without_inference
from voicebot.call.human import HumanSide, reason_of
from voicebot.call.line import Line, Tap
from voicebot.call.listening import AgentPaused, AgentSpeech, Settled
from voicebot.call.plan import Plan
from voicebot.call.turns import (
    Answer,
    Commit,
    Decide,
    Drop,
    Finish,
    Output,
    Send,
    TurnMachine,
    stretches_of,
)
from voicebot.domain.answering import Finding, cause_of
from voicebot.domain.call import (
    CallEvent,
    CallRecord,
    CallRequest,
    Delivery,
    Direction,
    EndCause,
    Outcome,
    Turn,
)
from voicebot.domain.errors import InferenceError, TelephonyError, VoicebotError
from voicebot.domain.people import TakeoverReason
from voicebot.domain.ports import Conversation
from voicebot.domain.script import Action
from voicebot.domain.speech import UtteranceKind
from voicebot.telephony import (
    Answered,
    Dtmf,
    EarlyMedia,
    Ended,
    Leg,
    NoMedia,
    Recording,
    Ringing,
    TransferEnded,
)

log = structlog.get_logger()


class CallSession:
    """Conducts one call. Lives in the event loop; audio is cared for by its `Line` in the media thread."""

    def __init__(
        self,
        request: CallRequest,
        config: SessionConfig,
        *,
        phone: Phone,
        leg: Leg | None = None,
        on_event: Callable[[CallEvent], None] = lambda _: None,
    ) -> None:
        """Make the session of an outbound call, or of an inbound one (`leg`)."""
        self.request = request
        self.config = config
        self._phone = phone
        self._leg = leg
        self._on_event = on_event
        self._inbox: asyncio.Queue[Event] = asyncio.Queue()
        self._loop = asyncio.get_running_loop()
        self._machine = TurnMachine(config.tuning)
        self._line: Line | None = None
        self.conversation = self._new_conversation()
        self._snapshot = b""
        self._speech = bytearray()  # since the last commit: what a new stream would need
        self._asked: Decide | None = None
        self._decided: Decided | None = None  # and not committed yet
        self._last: Turn | None = None  # that the bot spoke
        self._task: asyncio.Task[None] | None = None
        self._retried = False
        self._lost = False  # inference is gone for good
        self._background: set[asyncio.Task[None]] = set()
        self._started_at = datetime.now(UTC)
        self._answered_at: datetime | None = None
        self._ended: Ended | None = None
        self._cause: EndCause | None = None  # when we know better than the leg
        self._turns = 0
        self._opted_out = False
        self._recording = ""
        self._found: Finding | None = None  # what answered
        self.human = HumanSide(self, phone)

    # -- for the worker --

    def hang_up(self) -> None:
        """End the call."""
        if self._leg is None:
            self.human.hang_up_first()
        self._inbox.put_nowait(HangUp())

    def do(self, event: TakeOver | Switch | Whisper) -> None:
        """Have a person join, or the bot speak or only suggest."""
        self._inbox.put_nowait(event)

    def listen(self, take: Tap) -> Callable[[], None]:
        """Have every frame of both directions passed on, from the media thread; return what ends that."""
        self.line.tap(take)
        return lambda: self.line.untap(take)

    async def run(self) -> CallRecord:
        """Conduct the call and return its record, which is in the journal by then."""
        if await self._open() and await self._agent_first():
            self._begin()
            while self._ended is None:
                await self._handle(await self._inbox.get())
        return await self._conclude()

    async def abort(self) -> None:
        """After an error of our own: end the call and journal it as a failure."""
        self._cause = EndCause.FAILURE
        if self._leg is not None:
            self._leg.hang_up()
        if self._ended is None:
            self._ended = Ended(EndCause.FAILURE, 0, "internal error")
            await self._conclude()

    # -- how it begins --

    async def _open(self) -> bool:
        """Open the conversation. Without inference nobody is called, and no INVITE is answered."""
        try:
            async with asyncio.timeout(self.config.open_timeout_s):
                self._snapshot = await self.conversation.open(self.request)
        except (TimeoutError, VoicebotError) as error:
            log.warning("no inference for a call", call_id=self.request.call_id, error=str(error))
            self._cause = EndCause.FAILURE
            self._lost = True
            if self._leg is not None:
                self._leg.refuse(503, "inference is away")
            self._ended = Ended(EndCause.FAILURE, 503 if self._leg is not None else 0, "inference is away")
            return False
        return True

    async def _agent_first(self) -> bool:
        """Have the person who conducts the call on the phone before the customer's phone rings."""
        if not self.request.agent_uri:
            return True
        why = await self.human.ring_first()
        if why:
            log.info("not dialled: no agent", call_id=self.request.call_id, why=why)
            self._cause = EndCause.NOT_DIALLED
            self._ended = Ended(EndCause.NOT_DIALLED, 0, why)
        return not why

    def _begin(self) -> None:
        """Dial, or ring; and have the opening decided meanwhile."""
        post = self.post
        if self._leg is None:
            self._emit("dialling")
            self._leg = self._phone.call(
                self.request.to_uri,
                caller_id=self.request.caller_id,
                headers=self.request.headers,
                ring_timeout_s=self.request.ring_timeout_s,
                trunk=self.request.trunk,
            )
        else:
            self._leg.ring()
        self._line = Line(self._leg, self._machine, post, lambda pcm: post(Overheard(pcm)))
        self._leg.listen(post)
        self._line.act(TurnMachine.begin)
        if self.human.talks:
            self._line.act(TurnMachine.stop)  # the opening is only suggested

    # -- what happens --

    async def _handle(self, event: Event) -> None:  # noqa: C901  # the table of all that can happen
        match event:
            case Ringing():
                self._emit("ringing")
            case EarlyMedia():
                self._emit("ringing")
                self._overhear(self.request.ring_timeout_s)
            case Overheard(pcm):
                self.conversation.overhear(pcm, answered=self._answered_at is not None)
            case Finding():
                self._on_finding(event)
            case Answered():
                self._on_answered()
            case Dtmf(digit):
                self._act(lambda machine: machine.dtmf(digit))
            case Send():
                self._send(event)
            case Decide():
                await self._ask(event)
            case Drop(generation):
                self._forget(generation)
            case Decided():
                self._on_decided(event)
            case Commit():
                await self._commit(event)
            case Failed():
                await self._on_failed(event)
            case Finish(action):
                self._finish(action)
            case TakeOver() | TakenOver() | AgentLeft() | Switch() | Whisper() | TransferEnded():
                await self._on_human(event)
            case Settled() | AgentSpeech() | AgentPaused() | Followed():
                self._on_talk(event)
            case HangUp():
                self._leg_now().hang_up()
            case NoMedia():
                self._cause = EndCause.NO_MEDIA
                self._leg_now().hang_up()
            case Ended():
                self._ended = event

    async def _on_human(
        self, event: TakeOver | TakenOver | AgentLeft | Switch | Whisper | TransferEnded
    ) -> None:
        """A person joins, leaves, or lets the bot speak."""
        match event:
            case TakeOver(plan):
                self.human.take_over(plan)
            case TransferEnded(ok):
                self._cause = EndCause.TRANSFERRED if ok else self._cause
                self.human.transfer_ended(event)
            case TakenOver(record):
                left = self.human.taken_over(record)
                if left or (self.human.talks and record.reason is not TakeoverReason.CAMPAIGN):
                    self._cause = EndCause.TRANSFERRED
            case AgentLeft(ended):
                if self._answered_at is None:
                    self._cause = EndCause.FAILURE
                await self.human.agent_left(ended)
            case Switch(delivery):
                self._cause = None if delivery is Delivery.SPEAK else self._cause
                self.human.switch(delivery)
            case Whisper(uri):
                self.human.whisper(uri)

    def _on_talk(self, event: Settled | AgentSpeech | AgentPaused | Followed) -> None:
        """While a person talks: what was said is suggested for, and moves the dialogue."""
        match event:
            case Settled(generation):
                if self._decided is not None and self._decided.result.generation == generation:
                    self._suggest(final=True)
            case AgentSpeech(pcm):
                self.conversation.agent_speech(pcm)
            case AgentPaused():
                decided = self._decided.result.generation if self._decided is not None else 0
                self.later(self.human.follow(event, decided))
            case Followed(result, generation):
                self._snapshot = result.snapshot
                if self._decided is not None and self._decided.result.generation == generation:
                    self._asked = self._decided = None
                    self._speech.clear()
                self._journal(replace(result.turn, at=datetime.now(UTC)))

    def _suggest(self, *, final: bool) -> None:
        assert self._decided is not None
        assert self._asked is not None
        self.human.suggest(self._decided, self._asked.utterance, final=final)

    def _on_answered(self) -> None:
        self._answered_at = datetime.now(UTC)
        assert self._line is not None
        self._line.start(self._record())
        self._overhear(self.config.overhear_s)
        self.config.journal.answered(self.request, self.config.worker)
        self._emit("answered")
        if self.request.agent_uri:
            self.human.join_first()

    def _record(self) -> Recording | None:
        root = self.config.recordings
        if root is None or not self.request.record:
            return None
        key = f"{self._started_at:%Y/%m/%d}/{self.request.call_id}.wav"
        try:
            recording = Recording(root / key)
        except OSError as error:
            log.warning("call is not recorded", call_id=self.request.call_id, error=error.strerror)
            return None
        self._recording = key
        return recording

    def _send(self, speech: Send) -> None:
        self._speech += speech.pcm
        self.conversation.speech(speech.generation, speech.pcm)

    def _new_conversation(self) -> Conversation:
        conversation = self.config.conversation()
        conversation.listen(lambda progress: self._act(lambda machine: machine.progress(progress)))
        conversation.notice(self._inbox.put_nowait)
        return conversation

    async def _ask(self, asked: Decide) -> None:
        self._asked = asked
        self._decided = None
        if self._task is not None:
            self._task.cancel()
        self._task = asyncio.create_task(self._decide(self.conversation, asked))
        await asyncio.sleep(0)  # it has asked before more speech is sent

    def _forget(self, generation: int) -> None:
        """The customer goes on: whatever comes of this decision is neither said nor missed."""
        if self._asked is not None and self._asked.generation == generation:
            self._asked = self._decided = None
            if self._task is not None:
                self._task.cancel()

    async def _decide(self, conversation: Conversation, asked: Decide) -> None:
        begun = time.perf_counter()
        try:
            async with asyncio.timeout(self.config.decide_timeout_s):
                result = await conversation.decide(asked.generation, asked.utterance)
                decided = time.perf_counter()
                audio = [await self.config.prompts.get(conversation, ref) for ref in result.prompts]
        except TimeoutError:
            self._inbox.put_nowait(Failed(asked.generation, "no decision in time"))
        except VoicebotError as error:
            self._inbox.put_nowait(Failed(asked.generation, str(error)))
        except Exception:  # the edge of a task: nobody else would hear of it
            log.exception("decision failed", call_id=self.request.call_id)
            self._inbox.put_nowait(Failed(asked.generation, "unexpected error"))
        else:
            fetched = time.perf_counter()
            self._inbox.put_nowait(
                Decided(result, tuple(audio), (decided - begun) * 1000, (fetched - decided) * 1000)
            )

    def _on_decided(self, decided: Decided) -> None:
        result = decided.result
        if self._asked is None or result.generation != self._asked.generation:
            return
        self._decided = decided
        if self.human.talks:
            self._suggest(final=False)
            return
        stretches = tuple(
            stretch
            for ref, audio in zip(result.prompts, decided.audio, strict=True)
            for stretch in stretches_of(ref, audio)
        )
        factor = result.turn.decision.pause_factor
        answer = Answer(result.generation, stretches, result.action, result.patience_ms, factor)
        self._act(lambda machine: machine.ready(answer))
        if self.request.direction is Direction.INBOUND and self._answered_at is None:
            self._leg_now().answer()

    async def _commit(self, commit: Commit) -> None:
        decided = self._decided
        assert decided is not None, "only what was ready is committed"
        assert decided.result.generation == commit.generation
        self._snapshot = decided.result.snapshot
        self._speech.clear()
        self._retried = False
        self._decided = None
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
        turn = replace(turn, at=datetime.now(UTC), timings_ms=timings, delivery=self.request.delivery)
        if commit.heard_ms is not None:
            turn = replace(turn, barged_in=True, heard_ms=commit.heard_ms)
        self._last = turn
        self._journal(turn)
        try:
            await self.conversation.commit(commit.generation)
        except InferenceError as error:
            # It was said, so it is real: the next decision goes to a new stream, from its snapshot.
            log.warning("commit not delivered", call_id=self.request.call_id, error=str(error))

    def _journal(self, turn: Turn) -> None:
        self._turns += 1
        if turn.kind is UtteranceKind.SPEECH:
            self._overhear(0)  # from here on the dialogue knows whom it talks to
        self._opted_out = self._opted_out or turn.decision.do_not_call
        self.human.remember(turn)
        self.config.journal.turn(turn)
        self.tell(CallEvent(self.request.call_id, "turn", turn.at, turn=turn))

    async def _on_failed(self, failed: Failed) -> None:
        """Try once more on a new stream, from the last snapshot; then end the call politely."""
        if self._asked is None or failed.generation != self._asked.generation or self._lost:
            return
        log.warning(
            "decision failed", call_id=self.request.call_id, error=failed.error, again=not self._retried
        )
        if self._retried or not await self._reopen():
            if not self.human.talks:
                self._give_up()
            return
        self._retried = True
        await self._ask(self._asked)

    async def _reopen(self) -> bool:
        self.later(_abandon(self.conversation))
        self.conversation = self._new_conversation()
        try:
            async with asyncio.timeout(self.config.open_timeout_s):
                await self.conversation.open(self.request, self._snapshot)
        except (TimeoutError, VoicebotError) as error:
            log.warning("conversation not resumed", call_id=self.request.call_id, error=str(error))
            return False
        if self._speech:
            assert self._asked is not None
            self.conversation.speech(self._asked.generation, bytes(self._speech))
        return True

    # -- what answers --

    def _overhear(self, seconds: float) -> None:
        """Find out for so long what answers, beside the dialogue. Who calls us is a person."""
        if self._line is not None and self.request.direction is Direction.OUTBOUND:
            self._line.overhear(seconds)

    def _on_finding(self, finding: Finding) -> None:
        """A machine ends the call at once, with its cause; nobody is bothered."""
        log.info(
            "what answers",
            call_id=self.request.call_id,
            by=finding.by.value,
            status=finding.status,
            at_ms=finding.at_ms,
            early=self._answered_at is None,
        )
        self._found = finding
        if finding.status is None or not finding.final:
            return
        self._cause = cause_of(finding.status)
        self._act(TurnMachine.stop)
        leg = self._leg_now()
        if finding.message is None or self._answered_at is None:
            leg.hang_up()
        elif finding.speak:
            self.later(leave_message(leg, self.config.prompts, self.conversation, finding.message))
        else:
            self._overhear(MESSAGE_S)
            self.later(_hang_up_after(leg, MESSAGE_S + 60))

    # -- how it ends --

    def _finish(self, action: Action) -> None:
        if action is not Action.TRANSFER:
            self._leg_now().hang_up()
            return
        key = self._asked.utterance.dtmf if self._asked is not None else ""
        reason = reason_of(self._last.decision.reasons if self._last is not None else (), key)
        self.human.take_over(Plan(reason, self.request.takeover))

    def _give_up(self) -> None:
        """We can not go on: say so if the customer is there, and hang up."""
        self._lost = True
        self._cause = EndCause.FAILURE
        self._act(TurnMachine.stop)
        leg = self._leg_now()
        if self._answered_at is None:
            if self.request.direction is Direction.INBOUND:
                leg.refuse(503, "inference failed")
            else:
                leg.hang_up()
            return
        apology = self.config.apology
        if apology is None:
            leg.hang_up()
            return
        leg.playout.play(apology.pcm)
        self.later(_hang_up_after(leg, apology.duration_s + self.config.tuning.tail_ms / 1000))

    async def _conclude(self) -> CallRecord:
        """Close the conversation, write the journal, tell who watches."""
        assert self._ended is not None
        await self.human.settle()
        cause = self._cause or self._ended.cause
        if self.human.talks and self._decided is not None:
            self._journal(replace(self._decided.result.turn, at=datetime.now(UTC), delivery=Delivery.SUGGEST))
        for task in (self._task, *self._background):
            if task is not None:
                task.cancel()
        await self.human.let_go()
        if self._line is not None:
            await asyncio.to_thread(self._line.stop)
        record = CallRecord(
            request=self.request,
            cause=cause,
            outcome=with_finding(await self._outcome(cause), self._found),
            started_at=self._started_at,
            answered_at=self._answered_at,
            ended_at=datetime.now(UTC),
            sip_status=self._ended.status,
            sip_reason=self._ended.reason,
            recording=self._recording,
            worker=self.config.worker,
            turns=self._turns,
        )
        self.config.journal.ended(record)
        self.tell(CallEvent(self.request.call_id, "ended", record.ended_at, record=record))
        return record

    async def _outcome(self, cause: EndCause) -> Outcome:
        try:
            async with asyncio.timeout(self.config.open_timeout_s):
                outcome = await self.conversation.close(cause)
        except (TimeoutError, VoicebotError) as error:
            log.warning("no outcome from inference", call_id=self.request.call_id, error=str(error))
            return outcome_without_inference(cause, opted_out=self._opted_out)
        return outcome

    # -- small things --

    @property
    def leg(self) -> Leg:
        """The customer's leg."""
        return self._leg_now()

    @property
    def line(self) -> Line:
        """The customer's line. Raises TelephonyError before the call is dialled."""
        if self._line is None:
            raise TelephonyError("the call is not dialled yet", hint="try again in a moment")
        return self._line

    def post(self, event: Event) -> None:
        """Put an event into the inbox; from any thread."""
        self._loop.call_soon_threadsafe(self._inbox.put_nowait, event)

    def _act(self, step: Callable[[TurnMachine], list[Output]]) -> None:
        if self._line is not None:
            self._line.act(step)

    def _leg_now(self) -> Leg:
        assert self._leg is not None, "dialled or rung by now"
        return self._leg

    def _emit(self, kind: Literal["dialling", "ringing", "answered"]) -> None:
        self.tell(CallEvent(self.request.call_id, kind, datetime.now(UTC)))

    def tell(self, event: CallEvent) -> None:
        """Tell whoever watches the line."""
        self._on_event(replace(event, contact_id=self.request.contact_id))

    def later(self, work: Coroutine[None, None, None]) -> None:
        """Run something until the call ends."""
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)


async def _abandon(conversation: Conversation) -> None:
    """Tell a server that failed us, if it still listens, that its stream is not needed any more."""
    with contextlib.suppress(VoicebotError, TimeoutError):
        async with asyncio.timeout(2):
            await conversation.close(EndCause.FAILURE)


async def _hang_up_after(leg: Leg, seconds: float) -> None:
    await asyncio.sleep(seconds)
    leg.hang_up()
