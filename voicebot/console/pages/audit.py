"""The audit log: who did what."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from nicegui import ui

from voicebot.console.frame import Pages
from voicebot.console.visitor import Visitor
from voicebot.console.widgets import heading, table, when
from voicebot.domain.users import Right
from voicebot.store.audit import AuditEntry, AuditRepository
from voicebot.store.users import UserRepository

PAGE = 100
FIELDS = ("actor", "action", "subject")


def register(pages: Pages) -> None:
    """Register the page."""

    @pages.page("/audit", "audit", right=Right.SEE_AUDIT, icon="policy")
    async def audit(visitor: Visitor) -> None:
        t = visitor.t
        heading(t("nav.audit"))
        asked = {key: visitor.asked.get(key, "") for key in FIELDS}
        deeds = {"": t("frame.all")} | visitor.section("deed")
        wanted = asked | {"subject": _written(visitor, asked["subject"])}
        fields: dict[str, Any] = {}
        with ui.element("div").classes("vb-row"):
            fields["actor"] = ui.input(t("audit.actor"), value=asked["actor"])
            action = asked["action"] if asked["action"] in deeds else ""
            fields["action"] = ui.select(deeds, value=action, label=t("audit.action"), with_input=True)
            fields["action"].style("min-width: 14rem")
            fields["subject"] = ui.input(t("audit.subject"), value=asked["subject"])

            def search() -> None:
                query = urlencode({key: field.value for key, field in fields.items() if field.value})
                ui.navigate.to(f"/audit?{query}")

            for key in ("actor", "subject"):
                fields[key].on("keydown.enter", search)
            ui.button(t("frame.search"), icon="search", on_click=search)

        async def page(before: int) -> list[AuditEntry]:
            return await visitor.query(
                lambda session: list(AuditRepository(session).find(**wanted, before=before, limit=PAGE))
            )

        users = await visitor.query(lambda session: UserRepository(session).all())
        names = {user.id: user.name for user in users}
        shown = await page(0)
        columns = ("at", "actor", "action", "subject", "detail")
        drawn = table(
            [(key, t(f"audit.{key}")) for key in columns], [_row(visitor, one, names) for one in shown]
        )

        async def more() -> None:
            nonlocal shown
            shown = await page(shown[-1].id if shown else 0)
            drawn.add_rows([_row(visitor, one, names) for one in shown])
            button.set_visibility(len(shown) == PAGE)

        button = ui.button(t("frame.more"), on_click=visitor.guarded(more)).props("outline")
        button.set_visibility(len(shown) == PAGE)


def _row(visitor: Visitor, entry: AuditEntry, names: Mapping[str, str]) -> dict[str, Any]:
    return {
        "id": entry.id,
        "at": when(visitor, entry.at, seconds=True),
        "actor": _actor(visitor, entry.actor),
        "action": visitor.known("deed", entry.action),
        "subject": _subject(visitor, entry.subject, names),
        "detail": "；".join(f"{key}: {_plain(value)}" for key, value in entry.detail.items()),
    }


def _actor(visitor: Visitor, actor: str) -> str:
    if actor == "rule":
        return visitor.t("audit.by_rule")
    kind, _, name = actor.partition(":")
    return visitor.t("audit.by_token", name=name) if kind == "token" and name else actor


def _subject(visitor: Visitor, subject: str, names: Mapping[str, str]) -> str:
    kind, _, which = subject.partition(":")
    word = visitor.known("deed_subject", kind)
    which = names.get(which, which) if kind == "user" else which
    return f"{word} {which}" if which else word


def _written(visitor: Visitor, subject: str) -> str:
    """Return a subject as it is kept; it may be asked for as the page shows it."""
    shown, _, which = subject.partition(" ")
    for kind, word in visitor.section("deed_subject").items():
        if shown == word:
            return f"{kind}:{which}" if which else kind
    return subject


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
