"""Webhooks: what other systems are told, signed, and tried again until they have taken it.

The signature is that of Standard Webhooks 1.0 (standardwebhooks.com), for which receivers find libraries.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from voicebot.domain.errors import DataError

SECRET_PREFIX = "whsec_"  # noqa: S105  # what a secret begins with, none itself
WAITS_S = (10, 60, 300, 900, 3600, 7200, 14400, 28800)  # after the first, second … try that failed
KEEP_TRYING = timedelta(days=3)  # however often it was tried
SPREAD = 0.2  # of a wait is left to chance, so that receivers are not struck all at once


class Event(StrEnum):
    """What may be told."""

    CALL_ENDED = "call.ended"
    OUTCOME = "outcome.recorded"  # also when it was corrected
    OPT_OUT = "contact.opted_out"
    TEST = "test"  # sent on demand, whatever a webhook listens to


CHOSEN = tuple(event for event in Event if event is not Event.TEST)


class DeliveryStatus(StrEnum):
    """Where a delivery stands."""

    WAITING = "waiting"  # to be sent, or to be tried again
    DELIVERED = "delivered"  # the receiver answered 2xx
    DEAD = "dead"  # given up; can be replayed


@dataclass(frozen=True, slots=True)
class Webhook:
    """Somebody who is told."""

    id: str
    name: str
    url: str
    events: tuple[Event, ...]
    secret: str  # whsec_…; "" where it is only shown
    created_by: str
    created_at: datetime
    held_until: datetime | None = None  # it failed: nothing is sent before


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event for one webhook."""

    id: str  # the receiver's key against doubles: the same in every try
    webhook_id: str
    event: Event
    call_id: str
    occurred_at: datetime
    status: DeliveryStatus
    attempts: int
    created_at: datetime
    next_at: datetime
    answer: int  # HTTP status of the last try; 0 = none came
    error: str  # why the last try failed, in words
    ended_at: datetime | None


def wait(attempts: int, created_at: datetime, now: datetime, chance: float) -> timedelta | None:
    """Return how long to wait after so many tries that failed; None = give up.

    Args:
        attempts: made until now, 1 or more.
        created_at: when the event happened.
        now: when the last try failed.
        chance: 0–1, spreads the tries.
    """
    if attempts > len(WAITS_S) or now - created_at > KEEP_TRYING:
        return None
    return timedelta(seconds=WAITS_S[attempts - 1] * (1 + SPREAD * chance))


def signed(secret: str, delivery_id: str, at: datetime, body: bytes) -> dict[str, str]:
    """Return the headers by which a receiver knows that a body is ours and fresh. Raises DataError."""
    timestamp = str(int(at.timestamp()))
    try:
        key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except binascii.Error as error:
        raise DataError("the secret is none of ours", hint="make the webhook anew") from error
    content = b".".join((delivery_id.encode(), timestamp.encode(), body))
    mac = base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode()
    return {"webhook-id": delivery_id, "webhook-timestamp": timestamp, "webhook-signature": f"v1,{mac}"}
