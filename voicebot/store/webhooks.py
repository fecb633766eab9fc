"""Webhooks in the database. Deliveries are queued in the transaction of what they tell."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import datetime
from urllib.parse import urlsplit

from sqlalchemy import ColumnElement, delete, func, select, update
from sqlalchemy.orm import Session

from voicebot.domain.errors import DataError
from voicebot.domain.ids import uuid7
from voicebot.domain.webhook import CHOSEN, SECRET_PREFIX, Delivery, DeliveryStatus, Event, Webhook
from voicebot.store.calls import row_id
from voicebot.store.crypto import NumberVault
from voicebot.store.tables import WebhookDeliveryRow, WebhookRow
from voicebot.store.webhook_events import add_delivery, deliver_later

_SECRET_BYTES = 32
_PAGE = 50


class WebhookRepository:
    """Webhooks (回调) and their deliveries."""

    def __init__(self, session: Session) -> None:
        self._session = session

    # -- webhooks --

    def all(self) -> tuple[Webhook, ...]:
        """Return every webhook by name, without its secret."""
        rows = self._session.scalars(select(WebhookRow).order_by(WebhookRow.name))
        return tuple(_webhook(row) for row in rows)

    def find(self, name_or_id: str) -> Webhook:
        """Return a webhook without its secret. Raises DataError."""
        return _webhook(self._row(name_or_id))

    def opened(self, webhook_id: str, vault: NumberVault) -> Webhook:
        """Return a webhook with its secret. Raises DataError, StoreError if the key does not fit."""
        row = self._row(webhook_id)
        return _webhook(row, vault.unseal(row.secret_sealed))

    def add(self, name: str, url: str, events: Iterable[Event], by: str, vault: NumberVault) -> Webhook:
        """Add a webhook; its secret is seen only now. Raises DataError."""
        name, chosen = name.strip(), sorted(set(events))
        if not name or not chosen or Event.TEST in chosen:
            raise DataError("a webhook needs a name and at least one event", hint="of {known}", known=CHOSEN)
        if self._session.scalar(select(WebhookRow.id).where(WebhookRow.name == name)):
            raise DataError("there is a webhook {name!r} already", hint="choose another name", name=name)
        check_url(url)
        secret = SECRET_PREFIX + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()
        row = WebhookRow(
            id=uuid7(),
            name=name,
            url=url,
            events=[event.value for event in chosen],
            secret_sealed=vault.seal(secret),
            created_by=by,
        )
        self._session.add(row)
        self._session.flush()
        return _webhook(row, secret)

    def remove(self, name_or_id: str) -> Webhook:
        """Remove a webhook with its deliveries. Raises DataError."""
        row = self._row(name_or_id)
        self._session.execute(delete(WebhookRow).where(WebhookRow.id == row.id))
        return _webhook(row)

    def hold(self, webhook_id: str, until: datetime | None) -> None:
        """Send a webhook nothing before a time (None: at once)."""
        self._session.execute(
            update(WebhookRow).where(WebhookRow.id == row_id(webhook_id)).values(held_until=until)
        )

    # -- deliveries --

    def test(self, webhook_id: str, now: datetime) -> str:
        """Make a delivery that tells nothing, to be sent by the caller; return its id."""
        return str(add_delivery(self._session, row_id(webhook_id), Event.TEST, None, now))

    def delivery(self, delivery_id: str) -> Delivery:
        """Return a delivery, locked until the transaction ends. Raises DataError."""
        row = self._session.get(
            WebhookDeliveryRow, row_id(delivery_id), with_for_update=True, populate_existing=True
        )
        if row is None:
            raise DataError("there is no delivery {delivery_id}", delivery_id=delivery_id)
        return _delivery(row)

    def deliveries(
        self, webhook_id: str, status: DeliveryStatus | None = None, cursor: str = "", size: int = _PAGE
    ) -> tuple[tuple[Delivery, ...], str]:
        """Return a page of deliveries, the newest first, and the cursor of the next; "" = none."""
        query = select(WebhookDeliveryRow).where(WebhookDeliveryRow.webhook_id == row_id(webhook_id))
        if status is not None:
            query = query.where(WebhookDeliveryRow.status == status.value)
        if cursor:
            query = query.where(WebhookDeliveryRow.id < row_id(cursor))
        rows = self._session.scalars(query.order_by(WebhookDeliveryRow.id.desc()).limit(size + 1)).all()
        page = tuple(_delivery(row) for row in rows[:size])
        return page, page[-1].id if len(rows) > size else ""

    def counts(self) -> dict[str, dict[DeliveryStatus, int]]:
        """Count the deliveries of every webhook by where they stand."""
        query = select(WebhookDeliveryRow.webhook_id, WebhookDeliveryRow.status, func.count())
        found: dict[str, dict[DeliveryStatus, int]] = {}
        for webhook, status, count in self._session.execute(query.group_by("webhook_id", "status")):
            found.setdefault(str(webhook), {})[DeliveryStatus(status)] = count
        return found

    def tried(
        self,
        delivery_id: str,
        status: DeliveryStatus,
        answer: int,
        error: str,
        now: datetime,
        again: datetime,
    ) -> None:
        """Write how a try went; one that waits is queued for `again`."""
        self._session.execute(
            update(WebhookDeliveryRow)
            .where(WebhookDeliveryRow.id == row_id(delivery_id))
            .values(
                status=status.value,
                attempts=WebhookDeliveryRow.attempts + 1,
                answer=answer,
                error=error,
                next_at=again,
                ended_at=None if status is DeliveryStatus.WAITING else now,
            )
        )
        if status is DeliveryStatus.WAITING:
            self.later(delivery_id, again)

    def later(self, delivery_id: str, at: datetime) -> None:
        """Queue a delivery for a time."""
        deliver_later(self._session, row_id(delivery_id), at)

    def replay(self, webhook_id: str, now: datetime, delivery_ids: Sequence[str] = ()) -> int:
        """Queue deliveries anew: those named, or all that were given up; return how many."""
        query = update(WebhookDeliveryRow).where(WebhookDeliveryRow.webhook_id == row_id(webhook_id))
        if delivery_ids:
            query = query.where(WebhookDeliveryRow.id.in_([row_id(one) for one in delivery_ids]))
            query = query.where(WebhookDeliveryRow.status != DeliveryStatus.WAITING.value)
        else:
            query = query.where(WebhookDeliveryRow.status == DeliveryStatus.DEAD.value)
        values = {
            "status": DeliveryStatus.WAITING.value, "attempts": 0, "created_at": now, "next_at": now,
            "ended_at": None, "answer": 0, "error": "",
        }  # fmt: skip
        ids = self._session.scalars(query.values(values).returning(WebhookDeliveryRow.id)).all()
        self.hold(webhook_id, None)
        for found in ids:
            self.later(str(found), now)
        return len(ids)

    def forget(self, before: datetime) -> int:
        """Delete deliveries that ended before a time; return how many."""
        gone = self._session.execute(
            delete(WebhookDeliveryRow)
            .where(WebhookDeliveryRow.ended_at < before)
            .returning(WebhookDeliveryRow.id)
        )
        return len(gone.all())

    def _row(self, name_or_id: str) -> WebhookRow:
        where: ColumnElement[bool] = WebhookRow.name == name_or_id
        with suppress(DataError):
            where |= WebhookRow.id == row_id(name_or_id)
        row = self._session.scalar(select(WebhookRow).where(where))
        if row is None:
            raise DataError(
                "there is no webhook {name_or_id!r}",
                hint="voicebot webhook list shows them",
                name_or_id=name_or_id,
            )
        return row


def check_url(url: str) -> None:
    """Raise DataError for an address that can not be told anything."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    else:
        usable = usable and not (parts.username or parts.password or parts.fragment)
    if not usable or not url.isprintable():
        raise DataError("the address is none for a webhook", hint="https://crm.example.com/voicebot")


def _webhook(row: WebhookRow, secret: str = "") -> Webhook:
    events = tuple(Event(event) for event in row.events)
    return Webhook(
        str(row.id), row.name, row.url, events, secret, row.created_by, row.created_at, row.held_until
    )


def _delivery(row: WebhookDeliveryRow) -> Delivery:
    return Delivery(
        id=str(row.id),
        webhook_id=str(row.webhook_id),
        event=Event(row.event),
        call_id=str(row.call_id) if row.call_id else "",
        occurred_at=row.occurred_at,
        status=DeliveryStatus(row.status),
        attempts=row.attempts,
        created_at=row.created_at,
        next_at=row.next_at,
        answer=row.answer,
        error=row.error,
        ended_at=row.ended_at,
    )
