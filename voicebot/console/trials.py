"""Trying the bot by the browser: a phone for each trial, called by a line worker as a customer is."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog
from fastapi import APIRouter, WebSocket, WebSocketDisconnect

from voicebot.domain.audio import FRAME_BYTES
from voicebot.domain.call import CallRecord, CallRequest, Direction, Turn
from voicebot.domain.campaign import Campaign, CampaignStatus
from voicebot.domain.errors import CapacityError, TelephonyError, VoicebotError
from voicebot.domain.ids import uuid7
from voicebot.domain.users import Right, User
from voicebot.service.child import Child
from voicebot.store.campaigns import CampaignRepository
from voicebot.store.session import Transaction
from voicebot.store.workers import Worker, WorkerRepository

if TYPE_CHECKING:
    from voicebot.console.house import House

MOST = 4  # trials at once
RECORD_S = 5.0  # how long the end of a call is waited for after its sound has ended
FOLLOW_S = 0.5  # for the worker's events to flow before the call begins

log = structlog.get_logger()


@dataclass(slots=True)
class Trial:
    """One talk with the bot, as far as it was seen."""

    request: CallRequest
    user_id: str
    address: str  # of the line worker
    phone: Child
    folder: Path  # of the phone's socket
    state: str = "dialling"
    turns: list[Turn] = field(default_factory=list)
    record: CallRecord | None = None
    error: VoicebotError | None = None
    version: int = 0  # grows with every change

    @property
    def over(self) -> bool:
        """Whether nothing more will come."""
        return self.state == "ended"

    def change(self, state: str) -> None:
        """Go on to another state."""
        self.state, self.version = state, self.version + 1


class Trials:
    """All trials of a console. Belongs to its event loop."""

    def __init__(self, house: House) -> None:
        """Begin without any."""
        self._house = house
        self._trials: dict[str, Trial] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def begin(self, user: User, playbook_id: str) -> Trial:
        """Prepare a talk by a playbook: its sound begins when the browser connects.

        Raises CapacityError if no line is free, PlaybookError, ChildError.
        """
        if len(self._trials) >= MOST:
            raise CapacityError(
                "{most} people try the bot already", hint="wait until one of them has ended", most=MOST
            )
        playbook = await asyncio.to_thread(self._house.playbooks.get, playbook_id)
        campaign_id, worker = await self._house.query(
            lambda session: (_campaign(session, playbook_id, playbook.title), _free(session))
        )
        folder = Path(tempfile.mkdtemp(prefix="voicebot-phone-"))
        settings = self._house.settings
        phone = Child(
            "browser-phone",
            "voicebot.service.browser_phone",
            ("--socket", str(folder / "sound")),
            settings.as_environment(),
            settings.home / "logs" / "browser-phone.log",
        )
        try:
            await phone.start()
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        request = CallRequest(
            call_id=str(uuid7()),
            attempt_id="",
            campaign_id=campaign_id,
            contact_id="",
            playbook_id=playbook_id,
            direction=Direction.OUTBOUND,
            to_uri=str(phone.facts["sip_uri"]),
        )
        trial = Trial(request, user.id, worker.address, phone, folder)
        self._trials[request.call_id] = trial
        self._run(self._tidy(trial))
        return trial

    def of(self, user: User, call_id: str) -> Trial | None:
        """Return a user's own trial that has not been talked yet."""
        trial = self._trials.get(call_id)
        fresh = trial is not None and trial.user_id == user.id and trial.state == "dialling"
        return trial if fresh else None

    async def talk(self, trial: Trial, socket: WebSocket) -> None:
        """Carry the sound of a trial until either side ends it."""
        line = self._house.lines.at(trial.address)
        trial.change("ringing")
        follow = asyncio.create_task(self._follow(trial))
        try:
            reader, writer = await asyncio.open_unix_connection(trial.folder / "sound")
            await asyncio.sleep(FOLLOW_S)
            await line.originate(trial.request)
            await _carry(socket, reader, writer)
            with suppress(VoicebotError):
                await line.hang_up(trial.request.call_id)
            await asyncio.wait((follow,), timeout=RECORD_S)
        except VoicebotError as error:
            trial.error = error
        except OSError as error:
            log.warning("a browser's phone is gone", error=str(error))
            trial.error = TelephonyError("the phone behind your browser ended", hint="start the call again")
        finally:
            follow.cancel()
            trial.change("ended")
            await trial.phone.stop()

    async def close(self) -> None:
        """End all trials."""
        await asyncio.gather(*(trial.phone.stop() for trial in list(self._trials.values())))
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _follow(self, trial: Trial) -> None:
        async for event in self._house.lines.at(trial.address).watch():
            if event.call_id != trial.request.call_id:
                continue
            if event.turn is not None:
                trial.turns.append(event.turn)
            trial.change("answered" if event.kind in ("answered", "turn") else trial.state)
            if event.record is not None:
                trial.record = event.record
                return

    async def _tidy(self, trial: Trial) -> None:
        assert trial.phone.process is not None
        await trial.phone.process.wait()
        shutil.rmtree(trial.folder, ignore_errors=True)
        self._trials.pop(trial.request.call_id, None)
        if trial.state == "dialling":  # the browser never came
            trial.change("ended")

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def trials(house: House) -> APIRouter:
    """Return the route of sound. Each message is 16-bit little-endian 8 kHz mono, both ways."""
    router = APIRouter()

    @router.websocket("/try/{call_id}/sound")
    async def sound(socket: WebSocket, call_id: str) -> None:
        """Be a user's telephone for one talk with the bot."""
        user = socket.state.session.user
        trial = house.trials.of(user, call_id) if user.may(Right.TRY_BOT) else None
        if trial is None:
            await socket.close(4404)
            return
        await socket.accept()
        await house.trials.talk(trial, socket)
        with suppress(RuntimeError):
            await socket.close()

    return router


async def _carry(socket: WebSocket, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    async def up() -> None:
        with suppress(WebSocketDisconnect, ConnectionError, RuntimeError, KeyError):
            while True:
                writer.write(await socket.receive_bytes())
                await writer.drain()

    async def down() -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError, RuntimeError, WebSocketDisconnect):
            while True:
                await socket.send_bytes(await reader.readexactly(FRAME_BYTES))

    ways = [asyncio.create_task(up()), asyncio.create_task(down())]
    try:
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for way in ways:
            way.cancel()
        writer.close()


def _free(session: Transaction) -> Worker:
    free = WorkerRepository(session).free()
    if not free:
        raise CapacityError("no line is free", hint="is voicebot serve running? else wait until a call ends")
    return free[0][0]


def _campaign(session: Transaction, playbook_id: str, title: str) -> str:
    """Return the campaign under which trials of a playbook stand: never started, and counted nowhere."""
    campaigns = CampaignRepository(session)
    known = campaigns.rehearsals(playbook_id)
    if known:
        return known[0].id
    made = Campaign(
        id=str(uuid7()),
        name=f"{title} · 试用",
        playbook_id=playbook_id,
        status=CampaignStatus.DRAFT,
        policy_pack="SIMULATION",
        trunk="sip:{number}@127.0.0.1",
        rehearses=playbook_id,
    )
    campaigns.add(made)
    return made.id
