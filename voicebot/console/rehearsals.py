"""Rehearsals that this console started: while one runs, a phone answers for its simulated customers."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from voicebot.campaign import management
from voicebot.domain.campaign import Campaign, CampaignStatus
from voicebot.domain.errors import CapacityError, VoicebotError
from voicebot.service import rehearsal
from voicebot.service.child import Child
from voicebot.simulate import personas
from voicebot.store.campaigns import CampaignRepository
from voicebot.store.session import Transaction

if TYPE_CHECKING:
    from voicebot.console.house import House

MOST = 2  # phones at once
LOOK_S = 2.0
LONGEST_S = 900.0
_ENDED = (CampaignStatus.FINISHED, CampaignStatus.STOPPED)


class Rehearsals:
    """The phones of a console's rehearsals. Belongs to its event loop."""

    def __init__(self, house: House) -> None:
        """Begin without any."""
        self._house = house
        self._running: set[asyncio.Task[None]] = set()

    async def on_customers(self, campaign: Campaign, people: Sequence[str], actor: str) -> Campaign:
        """Call simulated customers, by their ids; return the rehearsal, a campaign that runs.

        Raises CapacityError, DataError for an unknown id, CampaignError if a prompt has no sound.
        """
        chosen = personas.choose(rehearsal.customers(), list(people) or list(rehearsal.QUICK))
        if len(self._running) >= MOST:
            raise CapacityError(
                "{most} rehearsals run already",
                hint="wait until one has ended: it takes a minute or two",
                most=MOST,
            )
        house = self._house
        phone = rehearsal.phone_of_customers(house.settings.home / "logs" / "rehearsal")
        await phone.start()
        try:
            made = await asyncio.to_thread(
                rehearsal.on_customers,
                house.settings,
                house.database,
                campaign,
                str(phone.facts["sip_uri"]),
                chosen,
                actor,
            )
        except BaseException:
            await phone.stop()
            raise
        task = asyncio.create_task(self._attend(phone, made, actor))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return made

    async def on_own_phone(self, campaign: Campaign, number: str, actor: str) -> Campaign:
        """Call whoever rehearses; return the rehearsal. Raises DataError, CampaignError, ComplianceError."""
        house = self._house
        return await asyncio.to_thread(
            rehearsal.on_own_phone, house.settings, house.database, campaign, number, actor
        )

    async def close(self) -> None:
        """End what runs."""
        for task in list(self._running):
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    async def _attend(self, phone: Child, made: Campaign, actor: str) -> None:
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(LONGEST_S):
                    while not await self._house.query(lambda session: _over(session, made.id)):  # noqa: ASYNC110
                        await asyncio.sleep(LOOK_S)
        finally:
            with suppress(VoicebotError):  # who agreed to be called back would keep it open
                await asyncio.to_thread(
                    management.stop, self._house.database, made.id, actor, datetime.now(UTC)
                )
            await phone.stop()


def _over(session: Transaction, campaign_id: str) -> bool:
    campaigns = CampaignRepository(session)
    if campaigns.find(campaign_id).status in _ENDED:
        return True
    progress = campaigns.progress(campaign_id)
    return progress.attempts >= progress.contacts and not progress.calling
