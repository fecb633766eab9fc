"""Campaigns and their contacts."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from voicebot.console.api import schemas
from voicebot.console.api.caller import Caller, needs
from voicebot.console.api.contacts import add
from voicebot.console.api.idempotency import Key, once
from voicebot.console.campaign_desk import Wish, changed, edited, made, wish_of
from voicebot.domain.campaign import Campaign
from voicebot.domain.users import Right
from voicebot.store.campaigns import CampaignRepository, Progress
from voicebot.store.contacts import ContactRepository, ContactState
from voicebot.store.session import Transaction

router = APIRouter(tags=["campaigns"])
Sees = Annotated[Caller, Depends(needs(Right.SEE_CAMPAIGNS))]
Runs = Annotated[Caller, Depends(needs(Right.RUN_CAMPAIGNS))]
NameOrId = Annotated[str, Path(max_length=200, pattern=r"^[^\x00]+$", description="id or name")]


@router.get("/campaigns")
async def list_campaigns(
    caller: Sees,
    cursor: Annotated[schemas.Id | None, Query()] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> schemas.CampaignsOut:
    """List campaigns, the newest first, a page at a time. Rehearsals are left out."""

    def work(session: Transaction) -> tuple[Campaign, ...]:
        return CampaignRepository(session).page(cursor or "", limit + 1)

    found = await caller.query(work)
    items = [campaign_out(campaign) for campaign in found[:limit]]
    return schemas.CampaignsOut(items=items, next=items[-1].id if len(found) > limit else "")


@router.post("/campaigns", status_code=201, response_model=schemas.CampaignOut)
async def make_campaign(
    caller: Runs, request: Request, new: schemas.NewCampaign, key: Key = ""
) -> schemas.CampaignOut | Response:
    """Make a campaign. It calls nobody before it is started."""

    async def work() -> schemas.CampaignOut:
        wish = Wish(**_renamed(new.model_dump()))
        return campaign_out(await asyncio.to_thread(made, caller.house, wish, caller.name))

    return await once(caller, request, key, work)


@router.get("/campaigns/{campaign}")
async def show_campaign(caller: Sees, campaign: NameOrId) -> schemas.CampaignOut:
    """Show a campaign and how far it is."""

    def work(session: Transaction) -> tuple[Campaign, Progress]:
        campaigns = CampaignRepository(session)
        found = campaigns.find(campaign)
        return found, campaigns.progress(found.id)

    return campaign_out(*await caller.query(work))


@router.patch("/campaigns/{campaign}")
async def edit_campaign(
    caller: Runs, campaign: NameOrId, change: schemas.CampaignChange
) -> schemas.CampaignOut:
    """Change settings, also while it runs; calls under way keep what they began with."""
    found = await caller.query(lambda session: CampaignRepository(session).find(campaign))
    wish = replace(wish_of(found), **_renamed(change.model_dump(exclude_unset=True)))
    return campaign_out(await asyncio.to_thread(edited, caller.house, found.id, wish, caller.name))


@router.post("/campaigns/{campaign}/{change}")
async def change_campaign(
    caller: Runs, campaign: NameOrId, change: Literal["start", "pause", "resume", "drain", "stop"]
) -> schemas.CampaignOut:
    """Start, pause or resume a campaign; let it run out (drain); or stop it, which hangs up its calls."""
    found = await caller.query(lambda session: CampaignRepository(session).find(campaign))
    done, _ = await asyncio.to_thread(changed, caller.house, found, change, caller.name)
    return campaign_out(done)


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


@router.get("/campaigns/{campaign}/contacts")
async def list_contacts(
    caller: Sees,
    campaign: NameOrId,
    cursor: Annotated[schemas.Id | None, Query()] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> schemas.ContactsOut:
    """List a campaign's contacts in the order of import, a page at a time."""

    def work(session: Transaction) -> list[tuple[str, ContactState]]:
        found = CampaignRepository(session).find(campaign)
        return ContactRepository(session, caller.house.vault).page(found.id, cursor or "", limit + 1)

    found = await caller.query(work)
    items = [
        schemas.ContactOut(
            id=contact_id,
            number=state.number_masked,
            status=state.status.value,
            attempts=state.attempts,
            next_at=state.next_at,
            callback_at=state.callback_at,
            refusal=state.refusal,
            refusal_words=state.refusal_words,
        )
        for contact_id, state in found[:limit]
    ]
    return schemas.ContactsOut(items=items, next=items[-1].id if len(found) > limit else "")


_NAMES = {"playbook": "playbook_id", "policy": "policy_pack"}  # as they are called inside


def _renamed(given: dict[str, Any]) -> dict[str, Any]:
    values = {_NAMES.get(key, key): value for key, value in given.items()}
    if "retry" in values:
        values["retry"] = {kind.value: minutes for kind, minutes in values["retry"].items()}
    return values


def campaign_out(campaign: Campaign, progress: Progress | None = None) -> schemas.CampaignOut:
    """Return a campaign as the API tells it."""
    shared = {
        name: getattr(campaign, name)
        for name in (*schemas.CampaignSettings.model_fields, "id", "name", "trunk", "held")
    }
    out = schemas.CampaignOut(
        **shared,
        playbook=campaign.playbook_id,
        status=campaign.status.value,
        policy=campaign.policy_pack,
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
