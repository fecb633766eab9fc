"""Sends deliveries to webhooks."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

import voicebot
from voicebot import bootstrap
from voicebot.domain.errors import DataError, VoicebotError
from voicebot.domain.webhook import Delivery, DeliveryStatus, Event, Webhook, signed, wait
from voicebot.service.webhook_target import networks, target
from voicebot.settings import Settings
from voicebot.store.audit import AuditRepository
from voicebot.store.outcomes import OutcomeRepository
from voicebot.store.session import Database, Transaction
from voicebot.store.webhooks import WebhookRepository

TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What a receiver said."""

    status: int  # HTTP; 0 = nothing came
    error: str  # "" = it took the event

    @property
    def taken(self) -> bool:
        """Whether the receiver has it."""
        return not self.error


def deliver(settings: Settings, database: Database, delivery_id: str, *, once: bool = False) -> Delivery:
    """Send a delivery, and write how it went: taken, to be tried again later, or given up.

    A receiver may get a delivery twice, if we die between its answer and our commit: its id is the same.

    Args:
        settings: of this installation.
        database: migrated.
        delivery_id: of a delivery that waits; others are left alone.
        once: do not try again, and do not mind that the webhook is held: for tests by a person.

    Raises DataError if there is no such delivery.
    """
    now = datetime.now(UTC)
    with database.transaction() as session:
        webhooks = WebhookRepository(session)
        delivery = webhooks.delivery(delivery_id)
        if delivery.status is not DeliveryStatus.WAITING:
            return delivery
        webhook = webhooks.opened(delivery.webhook_id, bootstrap.vault(settings))
        if webhook.held_until and webhook.held_until > now and delivery.attempts == 0 and not once:
            # it failed for another event: wait with it, without counting a try
            webhooks.later(delivery_id, webhook.held_until + timedelta(seconds=_chance()))
            return delivery
        body = json.dumps(payload(session, webhook, delivery), ensure_ascii=False).encode()
    answer = send(settings, webhook, delivery_id, body)  # outside: a slow receiver holds no row
    with database.transaction() as session:
        _write(session, webhook, delivery, answer, once)
        return WebhookRepository(session).delivery(delivery_id)


def probed(settings: Settings, database: Database, name: str, actor: str) -> Delivery:
    """Send a webhook a test event now, once; return how it went. Raises DataError for an unknown name."""
    with database.transaction() as session:
        webhooks = WebhookRepository(session)
        found = webhooks.find(name)
        delivery = webhooks.test(found.id, datetime.now(UTC))
        AuditRepository(session).add(actor, "webhook_test", f"webhook:{found.id}")
    return deliver(settings, database, delivery, once=True)


def payload(session: Transaction, webhook: Webhook, delivery: Delivery) -> dict[str, Any]:
    """Return what is told: how the call stands now. Numbers are masked; who it is tells contact_id."""
    head: dict[str, Any] = {
        "type": delivery.event.value,
        "timestamp": delivery.occurred_at.isoformat(),
        "data": {"webhook": webhook.name},
    }
    if delivery.event is Event.TEST:
        return head
    call = OutcomeRepository(session).call(delivery.call_id)
    outcome = call.outcome
    data: dict[str, Any] = {
        "call_id": call.call_id,
        "campaign_id": call.campaign_id,
        "contact_id": call.contact_id,
        "started_at": call.started_at.isoformat(),
        "answered_at": call.answered_at.isoformat() if call.answered_at else None,
    }
    if outcome is not None:
        data |= {"campaign": outcome.campaign, "number": outcome.number}
        if delivery.event is Event.CALL_ENDED:
            data |= {"cause": outcome.cause, "duration_s": outcome.duration_s, "turns": outcome.turns}
        if delivery.event is Event.OUTCOME:
            data |= {
                "disposition": outcome.disposition,
                "intent_level": outcome.intent_level,
                "reasons": list(outcome.reasons),
                "facts": outcome.facts,
                "opted_out": outcome.opted_out,
            }
    return head | {"data": data}


def send(settings: Settings, webhook: Webhook, delivery_id: str, body: bytes) -> Answer:
    """Send a body once. Redirects are not followed, and the answer's body is not read."""
    now = datetime.now(UTC)
    try:
        where = target(webhook.url, networks(settings.webhook_networks))
        headers = signed(webhook.secret, delivery_id, now, body)
    except VoicebotError as error:
        return Answer(0, f"{error.detail}: {error.hint}")
    # the address that was checked is the one that is connected to: a name may be answered otherwise next time
    url = httpx.URL(webhook.url)
    return _post(url.copy_with(host=where.address), _headers(url, headers), where.host, body)


def _post(url: httpx.URL, headers: Mapping[str, str], host: str, body: bytes) -> Answer:
    try:
        with (
            httpx.Client(timeout=TIMEOUT_S, trust_env=False, follow_redirects=False) as client,
            client.stream(
                "POST", url, content=body, headers=headers, extensions={"sni_hostname": host}
            ) as response,
        ):
            status = response.status_code
    except httpx.HTTPError as error:
        return Answer(0, f"no answer ({type(error).__name__})")
    return Answer(status, "" if 200 <= status < 300 else f"HTTP {status}")


def _headers(url: httpx.URL, signature: Mapping[str, str]) -> dict[str, str]:
    return {
        "host": url.netloc.decode(),
        "content-type": "application/json; charset=utf-8",
        "user-agent": f"voicebot/{voicebot.__version__}",
        **signature,
    }


def _write(session: Transaction, webhook: Webhook, delivery: Delivery, answer: Answer, once: bool) -> None:
    webhooks, now = WebhookRepository(session), datetime.now(UTC)
    try:
        still = webhooks.delivery(delivery.id)
    except DataError:
        return  # the webhook was removed meanwhile
    if still.status is not DeliveryStatus.WAITING:
        return
    pause = None if once else wait(delivery.attempts + 1, delivery.created_at, now, _chance())
    if answer.taken:
        status, again = DeliveryStatus.DELIVERED, now
    elif pause is None:
        status, again = DeliveryStatus.DEAD, now
    else:
        status, again = DeliveryStatus.WAITING, now + pause
    webhooks.tried(delivery.id, status, answer.status, answer.error, now, again)
    if not once:
        webhooks.hold(webhook.id, None if answer.taken else again)


def _chance() -> float:
    return random.random()  # noqa: S311  # spreads tries, guards nothing
