"""The dialer: runs campaigns through line workers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Protocol

import structlog

from voicebot.campaign.hopper import Hopper
from voicebot.campaign.readiness import ContactVoice
from voicebot.campaign.trunk import call_uri, shown_number, trunk_uri
from voicebot.domain.call import CallRequest, Direction
from voicebot.domain.campaign import Campaign, CampaignStatus, Contact
from voicebot.domain.errors import CampaignError, CapacityError, StoreError, TelephonyError, VoicebotError
from voicebot.domain.ids import uuid7
from voicebot.domain.trunk import Trunk
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

    async def hang_up(self, address: str, call_id: str) -> None:
        """End a call of the worker at host:port. Raises TelephonyError."""


class Dialer:
    """Runs campaigns as the pacer allows.

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
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        """Take what claims, what dials, what can say names; without a clock the database's is used."""
        self._hopper = hopper
        self._pacing = hopper.pacing
        self._lines = lines
        self._voice = voice
        self._poll_s = poll_s
        self._database_clock = hopper.clock()
        self._clock = clock or self._database_clock
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
        await asyncio.to_thread(self._database_clock.set)
        loop_time = asyncio.get_running_loop().time()
        if loop_time - self._swept_at >= SWEEP_S or not self._swept_at:
            self._swept_at = loop_time
            await asyncio.to_thread(self._hopper.sweep, self._clock())
        running = []
        for campaign in await asyncio.to_thread(self._hopper.campaigns):
            try:
                if await self._serve(campaign):
                    running.append(campaign)
            except StoreError:
                raise
            except VoicebotError as error:
                # A campaign that is not usable must not stop the others.
                log.exception("campaign skipped", campaign=campaign.id, error=error.detail)
        await self._dial(running)

    async def _serve(self, campaign: Campaign) -> bool:
        """Settle what has ended; return whether the campaign may call now."""
        await asyncio.to_thread(self._hopper.settle, campaign)
        if await asyncio.to_thread(self._hopper.finish, campaign, self._clock()):
            log.info("campaign finished", campaign=campaign.id)
            return False
        if campaign.status is CampaignStatus.STOPPING:
            await self._hang_up(campaign)
        if campaign.status is not CampaignStatus.RUNNING:
            return False
        return await asyncio.to_thread(self._pacing.may_call, campaign, self._clock())

    async def _hang_up(self, campaign: Campaign) -> None:
        for address, call_id in await asyncio.to_thread(self._pacing.calls, campaign, self._clock()):
            with suppress(TelephonyError):
                await self._lines.hang_up(address, call_id)

    async def _dial(self, campaigns: list[Campaign]) -> None:
        if not campaigns:
            return
        slots = _slots(await asyncio.to_thread(self._hopper.free_workers, self._clock()))
        shares = await asyncio.to_thread(self._pacing.shares, campaigns, len(slots), self._clock())
        calls = []
        for campaign in sorted(campaigns, key=lambda one: -one.priority):
            mine, slots = slots[: shares[campaign.id]], slots[shares[campaign.id] :]
            calls.append(self._begin(campaign, mine))
        # All are waited for, then the first error counts: no call goes on behind the next step's back.
        for result in await asyncio.gather(*calls, return_exceptions=True):
            if isinstance(result, VoicebotError) and not isinstance(result, StoreError):
                log.error("campaign skipped", error=result.detail)
            elif isinstance(result, BaseException):
                raise result

    async def _begin(self, campaign: Campaign, workers: list[Worker]) -> None:
        if not workers:
            return
        trunk = await asyncio.to_thread(self._hopper.trunk, campaign)
        contacts = await asyncio.to_thread(self._hopper.claim, campaign, len(workers), self._clock())
        calls = (
            self._call(campaign, trunk, contact, worker)
            for contact, worker in zip(contacts, workers, strict=False)
        )
        for result in await asyncio.gather(*calls, return_exceptions=True):
            if isinstance(result, BaseException):
                raise result

    async def _call(self, campaign: Campaign, trunk: Trunk | None, contact: Contact, worker: Worker) -> None:
        request = call_request(campaign, contact, trunk)
        if self._voice is not None:
            slots = await self._voice.speakable(request.playbook_id, request.slots)
            request = replace(request, slots=slots)
        opened = await asyncio.to_thread(self._hopper.open, campaign, request, worker.id, self._clock())
        if opened is None:
            return
        try:
            await self._lines.originate(worker.address, opened)
        except CapacityError as error:
            log.info("line refuses a call", worker=worker.id, error=error.detail)
            await asyncio.to_thread(self._hopper.give_back, opened, self._clock())
        except TelephonyError as error:
            log.warning("nobody knows of a call", worker=worker.id, error=error.detail)
            await asyncio.to_thread(self._hopper.lose, request)


def call_request(campaign: Campaign, contact: Contact, trunk: Trunk | None = None) -> CallRequest:
    """Return the outbound call of a contact, with the ids by which a PBX and its journal know it.

    Raises CampaignError if the trunk may not dial the number or not show the campaign's caller id.
    """
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
        to_uri=trunk_uri(trunk, contact.number) if trunk else call_uri(campaign.trunk, contact.number),
        trunk=trunk.name if trunk else "",
        caller_id=shown_number(trunk, campaign.caller_id) if trunk else campaign.caller_id,
        headers={CAMPAIGN: campaign.id, CONTACT: contact.id, ATTEMPT: attempt_id},
        slots=contact.slots,
        ring_timeout_s=campaign.ring_timeout_s,
        transfer_uri=campaign.transfer_uri,
        takeover=campaign.takeover,
        leave_message=campaign.leave_message,
    )


def _slots(free: list[tuple[Worker, int]]) -> list[Worker]:
    """Return one entry a free leg, taken round the workers so that they fill evenly."""
    most = max((count for _, count in free), default=0)
    return [worker for turn in range(most) for worker, count in free if count > turn]
