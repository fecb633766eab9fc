"""The human side of one call: takeovers, and the time in which a person talks and the bot only suggests."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime

import structlog

from voicebot.call.briefing import brief
from voicebot.call.events import (
    AgentLeft,
    Decided,
    Followed,
    Phone,
    Switch,
    TakenOver,
    TakeOver,
    Whisper,
)
from voicebot.call.host import Host
from voicebot.call.plan import Plan
from voicebot.call.takeover import Attempt
from voicebot.call.turns import TurnMachine
from voicebot.domain.call import CallEvent, Delivery, EndCause, Turn, TurnResult
from voicebot.domain.errors import VoicebotError
from voicebot.domain.people import (
    Agent,
    Delivered,
    Suggestion,
    Takeover,
    TakeoverKind,
    TakeoverReason,
    TakeoverResult,
    TakeoverStage,
    TakeoverUpdate,
)
from voicebot.domain.speech import Utterance
from voicebot.telephony import Answered, Ended, Leg, LegEvent, Stalled, TransferEnded

log = structlog.get_logger()

SETTLE_S = 2.0
TALKED_S = 3.0  # an agent who leaves sooner has not taken the call: the customer is the bot's again


class HumanSide:
    """Belongs to one call and its event loop."""

    def __init__(self, host: Host, phone: Phone | None) -> None:
        """Begin without anybody. Without a phone only REFER is possible."""
        self._host = host
        self._phone = phone
        self._attempt: Attempt | None = None
        self._turns: list[Turn] = []
        self._agent: Leg | None = None  # on the line, be it silent
        self._supervisor: Leg | None = None
        self._joined_at = 0.0
        self._busy = False  # a takeover is under way
        self._waits = False  # an agent is on the phone, the customer is not yet
        self._unwanted = False  # the call was ended before the customer was dialled
        self._understanding = asyncio.Lock()  # inference follows one stretch of the agent's at a time
        self._record: Takeover | None = None
        self._recorded = asyncio.Event()

    @property
    def talks(self) -> bool:
        """Whether a person talks with the customer, so that the bot only suggests."""
        return self._host.request.delivery is Delivery.SUGGEST

    @property
    def following(self) -> bool:
        """Whether what the agent said is being understood."""
        return self._understanding.locked()

    @property
    def free(self) -> bool:
        """Whether nobody of ours is on the line, or on the way."""
        return not self._busy and self._agent is None

    @property
    def present(self) -> bool:
        """Whether a person of ours is on the line."""
        return self._agent is not None

    def remember(self, turn: Turn) -> None:
        """Keep what the person will be told."""
        self._turns.append(turn)

    async def handle(
        self, event: TakeOver | TakenOver | AgentLeft | Switch | Whisper | TransferEnded
    ) -> None:
        """A person joins, leaves, or lets the bot speak."""
        account = self._host.account
        match event:
            case TakeOver(plan):
                self.take_over(plan)
            case TransferEnded(ok):
                account.known_cause = EndCause.TRANSFERRED if ok else account.known_cause
                if self._attempt is not None:
                    self._attempt.transfer_ended(event)
            case TakenOver(record):
                left = self._taken_over(record)
                if left or (self.talks and record.reason is not TakeoverReason.CAMPAIGN):
                    account.known_cause = EndCause.TRANSFERRED
            case AgentLeft(ended):
                if account.answered_at is None:
                    account.known_cause = EndCause.FAILURE
                await self._agent_left(ended)
            case Switch(delivery):
                account.known_cause = None if delivery is Delivery.SPEAK else account.known_cause
                self._switch(delivery)
            case Whisper(uri):
                self._whisper(uri)

    # -- taking over --

    def take_over(self, plan: Plan) -> None:
        """Begin to hand the call over; the bot falls silent. Harmless where that is not possible now."""
        if self._host.account.answered_at is None or not self.free:
            log.info(
                "not handed over: not answered, or a person is on it", call_id=self._host.request.call_id
            )
            return
        self._busy = True
        self._record = None
        self._recorded.clear()
        host = self._host
        host.line.act(TurnMachine.stop)
        self._attempt = self._new_attempt(plan)
        host.later(self._run(self._attempt))

    def _new_attempt(self, plan: Plan) -> Attempt:
        host = self._host
        assert self._phone is not None, "a worker has a phone"
        return Attempt(
            plan,
            brief(host.request, self._turns, plan.reason),
            host.request,
            lambda: host.leg,
            phone=self._phone,
            desk=host.config.desk,
            times=host.config.takeover,
            speak=lambda text: host.conversation.speak(text),
            tell=self._tell,
        )

    # -- calls of people: the agent is on the phone before the customer is dialled --

    async def ring_first(self) -> str:
        """Ring at the phone of the agent whose call it is; return "" once answered, or why not."""
        request = self._host.request
        attempt = self._new_attempt(
            Plan(TakeoverReason.CAMPAIGN, TakeoverKind.BRIDGE, request.agent_id, request.agent_uri)
        )
        self._attempt = attempt
        why = await attempt.ring_first(Agent(request.agent_id, "", request.agent_uri, True))
        if why:
            self._attempt = None
            self._tell(TakeoverUpdate(TakeoverStage.ENDED, request.agent_id, result=TakeoverResult.NO_AGENT))
            await attempt.let_go(missed=not self._unwanted)
            return why
        assert attempt.agent_leg is not None
        self._waits = True
        attempt.agent_leg.listen(self._agent_event)
        return ""

    def hang_up_first(self) -> None:
        """End the ringing at the agent's phone, if the customer is not dialled yet."""
        self._unwanted = True
        if self._attempt is not None and self._attempt.agent_leg is not None and not self._busy:
            self._attempt.agent_leg.hang_up()

    def join_first(self) -> None:
        """The customer answered: the agent who waits is on the line."""
        attempt, self._waits = self._attempt, False
        assert attempt is not None, "it rang first"
        record = replace(attempt.record(TakeoverResult.CONNECTED), waited_ms=0)
        self._host.config.journal.taken_over(record)
        self._tell(TakeoverUpdate(TakeoverStage.CONNECTED, record.agent_id, result=record.result))
        self._host.later(attempt.connected())
        self._join(attempt.join_first())

    async def _run(self, attempt: Attempt) -> None:
        try:
            record = await attempt.run()
        except Exception:  # the edge of a task: the customer must not stay in silence
            log.exception("takeover failed", call_id=self._host.request.call_id)
            record = attempt.record(TakeoverResult.FAILED, "unexpected error")
        self._record = record
        self._recorded.set()
        self._host.post(TakenOver(record))

    async def settle(self) -> None:
        """The customer's leg is over: if a REFER took it, write that down before the call is concluded."""
        if self._busy and self._attempt is not None and self._attempt.left:
            with suppress(TimeoutError):
                async with asyncio.timeout(SETTLE_S):
                    await self._recorded.wait()
            if self._record is not None:
                self._taken_over(self._record)

    def _taken_over(self, record: Takeover) -> bool:
        """Write how a takeover went, and go on with it; return whether the customer left with a REFER."""
        self._busy = False
        host = self._host
        host.config.journal.taken_over(record)
        done = record.result is TakeoverResult.CONNECTED
        stage = TakeoverStage.CONNECTED if done else TakeoverStage.ENDED
        self._tell(TakeoverUpdate(stage, record.agent_id, result=record.result))
        if not done:
            self._attempt = None
            host.line.act(TurnMachine.resume)
            return False
        if record.kind is not TakeoverKind.BRIDGE:
            return True
        attempt = self._attempt
        assert attempt is not None
        assert attempt.agent_leg is not None
        self._join(attempt.agent_leg)
        return False

    def _join(self, agent: Leg) -> None:
        self._agent = agent
        self._joined_at = time.monotonic()
        agent.listen(self._agent_event)
        self._switch(Delivery.SUGGEST)
        if agent.ended is not None:  # before anybody listened: the customer is the bot's at once
            self._host.post(AgentLeft(agent.ended))

    def _agent_event(self, event: LegEvent) -> None:
        if isinstance(event, Ended):
            self._host.post(AgentLeft(event))
        elif isinstance(event, Stalled):
            self._host.post(AgentLeft(None))

    async def _agent_left(self, ended: Ended | None) -> None:
        """The agent hung up: the call is over, unless the agent was hardly there, or had given it back.

        Whose telephone has fallen silent for good did not hang up: the customer is the bot's again.
        """
        host, talked_s = self._host, time.monotonic() - self._joined_at
        status = ended.status if ended is not None else 0
        if self._waits:
            self._waits = False
            log.info("agent left before the customer answered", call_id=host.request.call_id, status=status)
            host.leg.hang_up()
            return
        was_talking, back = self.talks, ended is None or talked_s < TALKED_S
        if was_talking:
            host.account.known_cause = None if back else host.account.known_cause
            self._switch(Delivery.SPEAK, resume=back)
        await self.let_go()
        log.info("agent left", call_id=host.request.call_id, talked_s=round(talked_s, 1), status=status)
        if was_talking and not back:
            host.leg.hang_up()

    async def let_go(self) -> None:
        """Part with everybody of ours: the call is over, or the bot's again."""
        self._agent = None
        supervisor, self._supervisor = self._supervisor, None
        if supervisor is not None:
            supervisor.hang_up()
        attempt, self._attempt = self._attempt, None
        if attempt is None:
            return
        if self._busy:  # the customer hung up while waiting
            self._busy = False
            record = attempt.record(TakeoverResult.ABANDONED, "the customer hung up")
            self._host.config.journal.taken_over(record)
            self._tell(TakeoverUpdate(TakeoverStage.ENDED, record.agent_id, result=record.result))
        with suppress(VoicebotError):
            await attempt.let_go()

    # -- speak or suggest --

    def _switch(self, delivery: Delivery, *, resume: bool = True) -> None:
        """Let the bot speak, or the person on the line."""
        host, agent = self._host, self._agent
        host.request = replace(host.request, delivery=delivery)
        host.conversation.deliver(delivery)
        if delivery is Delivery.SUGGEST:
            host.line.act(TurnMachine.stop)
            if agent is not None:
                host.leg.hear(agent)
                host.line.follow(agent)
        else:
            if agent is not None:
                host.leg.unhear(agent)
            host.line.unfollow()
            if resume:
                host.line.act(TurnMachine.resume)
        host.tell(CallEvent(host.request.call_id, "delivery", datetime.now(UTC), delivery=delivery))

    def suggest(self, decided: Decided, utterance: Utterance, *, final: bool) -> None:
        """Push a decision to the agent's screen."""
        host, turn = self._host, decided.result.turn
        after_ms = max(0, host.line.now_ms - round(utterance.end_s * 1000))
        suggestion = Suggestion(
            turn.call_id,
            turn.seq,
            decided.result.generation,
            datetime.now(UTC),
            turn.understanding.transcript.text,
            turn.understanding.emotion,
            turn.understanding.situation,
            decided.result.suggested,
            after_ms,
            final,
        )
        host.tell(CallEvent(turn.call_id, "suggestion", suggestion.at, suggestion=suggestion))

    async def follow(self, generation: int, start_s: float, end_s: float) -> None:
        """Have what the agent said recognised, be it nothing, and the dialogue advanced by it."""
        result = await self._understand(generation, start_s, end_s)
        if result is not None:
            self._host.post(Followed(result, generation))

    async def unanswered(self, decided: TurnResult) -> Turn:
        """Return the turn of an utterance after which the call was over; what it came to will know of it."""
        turn, end_s = decided.turn, decided.turn.end_s
        found = None if self.following else await self._understand(decided.generation, end_s, end_s)
        if found is not None:
            return replace(found.turn, at=datetime.now(UTC))
        silent = Delivered("", start_s=end_s, end_s=end_s)
        return replace(turn, at=datetime.now(UTC), delivery=Delivery.SUGGEST, delivered=silent)

    async def _understand(self, generation: int, start_s: float, end_s: float) -> TurnResult | None:
        host = self._host
        async with self._understanding:
            try:
                async with asyncio.timeout(host.config.decide_timeout_s):
                    return await host.conversation.agent_said(generation, start_s, end_s)
            except (TimeoutError, VoicebotError) as error:
                log.warning("agent not understood", call_id=host.request.call_id, error=str(error))
                return None

    # -- whisper --

    def _whisper(self, uri: str) -> None:
        """Let a supervisor's phone join: heard by the agent alone, hears both."""
        assert self._phone is not None, "a worker has a phone"
        agent, customer = self._agent, self._host.leg
        if agent is None or self._supervisor is not None:
            return
        try:
            leg = self._phone.call(uri, ring_timeout_s=self._host.config.takeover.ring_s)
        except VoicebotError as error:
            log.warning("no whisper", call_id=self._host.request.call_id, error=error.detail)
            return
        self._supervisor = leg

        def on_event(event: LegEvent) -> None:
            if isinstance(event, Answered):
                agent.hear(leg)
                leg.hear(agent)
                leg.hear(customer)
            elif isinstance(event, Ended) and self._supervisor is leg:
                self._supervisor = None

        leg.listen(on_event)

    def _tell(self, update: TakeoverUpdate) -> None:
        host = self._host
        host.tell(CallEvent(host.request.call_id, "takeover", datetime.now(UTC), takeover=update))
