"""Campaigns and their contacts."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Request, Response

from voicebot.console.api import schemas
from voicebot.console.api.caller import Caller, needs
from voicebot.console.api.contacts import add
from voicebot.console.api.idempotency import Key, once
from voicebot.console.campaign_desk import Wish, changed, made
from voicebot.domain.campaign import Campaign
from voicebot.domain.users import Right
from voicebot.store.campaigns import CampaignRepository, Progress
from voicebot.store.session import Transaction

router = APIRouter(tags=["campaigns"])
Sees = Annotated[Caller, Depends(needs(Right.SEE_CAMPAIGNS))]
Runs = Annotated[Caller, Depends(needs(Right.RUN_CAMPAIGNS))]
NameOrId = Annotated[str, Path(max_length=200, pattern=r"^[^\x00]+$", description="id or name")]


@router.get("/campaigns")
async def list_campaigns(caller: Sees) -> schemas.CampaignsOut:
    """List the newest hundred campaigns."""

    def work(session: Transaction) -> list[Campaign]:
        return list(CampaignRepository(session).all())[::-1][:100]

    return schemas.CampaignsOut(items=[_out(campaign) for campaign in await caller.query(work)])


@router.post("/campaigns", status_code=201, response_model=schemas.CampaignOut)
async def make_campaign(
    caller: Runs, request: Request, new: schemas.NewCampaign, key: Key = ""
) -> schemas.CampaignOut | Response:
    """Make a campaign. It calls nobody before it is started."""

    async def work() -> schemas.CampaignOut:
        wish = Wish(
            new.name, new.playbook, new.policy, new.trunk, new.scope, new.caller_id, new.transfer_uri,
            new.max_calls, new.max_attempts, new.ring_timeout_s,
        )  # fmt: skip  # in the order of the fields
        return _out(await asyncio.to_thread(made, caller.house, wish, caller.name))

    return await once(caller, request, key, work)


@router.get("/campaigns/{campaign}")
async def show_campaign(caller: Sees, campaign: NameOrId) -> schemas.CampaignOut:
    """Show a campaign and how far it is."""

    def work(session: Transaction) -> tuple[Campaign, Progress]:
        campaigns = CampaignRepository(session)
        found = campaigns.find(campaign)
        return found, campaigns.progress(found.id)

    return _out(*await caller.query(work))


@router.post("/campaigns/{campaign}/{change}")
async def change_campaign(
    caller: Runs, campaign: NameOrId, change: Literal["start", "pause", "stop"]
) -> schemas.CampaignOut:
    """Start, pause or stop a campaign."""
    found = await caller.query(lambda session: CampaignRepository(session).find(campaign))
    done, _ = await asyncio.to_thread(changed, caller.house, found, change, caller.name)
    return _out(done)


@router.post("/campaigns/{campaign}/contacts/batch", status_code=201, response_model=schemas.ContactsAdded)
async def add_contacts(
    caller: Runs, request: Request, campaign: NameOrId, new: schemas.NewContacts, key: Key = ""
) -> schemas.ContactsAdded | Response:
    """Add up to a thousand contacts. Nobody is added twice; who is not usable is named with the reason."""

    async def work() -> schemas.ContactsAdded:
        now = datetime.now(UTC)
        found = await caller.query(lambda session: CampaignRepository(session).find(campaign))
        return await caller.act(
            "import_contacts",
            f"campaign:{found.id}",
            lambda session: add(session, caller.house.vault, found, new, now),
        )

    return await once(caller, request, key, work)


def _out(campaign: Campaign, progress: Progress | None = None) -> schemas.CampaignOut:
    out = schemas.CampaignOut(
        id=campaign.id,
        name=campaign.name,
        playbook=campaign.playbook_id,
        status=campaign.status.value,
        policy=campaign.policy_pack,
        trunk=campaign.trunk,
    )
    if progress is None:
        return out
    return out.model_copy(
        update={
            "contacts": progress.contacts,
            "pending": progress.pending,
            "calling": progress.calling,
            "done": progress.done,
            "attempts": progress.attempts,
            "dispositions": progress.dispositions,
            "refusals": progress.refusals,
        }
    )
