"""One takeover: finding a person, briefing, joining. Every step has its time; what fails says so and ends.

    waiting ─▶ ringing ─▶ briefing ─▶ connected
       │          │           │
       └──────────┴───────────┴──▶ ended: the customer is the bot's again

The customer hears music meanwhile. The agent's screen shows the call before the phone rings, and the INVITE
carries the same context.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import structlog

from voicebot.call.briefing import headers
from voicebot.call.events import Phone
from voicebot.call.music import music
from voicebot.call.plan import Plan, TakeoverTimes
from voicebot.domain.audio import Audio
from voicebot.domain.call import CallRequest
from voicebot.domain.errors import VoicebotError
from voicebot.domain.people import (
    Agent,
    Briefing,
    Takeover,
    TakeoverKind,
    TakeoverResult,
    TakeoverStage,
    TakeoverUpdate,
)
from voicebot.domain.ports import AgentDesk
from voicebot.telephony import Answered, Dtmf, Ended, Leg, LegEvent, TransferEnded

log = structlog.get_logger()

# The trunk does not do REFER, or not for us: then both legs stay here.
REFER_REFUSED = frozenset((0, 400, 403, 405, 406, 420, 488, 489, 501, 603))
_LOOK_S = 0.5  # between two looks for a free agent


class Attempt:
    """Hands one call over. `run` ends with a record; cancelled, it lets go of everybody."""

    def __init__(
        self,
        plan: Plan,
        briefing: Briefing,
        request: CallRequest,
        leg: Callable[[], Leg],
        *,
        phone: Phone,
        desk: AgentDesk | None,
        times: TakeoverTimes,
        speak: Callable[[str], Awaitable[Audio]],
        tell: Callable[[TakeoverUpdate], None],
    ) -> None:
        """Take what is needed.

        Args:
            plan: who, how, why.
            briefing: for the person.
            request: of the call.
            leg: returns the customer's, once it is dialled.
            phone: places the person's leg.
            desk: finds agents; None = there are none here.
            times: how long each step may take.
            speak: renders the briefing.
            tell: takes every step, for whoever watches.
        """
        self.plan = plan
        self.agent: Agent | None = None
        self.agent_leg: Leg | None = None
        self.kind = plan.kind
        self.left = False  # a REFER took the customer
        self._briefing = briefing
        self._request = request
        self._customer = leg
        self._phone = phone
        self._desk = desk
        self._times = times
        self._speak = speak
        self._tell_update = tell
        self._events: asyncio.Queue[LegEvent] = asyncio.Queue()
        self._referred: asyncio.Future[TransferEnded] | None = None
        self._began = time.monotonic()

    async def run(self) -> Takeover:
        """Find a person and join the two."""
        noise, self._leg.playout.noise = self._leg.playout.noise, music()
        self._tell(TakeoverStage.WAITING)
        try:
            result, detail = await self._hand_over()
        except BaseException:
            await self.let_go()
            raise
        finally:
            self._leg.playout.noise = noise
        if result is not TakeoverResult.CONNECTED:
            await self.let_go()
        return self.record(result, detail)

    async def ring_first(self, agent: Agent) -> str:
        """Ring at an agent who is reserved already, before the customer is dialled.

        Returns "" once answered: the agent hears music until the customer is there. Else why not.
        """
        self.agent = agent
        self._tell(TakeoverStage.RINGING)
        if self._desk is not None:
            await self._desk.show(agent, self._briefing)
        leg, why = await self._dial(agent.uri)
        if leg is not None:
            leg.playout.noise = music()
        return why

    def join_first(self) -> Leg:
        """The customer answered: join the two; return the agent's leg."""
        leg = self.agent_leg
        assert leg is not None, "it has answered"
        leg.playout.noise = b""
        self._leg.hear(leg)
        leg.hear(self._leg)
        return leg

    async def connected(self) -> None:
        """The agent talks: tell the desk."""
        if self.agent is not None and self._desk is not None:
            await self._desk.connected(self.agent, self._request.call_id)

    def record(self, result: TakeoverResult, detail: str = "") -> Takeover:
        """Return how it went, for the journal."""
        return Takeover(
            self._request.call_id,
            self._request.campaign_id,
            datetime.now(UTC),
            self.plan.reason,
            self.kind,
            result,
            self.agent.id if self.agent else "",
            round((time.monotonic() - self._began) * 1000),
            detail,
        )

    def transfer_ended(self, event: TransferEnded) -> None:
        """The customer's leg tells how a REFER ended."""
        self.left = event.ok
        if self._referred is not None and not self._referred.done():
            self._referred.set_result(event)

    async def let_go(self, *, missed: bool = False) -> None:
        """Hang up on the person, who is free again; who went on with the customer elsewhere is not."""
        leg, self.agent_leg = self.agent_leg, None
        if leg is not None:
            leg.hang_up()
        agent, self.agent = self.agent, None
        if agent is not None and self._desk is not None:
            await self._desk.release(agent, self._request.call_id, missed=missed, away=self.left)

    # -- the steps --

    async def _hand_over(self) -> tuple[TakeoverResult, str]:
        target = self.plan.target_uri or ("" if self.plan.agent_id else self._request.transfer_uri)
        if target:
            return await self._outside(target)
        if self._desk is None:
            return TakeoverResult.NO_AGENT, "no agents here"
        return await self._to_agent(self._desk)

    async def _outside(self, target: str) -> tuple[TakeoverResult, str]:
        """Hand over to an address that is none of our agents: a queue of the PBX, a phone number."""
        if self.kind in (TakeoverKind.AUTO, TakeoverKind.BLIND):
            self.kind = TakeoverKind.BLIND
            ended = await self._refer_blind(target, self._times.refer_s)
            if ended.ok:
                return TakeoverResult.CONNECTED, ""
            if ended.status not in REFER_REFUSED:
                return TakeoverResult.NO_AGENT, f"{ended.status} {ended.reason}"
        leg, why = await self._dial(target)
        if leg is None:
            return TakeoverResult.NO_AGENT, why
        return await self._join(leg)

    async def _to_agent(self, desk: AgentDesk) -> tuple[TakeoverResult, str]:
        """Ring at one free agent after another until the time in the queue is up."""
        request, why = self._request, "nobody is free"
        until = time.monotonic() + self._times.queue_s
        while time.monotonic() < until:
            if not self._phone.has_room:  # another takeover has the worker's spare leg
                why = "no leg is free"
                await asyncio.sleep(_LOOK_S)
                continue
            self.agent = await desk.reserve(request.call_id, request.campaign_id, self.plan.agent_id)
            if self.agent is None:
                if self.plan.agent_id or not await desk.staffed(request.campaign_id):
                    break
                await asyncio.sleep(_LOOK_S)
                continue
            self._tell(TakeoverStage.RINGING)
            await desk.show(self.agent, self._briefing)
            done, why = await self._try(self.agent)
            if done:
                return done, why
            await self.let_go(missed=True)
            self._tell(TakeoverStage.WAITING)
        return TakeoverResult.NO_AGENT, why

    async def _try(self, agent: Agent) -> tuple[TakeoverResult | None, str]:
        """Ring at one agent; None if the next one is to be tried, with why."""
        if self.kind is TakeoverKind.BLIND:
            ended = await self._refer_blind(agent.uri, self._times.ring_s)
            if ended.ok:
                await self.connected()
                return TakeoverResult.CONNECTED, ""
            if ended.status not in REFER_REFUSED:
                return None, f"{ended.status} {ended.reason}"
        leg, why = await self._dial(agent.uri)
        return await self._join(leg) if leg is not None else (None, why)

    async def _refer_blind(self, target: str, timeout_s: float) -> TransferEnded:
        """Send the customer to an address; a trunk that refuses that makes the takeover a bridge."""
        context = headers(self._request, self._briefing)
        ended = await self._refer(lambda: self._leg.transfer(target, timeout_s, context))
        if not ended.ok and ended.status in REFER_REFUSED:
            log.info("REFER refused: bridging", call_id=self._request.call_id, status=ended.status)
            self.kind = TakeoverKind.BRIDGE
        return ended

    async def _dial(self, uri: str) -> tuple[Leg | None, str]:
        """Ring at a person's phone; return its leg once answered, or why not."""
        loop = asyncio.get_running_loop()
        events = self._events = asyncio.Queue()
        try:
            leg = self._phone.call(
                uri, headers=headers(self._request, self._briefing), ring_timeout_s=self._times.ring_s
            )
        except VoicebotError as error:
            return None, error.detail
        self.agent_leg = leg

        def post(event: LegEvent) -> None:
            loop.call_soon_threadsafe(events.put_nowait, event)

        leg.listen(post)
        try:
            async with asyncio.timeout(self._times.ring_s + 5):
                while True:
                    match await events.get():
                        case Answered():
                            return leg, ""
                        case Ended(_, status, reason):
                            return None, f"{status} {reason}"
        except TimeoutError:
            return None, "no answer"

    async def _join(self, leg: Leg) -> tuple[TakeoverResult, str]:
        """Brief the person, then join the two; the person may have hung up meanwhile."""
        self._tell(TakeoverStage.BRIEFING)
        await self._brief(leg)
        if leg.ended is not None:
            return TakeoverResult.NO_AGENT, "the agent hung up during the briefing"
        if self.kind is TakeoverKind.ATTENDED:
            context = headers(self._request, self._briefing)
            ended = await self._refer(lambda: self._leg.replace(leg, self._times.refer_s, context))
            if ended.ok:
                await self.connected()
                return TakeoverResult.CONNECTED, ""
            if leg.ended is not None:
                return TakeoverResult.FAILED, f"{ended.status} {ended.reason}"
            log.info("REFER refused: bridging", call_id=self._request.call_id, status=ended.status)
        self.kind = TakeoverKind.BRIDGE
        self._leg.hear(leg)
        leg.hear(self._leg)
        await self.connected()
        return TakeoverResult.CONNECTED, ""

    async def _brief(self, leg: Leg) -> None:
        """Let the person hear the summary; a key, or its end, goes on. What can not be said is only shown."""
        try:
            async with asyncio.timeout(self._times.render_s):
                audio = await self._speak(self._briefing.summary)
        except (TimeoutError, VoicebotError) as error:
            log.info("briefing is only shown", call_id=self._request.call_id, error=str(error))
            return
        leg.playout.play(audio.pcm)
        try:
            async with asyncio.timeout(min(audio.duration_s + 0.2, self._times.brief_s)):
                while not isinstance(await self._events.get(), Dtmf | Ended):
                    pass
        except TimeoutError:
            pass
        leg.playout.flush()

    async def _refer(self, send: Callable[[], None]) -> TransferEnded:
        self._referred = asyncio.get_running_loop().create_future()
        try:
            send()
            async with asyncio.timeout(self._times.refer_s + 2):
                return await self._referred
        except VoicebotError as error:
            return TransferEnded(False, 0, error.detail)
        except TimeoutError:
            return TransferEnded(False, 408, "no word from the far end")

    @property
    def _leg(self) -> Leg:
        return self._customer()

    def _tell(self, stage: TakeoverStage) -> None:
        agent = self.agent.id if self.agent else ""
        self._tell_update(TakeoverUpdate(stage, agent, self._briefing))
