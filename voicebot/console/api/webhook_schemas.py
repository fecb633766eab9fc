"""What the API takes and gives of webhooks."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, Field

from voicebot.console.api.schemas import Given, Id, Line
from voicebot.domain.webhook import CHOSEN, DeliveryStatus, Event


class NewWebhook(Given):
    """Somebody to be told."""

    name: Line = Field(min_length=1, max_length=100)
    url: Line = Field(max_length=500, description="https://…")
    events: list[Event] = Field(list(CHOSEN), min_length=1, max_length=10)


class WebhookOut(BaseModel):
    """A webhook."""

    id: str
    name: str
    url: str
    events: list[Event]
    created_at: datetime


class WebhookMade(WebhookOut):
    """A webhook that was made just now."""

    secret: str = Field(description="verifies signatures (Standard Webhooks); not told again")


class WebhooksOut(BaseModel):
    """All webhooks."""

    items: list[WebhookOut]


class DeliveryOut(BaseModel):
    """One event for one webhook."""

    id: str
    event: Event
    call_id: str
    occurred_at: datetime
    status: DeliveryStatus
    attempts: int
    next_at: datetime | None
    answer: int = Field(description="HTTP status of the last try; 0 = none came")
    error: str


class DeliveriesOut(BaseModel):
    """A page of deliveries."""

    items: list[DeliveryOut]
    next: str = Field(description="cursor of the next page; empty = this was the last")


class Replay(Given):
    """What is to be sent again."""

    deliveries: list[Id] = Field([], max_length=1000, description="ids; none = all that were given up")


class Replayed(BaseModel):
    """What will be sent again."""

    queued: int
