"""One's own account: password, name, phone."""

from __future__ import annotations

import asyncio

from nicegui import ui

from voicebot.console.auth.passwords import fits, hash_password
from voicebot.console.frame import Pages
from voicebot.console.visitor import Visitor
from voicebot.domain.errors import DataError
from voicebot.store.users import UserRepository


def register(pages: Pages) -> None:
    """Register the page."""

    @pages.page("/account", "account", right=None)
    async def account(visitor: Visitor) -> None:
        ui.label(visitor.t("nav.account")).classes("vb-title").props("role=heading aria-level=1")
        if visitor.user.must_change:
            ui.label(visitor.t("account.must_change")).classes("vb-warn").props("role=alert")
        with ui.element("div").classes("vb-grid"):
            _password(visitor)
            _self(visitor)


def _password(visitor: Visitor) -> None:
    with ui.card().classes("vb-card"):
        ui.label(visitor.t("account.password")).classes("vb-subtitle")
        current = _secret(visitor.t("account.current"), "current-password")
        new = _secret(visitor.t("account.new"), "new-password")
        again = _secret(visitor.t("account.again"), "new-password")

        async def change() -> None:
            if new.value != again.value:
                raise DataError("the two new passwords are not the same", hint="type both again")
            known = await visitor.query(lambda session: UserRepository(session).named(visitor.user.name))
            hashed_now = known[1] if known else ""
            if hashed_now and not await asyncio.to_thread(fits, str(current.value or ""), hashed_now):
                raise DataError("the current password is wrong", hint="type it again")
            hashed: str = await asyncio.to_thread(hash_password, str(new.value or ""))
            await visitor.act(
                None,
                "change_password",
                f"user:{visitor.user.id}",
                lambda session: UserRepository(session).set_password(
                    visitor.user.id, hashed, must_change=False
                ),
            )
            ui.notify(visitor.t("account.changed"), type="positive")
            ui.navigate.to("/login")

        ui.button(visitor.t("frame.save"), on_click=visitor.guarded(change))


def _secret(label: str, autocomplete: str) -> ui.input:
    field = ui.input(label, password=True, password_toggle_button=True).classes("full-width")
    return field.props(f"autocomplete={autocomplete}")


def _self(visitor: Visitor) -> None:
    with ui.card().classes("vb-card"):
        ui.label(f"{visitor.user.name} · {visitor.known('role', visitor.user.role.value)}").classes(
            "vb-subtitle"
        )
        name = ui.input(visitor.t("account.display_name"), value=visitor.user.display_name).classes(
            "full-width"
        )
        phone = ui.input(visitor.t("account.extension"), value=visitor.user.extension).classes("full-width")

        async def save() -> None:
            await visitor.set_own(display_name=name.value.strip(), extension=phone.value.strip())
            ui.notify(visitor.t("account.saved"), type="positive")

        ui.button(visitor.t("frame.save"), on_click=visitor.guarded(save))
