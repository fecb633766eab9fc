"""The line worker: one user agent and the calls it carries."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence

import structlog

from voicebot.call.events import SessionConfig, Switch, TakeOver, Whisper
from voicebot.call.listener import Listener
from voicebot.call.plan import Plan
from voicebot.call.session import CallSession
from voicebot.domain.call import CallEvent, CallRequest, Delivery, LineStatus, Overheard, Rejection
from voicebot.domain.errors import CapacityError, TelephonyError, VoicebotError
from voicebot.domain.people import TakeoverKind, TakeoverReason
from voicebot.domain.trunk import Trunk
from voicebot.telephony import Leg, UserAgent, UserAgentConfig
from voicebot.telephony.headers import check_uri

log = structlog.get_logger()

Resolve = Callable[[Mapping[str, str], str, str], Awaitable[CallRequest | Rejection]]
SPARE_LEGS = 1  # kept free for a takeover's second leg
LISTEN_S = 1.0  # how often a listener looks whether the call is still there
EVENTS_KEPT = 1000  # of a watcher who does not keep up


class LineWorker:
    """Implements LineControl in-process. Lives in one event loop."""

    def __init__(
        self, agent: UserAgentConfig, session: SessionConfig, resolve: Resolve | None = None
    ) -> None:
        """Make a worker that is not started.

        Args:
            agent: where its user agent listens.
            session: what all calls share.
            resolve: turns an INVITE's headers, called user and source address into a request or a rejection;
                without it every INVITE gets 404.
        """
        self._agent = UserAgent(agent, self._invited)
        self._session = session
        self._resolve = resolve
        self._loop: asyncio.AbstractEventLoop | None = None
        self._calls: dict[str, CallSession] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._arriving = 0  # INVITEs being resolved
        self._watchers: set[asyncio.Queue[CallEvent]] = set()
        self._draining = False

    @property
    def capacity(self) -> int:
        """Calls it can conduct at once."""
        return max(self._agent.capacity - SPARE_LEGS, 0)

    @property
    def sip_uri(self) -> str:
        """Where to call the bot."""
        return self._agent.sip_uri

    async def start(self) -> None:
        """Start the user agent. Raises TelephonyError."""
        self._loop = asyncio.get_running_loop()
        await asyncio.to_thread(self._agent.start)
        log.info("line ready", worker=self._session.worker, sip_uri=self.sip_uri, capacity=self.capacity)

    def set_trunks(self, trunks: Sequence[Trunk], *, register: bool) -> None:
        """Call through these trunks, and register there if this worker is the one that does."""
        self._agent.set_trunks(trunks, register=register)

    @property
    def registrations(self) -> Mapping[str, tuple[int, str]]:
        """SIP status and reason of the last answer to a registration, by trunk."""
        return self._agent.registrations

    async def originate(self, request: CallRequest) -> None:
        """Place a call. Raises CapacityError."""
        if self._draining:
            raise CapacityError(
                "{worker} is draining", hint="ask another line worker", worker=self._session.worker
            )
        if not self._has_room(2 if request.agent_uri else 1):
            raise CapacityError(
                "{worker} carries {calls} of {capacity} calls",
                hint="wait until one ends or start more line workers (VOICEBOT_CALLS)",
                worker=self._session.worker,
                calls=len(self._calls),
                capacity=self.capacity,
            )
        if request.trunk and request.trunk not in self._agent.trunks:
            raise CapacityError(
                "{worker} does not know the trunk {trunk} yet",
                hint="workers look for new trunks every few seconds",
                worker=self._session.worker,
                trunk=request.trunk,
            )
        if request.call_id in self._calls:
            raise TelephonyError("call {call} is under way already", call=request.call_id)
        self._conduct(CallSession(request, self._session, phone=self._agent, on_event=self._tell))

    async def hang_up(self, call_id: str) -> None:
        """End a call."""
        self._find(call_id).hang_up()

    async def transfer(self, call_id: str, target_uri: str) -> None:
        """Hand a call over."""
        self._without_agent(call_id).do(TakeOver(Plan(TakeoverReason.SUPERVISOR, target_uri=target_uri)))

    async def take_over(
        self, call_id: str, agent_id: str = "", kind: TakeoverKind = TakeoverKind.AUTO
    ) -> None:
        """Hand a call to an agent of ours."""
        if self._session.desk is None:
            raise TelephonyError("there is no agents' desk here", hint="give a target address instead")
        self._without_agent(call_id).do(TakeOver(Plan(TakeoverReason.SUPERVISOR, kind, agent_id)))

    async def deliver(self, call_id: str, delivery: Delivery) -> None:
        """Let the bot speak, or only suggest to the person on the line."""
        self._with_agent(call_id).do(Switch(delivery))

    async def whisper(self, call_id: str, uri: str) -> None:
        """Let a supervisor's phone join, heard by the agent alone."""
        call = self._with_agent(call_id)
        if not self._agent.has_room:
            raise CapacityError("every leg of this line worker is in use", hint="listen in by the browser")
        call.do(Whisper(check_uri(uri)))

    async def listen(self, call_id: str) -> AsyncIterator[Overheard]:
        """Yield both directions of a call, 100 ms at a time; ends with the call, or if nobody keeps up."""
        call, tap = self._find(call_id), Listener()
        end = call.listen(tap.take)
        try:
            while self._calls.get(call_id) is call:
                heard = await tap.next(LISTEN_S)
                if heard is not None:
                    yield heard
        finally:
            end()

    def watch(self) -> AsyncIterator[CallEvent]:
        """Yield what is known of the running calls, then all events; ends if the watcher falls far behind."""
        events: asyncio.Queue[CallEvent] = asyncio.Queue(EVENTS_KEPT)
        for event in (event for call in self._calls.values() for event in call.recap.events()):
            events.put_nowait(event)
        self._watchers.add(events)
        return self._follow(events)

    def _without_agent(self, call_id: str) -> CallSession:
        call = self._find(call_id)
        if call.account.answered_at is None:
            raise TelephonyError("the customer has not answered yet", hint="wait until the call is answered")
        if not call.human.free:
            raise TelephonyError(
                "a person is on this call, or on the way", hint="whisper, or wait until the agent has left"
            )
        return call

    def _with_agent(self, call_id: str) -> CallSession:
        call = self._find(call_id)
        if not call.human.present:
            raise TelephonyError("nobody of ours is on this call", hint="take it over first")
        return call

    async def status(self) -> LineStatus:
        """Return how it stands."""
        return LineStatus(
            self._session.worker, self.sip_uri, self.capacity, self._used(), draining=self._draining
        )

    async def drain(self) -> None:
        """Take no new calls and wait until the running ones have ended."""
        self._draining = True
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def stop(self) -> None:
        """Hang up what still runs, journal it, and end the user agent."""
        self._draining = True
        for call in list(self._calls.values()):
            call.hang_up()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=5)
        await asyncio.to_thread(self._agent.stop)

    # -- inside --

    def _busy(self) -> int:
        return sum(2 if call.request.agent_uri else 1 for call in self._calls.values()) + self._arriving

    def _used(self) -> int:
        """Calls, and legs of people beside them: a bridged call counts for two."""
        return max(self._busy(), min(self._agent.busy, self.capacity))

    def _has_room(self, legs: int) -> bool:
        """Whether a call fits; one that begins with its agent needs no leg to spare."""
        return self._used() + legs <= self.capacity + (SPARE_LEGS if legs > 1 else 0)

    def _find(self, call_id: str) -> CallSession:
        call = self._calls.get(call_id)
        if call is None:
            raise TelephonyError("no call {call} on {worker}", call=call_id, worker=self._session.worker)
        return call

    def _invited(self, leg: Leg) -> None:
        """Take an INVITE, in the SIP thread."""
        assert self._loop is not None, "started"
        self._loop.call_soon_threadsafe(self._admit, leg)

    def _admit(self, leg: Leg) -> None:
        if self._draining or self._busy() >= self.capacity or self._agent.busy > self.capacity:
            leg.refuse(503, "draining" if self._draining else "all lines are busy")
            return
        self._arriving += 1
        task = asyncio.create_task(self._receive(leg))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _receive(self, leg: Leg) -> None:
        try:
            answer = await self._answer_for(leg)
        finally:
            self._arriving -= 1
        if isinstance(answer, Rejection):
            leg.refuse(answer.status, answer.reason)
        elif answer.call_id in self._calls:
            leg.refuse(400, "this call is under way already")
        else:
            self._conduct(CallSession(answer, self._session, phone=self._agent, leg=leg, on_event=self._tell))

    async def _answer_for(self, leg: Leg) -> CallRequest | Rejection:
        if self._resolve is None:
            return Rejection(404, "no inbound calls here")
        try:
            return await self._resolve(leg.headers, leg.to_user, leg.source)
        except VoicebotError as error:
            log.warning("INVITE not resolved", error=str(error))
        except Exception:  # the edge of a task: the caller must get an answer
            log.exception("INVITE not resolved")
        return Rejection(500, "cannot look up the campaign")

    def _conduct(self, call: CallSession) -> None:
        self._calls[call.request.call_id] = call
        task = asyncio.create_task(self._run(call))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, call: CallSession) -> None:
        try:
            await call.run()
        except Exception:  # the edge of a task: the other calls go on
            log.exception("call failed", call_id=call.request.call_id)
            await call.abort()
        finally:
            del self._calls[call.request.call_id]

    async def _follow(self, events: asyncio.Queue[CallEvent]) -> AsyncIterator[CallEvent]:
        try:
            while events in self._watchers or not events.empty():
                yield await events.get()
        finally:
            self._watchers.discard(events)

    def _tell(self, event: CallEvent) -> None:
        for events in list(self._watchers):
            try:
                events.put_nowait(event)
            except asyncio.QueueFull:
                self._watchers.discard(events)
                log.warning("a watcher of the line fell behind and was cut off")
