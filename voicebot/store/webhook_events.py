"""Events for webhooks, queued in the transaction of what they tell: they vanish with its rollback."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from voicebot.domain.ids import uuid7
from voicebot.domain.webhook import DeliveryStatus, Event
from voicebot.store.jobs import WEBHOOKS, JobRepository
from voicebot.store.tables import WebhookDeliveryRow, WebhookRow

TASK = "deliver_webhook"


def tell(session: Session, event: Event, call: UUID, occurred_at: datetime) -> int:
    """Queue an event of a call for whoever listens; return for how many. Doing it again adds nothing."""
    listening = session.scalars(select(WebhookRow.id).where(WebhookRow.events.contains([event.value])))
    added = [add_delivery(session, webhook, event, call, occurred_at) for webhook in listening.all()]
    for delivery in filter(None, added):
        deliver_later(session, delivery, None)
    return sum(map(bool, added))


def deliver_later(session: Session, delivery: UUID, at: datetime | None) -> None:
    """Queue a delivery for a time; None = at once."""
    JobRepository(session).add(TASK, {"delivery_id": str(delivery)}, queue=WEBHOOKS, at=at)


def add_delivery(
    session: Session, webhook: UUID, event: Event, call: UUID | None, occurred_at: datetime
) -> UUID | None:
    """Write a delivery without queueing it; return its id, None if it was written before."""
    values = {
        "id": uuid7(),
        "webhook_id": webhook,
        "event": event.value,
        "call_id": call,
        "occurred_at": occurred_at,
        "status": DeliveryStatus.WAITING.value,
        "created_at": func.now(),
        "next_at": func.now(),
    }
    statement = insert(WebhookDeliveryRow).values(values).on_conflict_do_nothing()
    return session.scalar(statement.returning(WebhookDeliveryRow.id))
