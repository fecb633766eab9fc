"""Users, API tokens: for administrators."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from nicegui import ui

from voicebot.console.auth.passwords import hash_password, random_password
from voicebot.console.frame import Pages
from voicebot.console.visitor import Visitor
from voicebot.console.widgets import heading, quiet, when
from voicebot.domain.users import Right, Role, User
from voicebot.store.api_tokens import ApiTokenRepository
from voicebot.store.user_sessions import UserSessionRepository
from voicebot.store.users import UserRepository


def register(pages: Pages) -> None:
    """Register the pages."""

    @pages.page("/users", "users", right=Right.MANAGE_PEOPLE, icon="group")
    async def users(visitor: Visitor) -> None:
        heading(visitor.t("nav.users"))
        _new_user(visitor)
        found = await visitor.query(lambda session: UserRepository(session).all())
        with ui.card().classes("vb-card"):
            for user in found:
                _user(visitor, user)

    @pages.page("/tokens", "tokens", right=Right.MANAGE_TOKENS, icon="key")
    async def tokens(visitor: Visitor) -> None:
        heading(visitor.t("nav.tokens"))
        ui.link(visitor.t("people.document"), "/api/v1/openapi.json", new_tab=True)
        _new_token(visitor)
        await _tokens(visitor)


def _new_user(visitor: Visitor) -> None:
    t = visitor.t

    async def add() -> None:
        password = random_password()
        hashed = await asyncio.to_thread(hash_password, password)
        user = User("", name.value or "", Role(role.value), shown_as.value or "", must_change=True)
        await visitor.act(
            Right.MANAGE_PEOPLE,
            "add_user",
            f"user:{user.name}",
            lambda session: UserRepository(session).add(user, hashed),
            role=user.role.value,
        )
        show_once(visitor, t("people.password_of", name=user.name), password)

    with ui.card().classes("vb-card"):
        heading(t("people.new_user"), 2)
        with ui.element("div").classes("vb-form"):
            name = ui.input(t("login.name"))
            shown_as = ui.input(t("account.display_name"))
            roles = {one.value: visitor.known("role", one.value) for one in Role}
            role = ui.select(roles, value=Role.AGENT.value, label=t("people.role"))
        ui.button(t("people.add"), icon="person_add", on_click=visitor.guarded(add))


def _user(visitor: Visitor, user: User) -> None:
    t = visitor.t

    async def change(**values: object) -> None:
        await visitor.act(
            Right.MANAGE_PEOPLE,
            "change_user",
            f"user:{user.id}",
            lambda session: UserRepository(session).change(user.id, **values),
            **values,
        )
        ui.navigate.reload()

    async def password() -> None:
        made = random_password()
        hashed = await asyncio.to_thread(hash_password, made)
        await visitor.act(
            Right.MANAGE_PEOPLE,
            "set_password",
            f"user:{user.id}",
            lambda session: UserRepository(session).set_password(user.id, hashed, must_change=True),
        )
        show_once(visitor, t("people.password_of", name=user.name), made)

    async def link() -> None:
        now = datetime.now(UTC)
        token = await visitor.act(
            Right.MANAGE_PEOPLE,
            "sign_in_link",
            f"user:{user.id}",
            lambda session: UserSessionRepository(session).link(user, now),
        )
        show_once(visitor, t("people.link_of", name=user.name), f"/login/once/{token}")

    with ui.element("div").classes("vb-row vb-line"):
        ui.label(user.title).classes("vb-subtitle")
        quiet(user.name)
        if user.disabled:
            ui.label(t("people.disabled")).classes("vb-badge vb-badge-bad")
        ui.space()
        roles = {one.value: visitor.known("role", one.value) for one in Role}
        chosen = ui.select(roles, value=user.role.value).props(f'dense aria-label="{t("people.role")}"')

        async def set_role() -> None:
            await change(role=chosen.value)

        async def toggle() -> None:
            await change(disabled=not user.disabled)

        chosen.on_value_change(visitor.guarded(set_role))
        ui.button(t("people.new_password"), on_click=visitor.guarded(password)).props("flat dense no-caps")
        ui.button(t("people.link"), on_click=visitor.guarded(link)).props("flat dense no-caps")
        words = t("people.enable" if user.disabled else "people.disable")
        ui.button(words, on_click=visitor.guarded(toggle)).props("flat dense no-caps")


def _new_token(visitor: Visitor) -> None:
    t = visitor.t

    async def make() -> None:
        days = int(life.value or 0)
        until = datetime.now(UTC) + timedelta(days=days) if days else None
        wanted = [Right(scope) for scope in scopes.value or ()]
        token = await visitor.act(
            Right.MANAGE_TOKENS,
            "make_token",
            f"token:{name.value}",
            lambda session: ApiTokenRepository(session).make(
                name.value or "", wanted, visitor.user.name, until
            ),
            scopes=sorted(scope.value for scope in wanted),
        )
        show_once(visitor, name.value or "", token)

    with ui.card().classes("vb-card"):
        heading(t("people.new_token"), 2)
        with ui.element("div").classes("vb-form"):
            name = ui.input(t("people.token_name"))
            scopes = ui.select(
                {right.value: visitor.known("right", right.value) for right in Right},
                multiple=True,
                label=t("people.scopes"),
            ).props("use-chips")
            life = ui.select(
                {days: t(f"people.life_{days}") for days in (30, 90, 365, 0)},
                value=90,
                label=t("people.life"),
            )
        ui.button(t("people.make"), icon="key", on_click=visitor.guarded(make))


async def _tokens(visitor: Visitor) -> None:
    t = visitor.t
    found = await visitor.query(lambda session: ApiTokenRepository(session).all())
    with ui.card().classes("vb-card"):
        if not found:
            quiet(t("frame.none"))
        for token in found:

            async def revoke(token_id: str = token.id, name: str = token.name) -> None:
                now = datetime.now(UTC)
                await visitor.act(
                    Right.MANAGE_TOKENS,
                    "revoke_token",
                    f"token:{name}",
                    lambda session: ApiTokenRepository(session).revoke(token_id, now),
                )
                ui.navigate.reload()

            with ui.element("div").classes("vb-row vb-line"):
                ui.label(token.name).classes("vb-subtitle")
                quiet("、".join(visitor.known("right", scope.value) for scope in sorted(token.scopes)))
                quiet(t("people.used", at=when(visitor, token.used_at)))
                quiet(t("people.until", at=when(visitor, token.expires_at)))
                ui.space()
                if token.revoked:
                    ui.label(t("people.revoked")).classes("vb-badge vb-badge-bad")
                else:
                    ui.button(t("people.revoke"), on_click=visitor.guarded(revoke)).props(
                        "flat dense no-caps"
                    )


def show_once(visitor: Visitor, title: str, secret: str) -> None:
    """Show a secret that can not be shown again."""
    with ui.dialog().props("persistent") as dialog, ui.card().classes("vb-card"):
        heading(title, 2)
        ui.label(visitor.t("people.once")).classes("vb-warn")
        ui.label(secret).classes("vb-mono").style("user-select: all; overflow-wrap: anywhere")
        ui.button(visitor.t("frame.close"), on_click=ui.navigate.reload)
    dialog.open()
