"""Deliveries to webhooks."""

from __future__ import annotations

from datetime import timedelta

import structlog

from voicebot.domain.errors import DataError
from voicebot.service.jobs.task import Work
from voicebot.service.webhooks import deliver
from voicebot.store.webhooks import WebhookRepository

KEEP = timedelta(days=30)  # deliveries after their end
log = structlog.get_logger()


def deliver_webhook(work: Work, delivery_id: str) -> None:
    """Send one delivery. What fails is queued anew with the delivery's own back-off, not by the queue."""
    try:
        done = deliver(work.settings, work.database, delivery_id)
    except DataError:
        log.info("webhook delivery is gone", delivery=delivery_id)
        return
    log.info("webhook", delivery=done.id, event_=done.event.value, status=done.status.value, http=done.answer)


def forget_deliveries(work: Work) -> None:
    """Delete deliveries that ended long ago."""
    with work.database.transaction() as session:
        WebhookRepository(session).forget(work.now - KEEP)
