"""The dialer: runs campaigns through line workers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Protocol

import structlog

from voicebot.campaign.hopper import Hopper
from voicebot.campaign.readiness import ContactVoice
from voicebot.campaign.trunk import call_uri
from voicebot.domain.call import CallRequest, Direction
from voicebot.domain.campaign import Campaign, CampaignStatus, Contact
from voicebot.domain.errors import CampaignError, CapacityError, StoreError, TelephonyError, VoicebotError
from voicebot.domain.ids import uuid7
from voicebot.store.workers import Worker
from voicebot.telephony.headers import ATTEMPT, CAMPAIGN, CONTACT

log = structlog.get_logger()

POLL_S = 0.5
SWEEP_S = 5.0


class LineClient(Protocol):
    """Places calls through line workers."""

    async def originate(self, address: str, request: CallRequest) -> None:
        """Have the worker at host:port place a call; returns when it has taken it.

        Raises CapacityError if the call was certainly not placed (every leg in use, draining, nobody
        listens), TelephonyError if nobody can tell.
        """


class Dialer:
    """Paces campaigns by the lines' free capacity and their own `max_calls`.

    It holds no state of its own: killed at any moment, its successor reads everything from the
    database. What ends an attempt is the line worker's journal, never the dialer.
    """

    def __init__(
        self,
        hopper: Hopper,
        lines: LineClient,
        voice: ContactVoice | None = None,
        *,
        poll_s: float = POLL_S,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._hopper = hopper
        self._lines = lines
        self._voice = voice
        self._poll_s = poll_s
        self._clock = clock
        self._swept_at = 0.0

    async def run(self, stop: asyncio.Event) -> None:
        """Run every running campaign until told to stop. A database that is away is waited for."""
        away, fresh = False, True
        while not stop.is_set():
            try:
                if fresh:
                    await asyncio.to_thread(self._hopper.release)
                await self.step()
                if away:
                    log.info("dialer goes on")
                away = fresh = False
            except StoreError as error:
                if not away:
                    log.warning("dialer waits: database away", error=error.detail)
                away = fresh = True
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), self._poll_s)

    async def step(self) -> None:
        """Do once what is to be done now: settle, dial, finish. Raises StoreError."""
        loop_time = asyncio.get_running_loop().time()
        if loop_time - self._swept_at >= SWEEP_S or not self._swept_at:
            self._swept_at = loop_time
            await asyncio.to_thread(self._hopper.sweep, self._clock())
        for campaign in await asyncio.to_thread(self._hopper.campaigns):
            try:
                await self._serve(campaign)
            except StoreError:
                raise
            except VoicebotError as error:
                # A campaign that is not usable must not stop the others.
                log.exception("campaign skipped", campaign=campaign.id, error=error.detail)

    async def _serve(self, campaign: Campaign) -> None:
        await asyncio.to_thread(self._hopper.settle, campaign)
        if campaign.status is CampaignStatus.RUNNING:
            await self._dial(campaign)
        if await asyncio.to_thread(self._hopper.finish, campaign, self._clock()):
            log.info("campaign finished", campaign=campaign.id)

    async def _dial(self, campaign: Campaign) -> None:
        slots = _slots(await asyncio.to_thread(self._hopper.free_workers, self._clock()))
        room = campaign.max_calls - await asyncio.to_thread(self._hopper.live, campaign)
        count = min(len(slots), room)
        if count <= 0:
            return
        contacts = await asyncio.to_thread(self._hopper.claim, campaign, count, self._clock())
        calls = (
            self._call(campaign, contact, worker) for contact, worker in zip(contacts, slots, strict=False)
        )
        # All are waited for, then the first error counts: no call goes on behind the next step's back.
        for result in await asyncio.gather(*calls, return_exceptions=True):
            if isinstance(result, BaseException):
                raise result

    async def _call(self, campaign: Campaign, contact: Contact, worker: Worker) -> None:
        request = call_request(campaign, contact)
        if self._voice is not None:
            slots = await self._voice.speakable(request.playbook_id, request.slots)
            request = replace(request, slots=slots)
        if not await asyncio.to_thread(self._hopper.open, campaign, request, worker.id, self._clock()):
            return
        try:
            await self._lines.originate(worker.address, request)
        except CapacityError as error:
            log.info("line refuses a call", worker=worker.id, error=error.detail)
            await asyncio.to_thread(self._hopper.give_back, request, self._clock())
        except TelephonyError as error:
            log.warning("nobody knows of a call", worker=worker.id, error=error.detail)
            await asyncio.to_thread(self._hopper.lose, request)


def call_request(campaign: Campaign, contact: Contact) -> CallRequest:
    """Return the outbound call of a contact, with the ids by which a PBX and its journal know it."""
    if campaign.id != contact.campaign_id:
        raise CampaignError(f"contact {contact.id} belongs to another campaign")
    attempt_id = str(uuid7())
    return CallRequest(
        call_id=str(uuid7()),
        attempt_id=attempt_id,
        campaign_id=campaign.id,
        contact_id=contact.id,
        playbook_id=campaign.playbook_id,
        direction=Direction.OUTBOUND,
        to_uri=call_uri(campaign.trunk, contact.number),
        caller_id=campaign.caller_id,
        headers={CAMPAIGN: campaign.id, CONTACT: contact.id, ATTEMPT: attempt_id},
        slots=contact.slots,
        ring_timeout_s=campaign.ring_timeout_s,
        transfer_uri=campaign.transfer_uri,
    )


def _slots(free: list[tuple[Worker, int]]) -> list[Worker]:
    """Return one entry a free leg, taken round the workers so that they fill evenly."""
    most = max((count for _, count in free), default=0)
    return [worker for turn in range(most) for worker, count in free if count > turn]
