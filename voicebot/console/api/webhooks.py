"""Webhooks and their deliveries."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from voicebot.console.api import schemas
from voicebot.console.api.caller import Caller, needs
from voicebot.console.api.idempotency import Key, once
from voicebot.console.api.webhook_schemas import (
    DeliveriesOut,
    DeliveryOut,
    NewWebhook,
    Replay,
    Replayed,
    WebhookMade,
    WebhookOut,
    WebhooksOut,
)
from voicebot.domain.users import Right
from voicebot.domain.webhook import Delivery, DeliveryStatus, Webhook
from voicebot.service.webhooks import probed
from voicebot.store.session import Transaction
from voicebot.store.webhooks import WebhookRepository

router = APIRouter(tags=["webhooks"])
Manages = Annotated[Caller, Depends(needs(Right.MANAGE_TOKENS))]
Named = Annotated[str, Path(max_length=200, pattern=r"^[^\x00]+$", description="id or name")]


@router.get("/webhooks")
async def list_webhooks(caller: Manages) -> WebhooksOut:
    """List all webhooks."""
    found = await caller.query(lambda session: WebhookRepository(session).all())
    return WebhooksOut(items=[WebhookOut(**_told(one)) for one in found])


@router.post("/webhooks", status_code=201, response_model=WebhookMade)
async def make_webhook(
    caller: Manages, request: Request, new: NewWebhook, key: Key = ""
) -> WebhookMade | Response:
    """Make a webhook. Its secret is told only now."""

    async def work() -> WebhookMade:
        vault = caller.house.vault
        made = await caller.act(
            "webhook_add",
            f"webhook:{new.name}",
            lambda session: WebhookRepository(session).add(new.name, new.url, new.events, caller.name, vault),
            url=new.url,
        )
        return WebhookMade(**_told(made), secret=made.secret)

    return await once(caller, request, key, work)


@router.delete("/webhooks/{webhook}")
async def remove_webhook(caller: Manages, webhook: Named) -> WebhookOut:
    """Remove a webhook with its deliveries."""
    gone = await caller.act(
        "webhook_remove", f"webhook:{webhook}", lambda session: WebhookRepository(session).remove(webhook)
    )
    return WebhookOut(**_told(gone))


@router.post("/webhooks/{webhook}/test")
async def test_webhook(caller: Manages, webhook: Named) -> DeliveryOut:
    """Send a test event now, and say how it went."""
    house = caller.house
    return _delivery(await asyncio.to_thread(probed, house.settings, house.database, webhook, caller.name))


@router.get("/webhooks/{webhook}/deliveries")
async def list_deliveries(
    caller: Manages,
    webhook: Named,
    status: DeliveryStatus | None = None,
    cursor: Annotated[schemas.Id | None, Query()] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> DeliveriesOut:
    """List what was told and what waits, the newest first, a page at a time."""

    def work(session: Transaction) -> tuple[tuple[Delivery, ...], str]:
        webhooks = WebhookRepository(session)
        return webhooks.deliveries(webhooks.find(webhook).id, status, cursor or "", limit)

    found, following = await caller.query(work)
    return DeliveriesOut(items=[_delivery(one) for one in found], next=following)


@router.post("/webhooks/{webhook}/replay")
async def replay_deliveries(caller: Manages, webhook: Named, which: Replay) -> Replayed:
    """Send deliveries again: those named, or all that were given up."""

    def work(session: Transaction) -> int:
        webhooks = WebhookRepository(session)
        return webhooks.replay(webhooks.find(webhook).id, datetime.now(UTC), which.deliveries)

    return Replayed(queued=await caller.act("webhook_replay", f"webhook:{webhook}", work))


def _told(webhook: Webhook) -> dict[str, object]:
    return {
        "id": webhook.id,
        "name": webhook.name,
        "url": webhook.url,
        "events": list(webhook.events),
        "created_at": webhook.created_at,
    }


def _delivery(delivery: Delivery) -> DeliveryOut:
    return DeliveryOut(
        id=delivery.id,
        event=delivery.event,
        call_id=delivery.call_id,
        occurred_at=delivery.occurred_at,
        status=delivery.status,
        attempts=delivery.attempts,
        next_at=delivery.next_at if delivery.status is DeliveryStatus.WAITING else None,
        answer=delivery.answer,
        error=delivery.error,
    )
