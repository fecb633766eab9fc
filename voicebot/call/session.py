"""One call, from dialling or INVITE to the journal."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from datetime import UTC, datetime
from typing import Literal

import structlog

from voicebot.call.account import Account
from voicebot.call.decisions import Decisions, answer_of
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
from voicebot.call.human import HumanSide
from voicebot.call.line import Line, Tap
from voicebot.call.listening import AgentPaused, AgentSpeech, Settled, Unanswered
from voicebot.call.plan import Plan, reason_of
from voicebot.call.recap import Recap
from voicebot.call.screening import Screening, hang_up_after
from voicebot.call.turns import (
    Commit,
    Decide,
    Drop,
    Finish,
    Output,
    Send,
    TurnMachine,
)
from voicebot.domain.answering import Finding
from voicebot.domain.call import (
    CallEvent,
    CallRecord,
    CallRequest,
    Direction,
    EndCause,
    Turn,
)
from voicebot.domain.errors import TelephonyError, VoicebotError
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
        self._decisions = Decisions(
            request.call_id,
            config,
            post=self._inbox.put_nowait,
            progress=lambda progress: self._act(lambda machine: machine.progress(progress)),
        )
        self._last: Turn | None = None  # that the bot spoke
        self._lost = False  # inference is gone for good
        self._settled = 0  # generation whose utterance is over, while a person talks
        self._background: set[asyncio.Task[None]] = set()
        self.account = Account()
        self.recap = Recap()
        self.human = HumanSide(self, phone)
        self._screening = Screening(self)

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
            while self.account.ended is None:
                await self._handle(await self._inbox.get())
        return await self._conclude()

    async def abort(self) -> None:
        """After an error of our own: end the call and journal it as a failure."""
        self.account.known_cause = EndCause.FAILURE
        if self._leg is not None:
            self._leg.hang_up()
        if self.account.ended is None:
            self.account.ended = Ended(EndCause.FAILURE, 0, "internal error")
            await self._conclude()

    # -- how it begins --

    async def _open(self) -> bool:
        """Open the conversation. Without inference nobody is called, and no INVITE is answered."""
        try:
            await self._decisions.open(self.request)
        except (TimeoutError, VoicebotError) as error:
            log.warning("no inference for a call", call_id=self.request.call_id, error=str(error))
            self.account.known_cause = EndCause.FAILURE
            self._lost = True
            if self._leg is not None:
                self._leg.refuse(503, "inference is away")
            self.account.ended = Ended(
                EndCause.FAILURE, 503 if self._leg is not None else 0, "inference is away"
            )
            return False
        return True

    async def _agent_first(self) -> bool:
        """Have the person who conducts the call on the phone before the customer's phone rings."""
        if not self.request.agent_uri:
            return True
        why = await self.human.ring_first()
        if why:
            log.info("not dialled: no agent", call_id=self.request.call_id, why=why)
            self.account.known_cause = EndCause.NOT_DIALLED
            self.account.ended = Ended(EndCause.NOT_DIALLED, 0, why)
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
                self._screening.listen(self.request.ring_timeout_s)
            case Overheard(pcm):
                self._screening.hear(pcm)
            case Finding():
                self._screening.take(event)
            case Answered():
                self._on_answered()
            case Dtmf(digit):
                self._act(lambda machine: machine.dtmf(digit))
            case Send():
                self._decisions.send(event)
            case Decide():
                await self._decisions.ask(event)
            case Drop(generation):
                self._decisions.forget(generation)
            case Decided():
                self._on_decided(event)
            case Commit():
                await self._commit(event)
            case Failed():
                await self._on_failed(event)
            case Finish(action):
                self._finish(action)
            case TakeOver() | TakenOver() | AgentLeft() | Switch() | Whisper() | TransferEnded():
                await self.human.handle(event)
            case Settled() | Unanswered() | AgentSpeech() | AgentPaused() | Followed():
                await self._on_talk(event)
            case HangUp():
                self._leg_now().hang_up()
            case NoMedia():
                self.account.known_cause = EndCause.NO_MEDIA
                self._leg_now().hang_up()
            case Ended():
                self.account.ended = event

    async def _on_talk(self, event: Settled | Unanswered | AgentSpeech | AgentPaused | Followed) -> None:
        """While a person talks: what was said is suggested for, and moves the dialogue."""
        match event:
            case Settled(generation):
                self._settled = generation
                decided = self._decisions.decided
                if decided is not None and self._decisions.holds(generation):
                    self._suggest(decided, final=True)
            case AgentSpeech(pcm):
                self.conversation.agent_speech(pcm)
            case AgentPaused(start_s, end_s):
                decided = self._decisions.decided
                generation = decided.result.generation if decided is not None else 0
                self.later(self.human.follow(generation, start_s, end_s))
            case Unanswered(generation, at_s):
                if self._decisions.holds(generation) and not self.human.following:
                    self.later(self.human.follow(generation, at_s, at_s))
                    await asyncio.sleep(0)  # it has asked before more speech is sent
            case Followed():
                self._journal(self._decisions.follow(event))

    def _suggest(self, decided: Decided, *, final: bool) -> None:
        assert self._decisions.asked is not None
        self.human.suggest(decided, self._decisions.asked.utterance, final=final)

    def _on_answered(self) -> None:
        self.account.answered_at = self.account.now()
        assert self._line is not None
        self._line.start(self.account.record_sound(self.config, self.request))
        self._screening.listen(self.config.overhear_s)
        self.config.journal.answered(self.request, self.config.worker)
        self._emit("answered")
        if self.request.agent_uri:
            self.human.join_first()

    def _on_decided(self, decided: Decided) -> None:
        if not self._decisions.take(decided):
            return
        if self.human.talks:  # final at once, if the customer had finished before it was there
            self._suggest(decided, final=decided.result.generation == self._settled)
            return
        answer = answer_of(decided)
        self._act(lambda machine: machine.ready(answer))
        if self.request.direction is Direction.INBOUND and self.account.answered_at is None:
            self._leg_now().answer()

    async def _commit(self, commit: Commit) -> None:
        turn = replace(self._decisions.commit(commit), delivery=self.request.delivery)
        self._last = turn
        self._journal(turn)
        await self._decisions.committed(commit.generation)

    def _journal(self, turn: Turn) -> None:
        self.account.count(turn)
        if turn.kind is UtteranceKind.SPEECH:
            self._screening.listen(0)  # from here on the dialogue knows whom it talks to
        self.human.remember(turn)
        self.config.journal.turn(turn)
        self.tell(CallEvent(self.request.call_id, "turn", turn.at, turn=turn))

    async def _on_failed(self, failed: Failed) -> None:
        """Try once more on a new stream, from the last snapshot; then end the call politely."""
        if self._lost or not self._decisions.concerns(failed):
            return
        if not await self._decisions.retry(self.request, failed) and not self.human.talks:
            self._give_up()

    # -- how it ends --

    def _finish(self, action: Action) -> None:
        if action is not Action.TRANSFER:
            self._leg_now().hang_up()
            return
        asked = self._decisions.asked
        key = asked.utterance.dtmf if asked is not None else ""
        reason = reason_of(self._last.decision.reasons if self._last is not None else (), key)
        self.human.take_over(Plan(reason, self.request.takeover))

    def _give_up(self) -> None:
        """We can not go on: say so if the customer is there, and hang up."""
        self._lost = True
        self.account.known_cause = EndCause.FAILURE
        self._act(TurnMachine.stop)
        leg = self._leg_now()
        if self.account.answered_at is None:
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
        self.later(hang_up_after(leg, apology.duration_s + self.config.tuning.tail_ms / 1000))

    async def _conclude(self) -> CallRecord:
        """Close the conversation, write the journal, tell who watches."""
        await self.human.settle()
        cause = self.account.cause
        decided = self._decisions.decided
        if self.human.talks and decided is not None:
            self._journal(await self.human.unanswered(decided.result))
        self._decisions.stop()
        for task in self._background:
            task.cancel()
        await self.human.let_go()
        if self._line is not None:
            await asyncio.to_thread(self._line.stop)
        outcome = await self._decisions.close(cause, opted_out=self.account.opted_out)
        quality = self._leg.quality if self._leg is not None else None
        record = self.account.close(self.request, self.config.worker, cause, outcome, quality)
        self.config.journal.ended(record)
        self.tell(CallEvent(self.request.call_id, "ended", record.ended_at, record=record))
        return record

    # -- small things --

    @property
    def conversation(self) -> Conversation:
        """The stream that inference listens to now."""
        return self._decisions.conversation

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
        event = replace(event, contact_id=self.request.contact_id)
        self.recap.take(event)
        self._on_event(event)

    def later(self, work: Coroutine[None, None, None]) -> None:
        """Run something until the call ends."""
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)
