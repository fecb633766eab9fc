"""Webhooks: who is told of calls, whether it arrives, and sending again what did not."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime

from nicegui import ui

from voicebot.console.frame import Pages
from voicebot.console.pages.people import show_once
from voicebot.console.visitor import Visitor
from voicebot.console.widgets import badged, heading, quiet, table, when
from voicebot.domain.errors import DataError
from voicebot.domain.users import Right
from voicebot.domain.webhook import CHOSEN, Delivery, DeliveryStatus, Event, Webhook
from voicebot.service.webhooks import probed
from voicebot.store.session import Transaction
from voicebot.store.webhooks import WebhookRepository

NEWEST = 12
_TONES = {DeliveryStatus.WAITING: "warn", DeliveryStatus.DELIVERED: "good", DeliveryStatus.DEAD: "bad"}


def register(pages: Pages) -> None:
    """Register the page."""

    @pages.page("/webhooks", "webhooks", right=Right.MANAGE_TOKENS, icon="webhook")
    async def webhooks(visitor: Visitor) -> None:
        def work(
            session: Transaction,
        ) -> tuple[list[tuple[Webhook, tuple[Delivery, ...]]], dict[str, dict[DeliveryStatus, int]]]:
            found = WebhookRepository(session)
            listed = [(one, found.deliveries(one.id, size=NEWEST)[0]) for one in found.all()]
            return listed, found.counts()

        heading(visitor.t("nav.webhooks"))
        quiet(visitor.t("webhooks.note"))
        listed, counts = await visitor.query(work)
        _new(visitor)
        if not listed:
            quiet(visitor.t("webhooks.empty"))
        for webhook, newest in listed:
            _webhook(visitor, webhook, newest, counts.get(webhook.id, {}))


def _new(visitor: Visitor) -> None:
    t = visitor.t

    async def make() -> None:
        events = [Event(value) for value in chosen.value or ()]
        vault = visitor.house.vault
        made = await visitor.act(
            Right.MANAGE_TOKENS,
            "webhook_add",
            f"webhook:{name.value}",
            lambda session: WebhookRepository(session).add(
                name.value or "", (url.value or "").strip(), events, visitor.user.name, vault
            ),
            url=url.value or "",
        )
        show_once(visitor, t("webhooks.secret_of", name=made.name), made.secret)

    with ui.card().classes("vb-card"):
        heading(t("webhooks.new"), 2)
        with ui.element("div").classes("vb-form"):
            name = ui.input(t("webhooks.name"), placeholder="crm")
            url = ui.input(t("webhooks.url"), placeholder="https://crm.example.com/voicebot")
            events = {event.value: t(f"webhooks.{event.name.lower()}") for event in CHOSEN}
            chosen = ui.select(events, value=list(events), multiple=True, label=t("webhooks.events"))
            chosen.props("use-chips")
        ui.button(t("people.make"), icon="add", on_click=visitor.guarded(make))


def _webhook(
    visitor: Visitor,
    webhook: Webhook,
    newest: tuple[Delivery, ...],
    counts: Mapping[DeliveryStatus, int],
) -> None:
    t = visitor.t

    async def test() -> None:
        await visitor.require(Right.MANAGE_TOKENS)
        house = visitor.house
        done = await asyncio.to_thread(probed, house.settings, house.database, webhook.id, visitor.user.name)
        if done.status is not DeliveryStatus.DELIVERED:
            raise DataError(
                "the receiver did not take it: {error}",
                hint="check its address and its log",
                error=done.error,
            )
        ui.notify(t("webhooks.taken", answer=done.answer), type="positive")

    async def replay() -> None:
        now = datetime.now(UTC)
        count = await visitor.act(
            Right.MANAGE_TOKENS,
            "webhook_replay",
            f"webhook:{webhook.id}",
            lambda session: WebhookRepository(session).replay(webhook.id, now),
        )
        ui.notify(t("webhooks.queued", count=count), type="positive")

    async def remove() -> None:
        await visitor.act(
            Right.MANAGE_TOKENS,
            "webhook_remove",
            f"webhook:{webhook.id}",
            lambda session: WebhookRepository(session).remove(webhook.id),
        )
        ui.navigate.reload()

    with ui.card().classes("vb-card"):
        with ui.element("div").classes("vb-row"):
            heading(webhook.name, 2)
            ui.label(webhook.url).classes("vb-mono")
            ui.space()
            ui.button(t("webhooks.test"), on_click=visitor.guarded(test)).props("flat dense no-caps")
            if counts.get(DeliveryStatus.DEAD):
                ui.button(t("webhooks.replay"), on_click=visitor.guarded(replay)).props("flat dense no-caps")
            ui.button(t("webhooks.remove"), on_click=visitor.guarded(remove)).props("flat dense no-caps")
        quiet("、".join(t(f"webhooks.{event.name.lower()}") for event in webhook.events))
        quiet(
            " · ".join(
                f"{t(f'webhooks.{status.value}')} {counts.get(status, 0)}" for status in DeliveryStatus
            )
        )
        if newest:
            _deliveries(visitor, newest)


def _deliveries(visitor: Visitor, newest: tuple[Delivery, ...]) -> None:
    t = visitor.t
    rows = [
        {
            "id": one.id,
            "at": when(visitor, one.occurred_at, seconds=True),
            "event": t(f"webhooks.{one.event.name.lower()}"),
            "status": t(f"webhooks.{one.status.value}"),
            "tone": _TONES[one.status],
            "attempts": one.attempts,
            "next": when(visitor, one.next_at, seconds=True) if one.status is DeliveryStatus.WAITING else "",
            "error": one.error or (f"HTTP {one.answer}" if one.answer else ""),
        }
        for one in newest
    ]
    columns = ("at", "event", "status", "attempts", "next", "error")
    badged(table([(key, t(f"webhooks.{key}")) for key in columns], rows), "status", "tone")
