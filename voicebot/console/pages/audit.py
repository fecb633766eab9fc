"""The audit log: who did what."""

from __future__ import annotations

import json
from typing import Any

from nicegui import ui

from voicebot.console.frame import Pages
from voicebot.console.visitor import Visitor
from voicebot.console.widgets import heading, table, when
from voicebot.domain.users import Right
from voicebot.store.audit import AuditEntry, AuditRepository

PAGE = 100


def register(pages: Pages) -> None:
    """Register the page."""

    @pages.page("/audit", "audit", right=Right.SEE_AUDIT, icon="policy")
    async def audit(visitor: Visitor) -> None:
        t = visitor.t
        heading(t("nav.audit"))
        asked = {key: visitor.asked.get(key, "") for key in ("actor", "action", "subject")}
        fields = {}
        with ui.element("form").props('method="get" action="/audit"').classes("vb-row"):
            for key, value in asked.items():
                fields[key] = ui.input(t(f"audit.{key}"), value=value).props(f'name="{key}"')
            ui.button(t("frame.search"), icon="search").props("type=submit")

        async def page(before: int) -> list[AuditEntry]:
            return await visitor.query(
                lambda session: list(AuditRepository(session).find(**asked, before=before, limit=PAGE))
            )

        shown = await page(0)
        columns = ("at", "actor", "action", "subject", "detail")
        drawn = table([(key, t(f"audit.{key}")) for key in columns], [_row(visitor, one) for one in shown])

        async def more() -> None:
            nonlocal shown
            shown = await page(shown[-1].id if shown else 0)
            drawn.add_rows([_row(visitor, one) for one in shown])
            button.set_visibility(len(shown) == PAGE)

        button = ui.button(t("frame.more"), on_click=visitor.guarded(more)).props("outline")
        button.set_visibility(len(shown) == PAGE)


def _row(visitor: Visitor, entry: AuditEntry) -> dict[str, Any]:
    return {
        "id": entry.id,
        "at": when(visitor, entry.at, seconds=True),
        "actor": entry.actor,
        "action": entry.action,
        "subject": entry.subject,
        "detail": json.dumps(entry.detail, ensure_ascii=False) if entry.detail else "",
    }
