"""The form of a campaign: four fields to begin, everything else with good defaults."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from nicegui import ui

from voicebot.campaign.retry import PAUSES
from voicebot.console.campaign_desk import POLICIES, Wish, wish_of
from voicebot.console.visitor import Visitor
from voicebot.console.widgets import quiet
from voicebot.domain.campaign import Campaign, Mode
from voicebot.domain.errors import DataError
from voicebot.domain.people import TakeoverKind
from voicebot.domain.users import Right
from voicebot.store.trunks import TrunkRepository

BY_ADDRESS = ""  # in the list of trunks


async def campaign_form(
    visitor: Visitor, campaign: Campaign | None, button: str, do: Callable[[Wish], Campaign]
) -> None:
    """Draw the form, filled with a campaign's settings; `do` runs in a thread when it is sent."""
    house = visitor.house
    books = {name: house.playbooks.get(name).title for name in house.playbooks.ids()}
    trunks = await visitor.query(
        lambda session: [one.name for one in TrunkRepository(session, house.vault).all() if one.enabled]
    )
    first = Wish("", next(iter(books), ""), "CN", trunks[0] if trunks else "")
    wish = wish_of(campaign) if campaign else first
    fields: dict[str, Any] = {}
    with ui.card().classes("vb-card"):
        with ui.element("div").classes("vb-form"):
            _main(visitor, wish, books, trunks, fields)
        with ui.expansion(visitor.t("campaigns.more"), icon="tune").classes("full-width"):
            with ui.element("div").classes("vb-form"):
                _more(visitor, wish, fields)
            quiet(visitor.t("campaigns.retry_note"))
            with ui.element("div").classes("vb-form"):
                for kind in PAUSES:
                    fields[f"retry_{kind.value}"] = ui.number(
                        visitor.known("disposition", kind.value),
                        value=wish.retry.get(kind.value),
                        min=-1,
                        precision=0,
                    )
        if campaign is None:
            quiet(visitor.t("campaigns.form_note"))

        async def send() -> None:
            await visitor.require(Right.RUN_CAMPAIGNS)
            wanted = _wish(visitor, fields)
            done = await asyncio.to_thread(do, wanted)
            ui.navigate.to(f"/campaigns/{done.id}")

        ui.button(visitor.t(f"campaigns.{button}"), icon="check", on_click=visitor.guarded(send))


def _main(
    visitor: Visitor, wish: Wish, books: Mapping[str, str], trunks: list[str], fields: dict[str, Any]
) -> None:
    t = visitor.t
    fields["name"] = ui.input(t("campaigns.name"), value=wish.name, placeholder=t("campaigns.name_hint"))
    fields["playbook_id"] = ui.select(
        dict(books),
        value=wish.playbook_id if wish.playbook_id in books else None,
        label=t("campaigns.playbook"),
    )
    policies = {pack: t(f"campaigns.policy_{pack}") for pack in POLICIES}
    fields["policy_pack"] = ui.select(policies, value=wish.policy_pack, label=t("campaigns.policy"))
    named = wish.trunk if wish.trunk in trunks else BY_ADDRESS
    if trunks:
        choice = {name: name for name in trunks} | {BY_ADDRESS: t("campaigns.trunk_address")}
        fields["trunk"] = ui.select(choice, value=named, label=t("campaigns.trunk_named"))
    fields["address"] = ui.input(
        t("campaigns.trunk"),
        value="" if named else wish.trunk,
        placeholder="sip:{number}@sbc.example.com",
    )
    if trunks:
        fields["address"].bind_visibility_from(fields["trunk"], "value", value=BY_ADDRESS)


def _more(visitor: Visitor, wish: Wish, fields: dict[str, Any]) -> None:
    t = visitor.t
    modes = {mode.value: t(f"campaigns.mode_{mode.value}") for mode in Mode}
    fields["mode"] = ui.select(modes, value=wish.mode.value, label=t("campaigns.mode"))
    fields["scope"] = ui.input(t("campaigns.scope"), value=wish.scope)
    fields["caller_id"] = ui.input(t("campaigns.caller"), value=wish.caller_id)
    fields["transfer_uri"] = ui.input(
        t("campaigns.transfer"), value=wish.transfer_uri, placeholder="sip:agents@pbx.example.com"
    )
    kinds = {kind.value: t(f"campaigns.takeover_{kind.value}") for kind in TakeoverKind}
    fields["takeover"] = ui.select(kinds, value=wish.takeover.value, label=t("campaigns.takeover"))
    numbers = (
        ("max_calls", wish.max_calls, 1, 1000, 0),
        ("max_attempts", wish.max_attempts, 1, 20, 0),
        ("ring", wish.ring_timeout_s, 5, 120, 0),
        ("priority", wish.priority, -100, 100, 0),
        ("calls_per_s", wish.calls_per_s, 0, 1000, 2),
    )
    for key, value, low, high, digits in numbers:
        fields[key] = ui.number(t(f"campaigns.{key}"), value=value, min=low, max=high, precision=digits)
    fields["hours"] = ui.input(t("campaigns.hours"), value=wish.hours, placeholder=t("campaigns.hours_hint"))
    zone = ZoneInfo(visitor.house.settings.console_zone)
    last = wish.ends_at - timedelta(seconds=1) if wish.ends_at else None
    for key, at in (("starts", wish.starts_at), ("ends", last)):
        fields[key] = ui.date_input(
            t(f"campaigns.{key}"), value=f"{at.astimezone(zone):%Y-%m-%d}" if at else None
        )
    fields["leave_message"] = ui.checkbox(t("campaigns.leave_message"), value=wish.leave_message)


def _wish(visitor: Visitor, fields: Mapping[str, Any]) -> Wish:
    """Return what the form says. Raises DataError for a day that is none."""
    given = {key: field.value for key, field in fields.items()}
    texts: dict[str, Any] = {
        key: str(given[key] or "").strip()
        for key in ("name", "playbook_id", "policy_pack", "scope", "caller_id", "transfer_uri", "hours")
    }
    zone = ZoneInfo(visitor.house.settings.console_zone)
    ends = _day(given["ends"], zone)
    retry = {
        kind.value: int(given[f"retry_{kind.value}"])
        for kind in PAUSES
        if given[f"retry_{kind.value}"] is not None
    }
    return Wish(
        **texts,
        trunk=given.get("trunk") or str(given["address"] or "").strip(),
        max_calls=int(given["max_calls"] or 1),
        max_attempts=int(given["max_attempts"] or 1),
        ring_timeout_s=float(given["ring"] or 40),
        mode=Mode(given["mode"]),
        takeover=TakeoverKind(given["takeover"]),
        priority=int(given["priority"] or 0),
        calls_per_s=float(given["calls_per_s"] or 0),
        starts_at=_day(given["starts"], zone),
        ends_at=ends + timedelta(days=1) if ends else None,
        retry=retry,
        leave_message=bool(given["leave_message"]),
    )


def _day(text: str | None, zone: ZoneInfo) -> datetime | None:
    if not text:
        return None
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=zone)
    except ValueError as error:
        raise DataError("{text!r} is no day", hint="2026-12-01", text=text) from error
