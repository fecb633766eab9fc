"""Rehearsals of a campaign: on simulated customers, or on one's own phone."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import Field

from voicebot.console.api import schemas
from voicebot.console.api.campaigns import NameOrId, Runs, Sees, campaign_out
from voicebot.console.api.idempotency import Key, once
from voicebot.domain.campaign import Campaign
from voicebot.store.campaigns import CampaignRepository, Progress
from voicebot.store.session import Transaction

router = APIRouter(tags=["campaigns"])
Someone = Annotated[str, Field(max_length=60, pattern=r"^[a-z0-9_]+$")]


class NewRehearsal(schemas.Given):
    """Whom to call: simulated customers, or a number of one's own."""

    customers: list[Someone] = Field([], max_length=50, description="ids of personas; none = a quick choice")
    own_number: schemas.Line = Field("", max_length=40, description="called instead, by the campaign's trunk")


@router.post("/campaigns/{campaign}/rehearsals", status_code=201, response_model=schemas.CampaignOut)
async def rehearse(
    caller: Runs, request: Request, campaign: NameOrId, new: NewRehearsal, key: Key = ""
) -> schemas.CampaignOut | Response:
    """Try a campaign before it calls customers. The answer is a campaign that runs and is not counted."""

    async def work() -> schemas.CampaignOut:
        found = await caller.query(lambda session: CampaignRepository(session).find(campaign))
        rehearsals = caller.house.rehearsals
        if new.own_number:
            return campaign_out(await rehearsals.on_own_phone(found, new.own_number, caller.name))
        return campaign_out(await rehearsals.on_customers(found, new.customers, caller.name))

    return await once(caller, request, key, work)


@router.get("/campaigns/{campaign}/rehearsals")
async def list_rehearsals(caller: Sees, campaign: NameOrId) -> schemas.CampaignsOut:
    """List the newest rehearsals of a campaign; their outcomes: /outcomes?campaign=ID."""

    def work(session: Transaction) -> list[tuple[Campaign, Progress]]:
        campaigns = CampaignRepository(session)
        return campaigns.with_progress(campaigns.rehearsals(campaigns.find(campaign).id)[:100])

    return schemas.CampaignsOut(items=[campaign_out(*one) for one in await caller.query(work)], next="")
