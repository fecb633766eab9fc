"""All calls that run now, as the line workers tell them: what the wall and the agents' screens show."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

import structlog

from voicebot.domain.call import CallEvent, Delivery, Turn
from voicebot.domain.emotion import NEGATIVE
from voicebot.domain.errors import VoicebotError
from voicebot.domain.people import Briefing, Suggestion, TakeoverStage
from voicebot.rpc.line_client import LineClient
from voicebot.store.contacts import shown
from voicebot.store.session import Transaction
from voicebot.store.workers import LINE, Worker, WorkerRepository

if TYPE_CHECKING:
    from voicebot.console.house import House

WAITING = (TakeoverStage.WAITING, TakeoverStage.RINGING, TakeoverStage.BRIEFING)
LOOK_S = 2.0  # for line workers that came or went

log = structlog.get_logger()


@dataclass(slots=True)
class LiveCall:
    """One running call, as far as it was seen."""

    call_id: str
    address: str  # of its line worker
    since: datetime
    contact_id: str = ""  # "" = nobody on a list
    who: str = ""  # masked number and campaign, once they are looked up
    state: str = "dialling"  # dialling, ringing, answered
    delivery: Delivery = Delivery.SPEAK
    turn: Turn | None = None  # the last one
    lines: list[tuple[str, str]] = field(default_factory=list)  # (customer | bot | agent, text)
    suggestion: Suggestion | None = None
    stage: TakeoverStage | None = None
    agent_id: str = ""
    briefing: Briefing | None = None

    @property
    def urgency(self) -> int:
        """How much a supervisor should look at it: 2 = at once, 0 = it goes its way."""
        if self.stage in WAITING:
            return 2
        negative = self.turn is not None and self.turn.understanding.emotion.label in NEGATIVE
        return 1 if negative else 0


class Live:
    """Watches every line worker. One a console; belongs to its event loop."""

    def __init__(self, house: House) -> None:
        """Begin without watching; see `start`."""
        self.calls: dict[str, LiveCall] = {}
        self.version = 0  # grows with every change
        self._house = house
        self._watching: dict[str, asyncio.Task[None]] = {}
        self._looking: asyncio.Task[None] | None = None
        self._naming: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Begin to watch. Harmless when begun."""
        if self._looking is None:
            self._looking = asyncio.create_task(self._look())

    async def close(self) -> None:
        """Watch no more."""
        running = (self._looking, *self._watching.values(), *self._naming)
        tasks = [task for task in running if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def of_agent(self, agent_id: str) -> LiveCall | None:
        """Return the call that is on its way to an agent, or conducted by one."""
        return next((call for call in self.calls.values() if call.agent_id == agent_id), None)

    def line(self, call_id: str) -> LineClient | None:
        """Return the line worker of a call; None if it is over."""
        call = self.calls.get(call_id)
        return self._house.lines.at(call.address) if call is not None else None

    async def _look(self) -> None:
        while True:
            with suppress(VoicebotError):
                workers = await self._house.query(_workers)
                for worker in workers:
                    if worker.address not in self._watching:
                        self._watching[worker.address] = asyncio.create_task(self._watch(worker.address))
            await asyncio.sleep(LOOK_S)

    async def _watch(self, address: str) -> None:
        try:
            async for event in self._house.lines.at(address).watch():
                self._take(address, event)
        except VoicebotError as error:
            log.info("a line worker is gone", address=address, error=str(error))
        finally:
            self._watching.pop(address, None)
            gone = [call_id for call_id, call in self.calls.items() if call.address == address]
            for call_id in gone:
                del self.calls[call_id]
            self.version += 1

    def _name(self, call: LiveCall) -> None:
        """Look up whose call it is."""
        if not call.contact_id:
            return

        async def look() -> None:
            with suppress(VoicebotError):
                call.who = await self._house.query(lambda session: shown(session, call.contact_id))
                self.version += 1

        task = asyncio.create_task(look())
        self._naming.add(task)
        task.add_done_callback(self._naming.discard)

    def _take(self, address: str, event: CallEvent) -> None:
        self.version += 1
        if event.kind == "ended":
            self.calls.pop(event.call_id, None)
            return
        call = self.calls.get(event.call_id)
        if call is None:
            call = LiveCall(event.call_id, address, event.at, event.contact_id)
            self.calls[event.call_id] = call
            self._name(call)
        if event.kind in ("dialling", "ringing", "answered"):
            call.state = event.kind
        if event.turn is not None:
            _add_turn(call, event.turn)
        if event.suggestion is not None:
            call.suggestion = event.suggestion
        if event.delivery is not None:
            call.delivery = event.delivery
        if event.takeover is not None:
            update = event.takeover
            rings = update.stage is TakeoverStage.RINGING and (call.stage, call.agent_id) != (
                update.stage,
                update.agent_id,
            )
            call.stage, call.agent_id = update.stage, update.agent_id
            call.briefing = update.briefing or call.briefing
            if rings and call.briefing is not None:
                self._house.push.ring(call.agent_id, call.call_id, call.briefing.reason.value)
            if update.stage is TakeoverStage.ENDED:
                call.agent_id, call.suggestion = "", None


def _add_turn(call: LiveCall, turn: Turn) -> None:
    call.state = "answered"
    call.turn = turn
    text = turn.understanding.transcript.text
    if text:
        call.lines.append(("customer", text))
    if turn.delivered is not None:
        if turn.delivered.text:
            call.lines.append(("agent", turn.delivered.text))
    elif turn.decision.script_text:
        call.lines.append(("bot", turn.decision.script_text))
    del call.lines[:-60]


def _workers(session: Transaction) -> tuple[Worker, ...]:
    return WorkerRepository(session).alive(LINE)
