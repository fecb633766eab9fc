"""How pages look: header, navigation, colours. The styles stand in static/console.css."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from typing import TYPE_CHECKING

from nicegui import ui

from voicebot.console.visitor import Visitor

if TYPE_CHECKING:
    from voicebot.console.frame import Entry

EVERY_S = 30.0  # how often an open page asks whether it may stay open


def dress(visitor: Visitor) -> None:
    """Set theme and language of a page."""
    ui.add_head_html('<link rel="stylesheet" href="/static/console.css">')
    ui.colors(
        primary="#0b5c8a", secondary="#37667f", accent="#8a4b0b", positive="#1b7a3d", negative="#b3261e",
        warning="#9a6700", info="#37667f",
    )  # fmt: skip
    ui.dark_mode(visitor.user.dark)
    # What widgets say themselves, and the page's lang, follow the visitor.
    client = ui.context.client
    client.page = copy(client.page)
    client.page.language = "zh-CN" if visitor.user.language == "zh" else "en-US"


def watch_session(visitor: Visitor) -> None:
    """Close the page when its session ends. Called last: a timer makes NiceGUI send the page at once."""

    async def still_there() -> None:
        if not await visitor.still_signed_in():
            ui.navigate.to("/login")

    ui.timer(EVERY_S, still_there)


def navigation(visitor: Visitor, entries: Sequence[Entry], here: str) -> None:
    """Draw the header and the navigation that this visitor may use."""
    drawer = ui.left_drawer(value=False, bordered=True).classes("vb-drawer")
    drawer.props("show-if-above breakpoint=900 width=220")
    with drawer, ui.element("nav").props(f'aria-label="{visitor.t("frame.menu")}"').classes("vb-nav"):
        group = ""
        for entry in entries:
            if entry.right is not None and not visitor.may(entry.right):
                continue
            if entry.group not in ("", group):
                ui.label(visitor.t(f"nav.{entry.group}")).classes("vb-nav-group")
            group = entry.group
            _entry(visitor, entry, here)
    with ui.header().classes("vb-header"):
        menu = ui.button(icon="menu", on_click=drawer.toggle).props("flat round dense color=white")
        menu.props(f'aria-label="{visitor.t("frame.menu")}"')
        ui.link("voicebot", "/").classes("vb-brand")
        ui.space()
        _switches(visitor)
        _account(visitor)


def _entry(visitor: Visitor, entry: Entry, here: str) -> None:
    with ui.link(target=entry.path).classes("vb-nav-link") as link:
        ui.icon(entry.icon).props("aria-hidden=true")
        ui.label(visitor.t(f"nav.{entry.key}"))
    if entry.path == here:
        link.classes("vb-here").props("aria-current=page")


def _switches(visitor: Visitor) -> None:
    async def language() -> None:
        await visitor.set_own(language="en" if visitor.user.language == "zh" else "zh")
        ui.navigate.reload()

    async def dark() -> None:
        await visitor.set_own(dark=not visitor.user.dark)
        ui.navigate.reload()

    other = ui.button(visitor.t("frame.language"), on_click=visitor.guarded(language))
    other.props(f"flat dense no-caps color=white lang={'en' if visitor.user.language == 'zh' else 'zh'}")
    shade = ui.button(icon="contrast", on_click=visitor.guarded(dark)).props("flat round dense color=white")
    shade.props(f'aria-label="{visitor.t("frame.dark")}"')


def _account(visitor: Visitor) -> None:
    role = visitor.known("role", visitor.user.role.value)
    with ui.button(icon="person").props("flat dense no-caps color=white") as button:
        ui.label(visitor.user.title).classes("vb-wide-only")
        button.props(f'aria-label="{visitor.t("frame.account")}"')
        with ui.menu():
            ui.item_label(f"{visitor.user.title} · {role}").props("header")
            ui.menu_item(visitor.t("frame.account"), lambda: ui.navigate.to("/account"))
            ui.menu_item(visitor.t("frame.sign_out"), _sign_out)


def _sign_out() -> None:
    ui.run_javascript("fetch('/logout', {method: 'POST'}).then(() => { location.href = '/login' })")
