"""Playbooks: read them; the editor stands beside."""

from __future__ import annotations

import asyncio

from nicegui import ui

from voicebot.console.frame import Pages
from voicebot.console.pages.playbook_editor import playbook_editor
from voicebot.console.playbook_desk import text_of
from voicebot.console.visitor import Visitor
from voicebot.console.widgets import heading, quiet, table, tile
from voicebot.dialogue.graph import svg
from voicebot.domain.script import ANY_SCENE, Playbook
from voicebot.domain.users import Right


def register(pages: Pages) -> None:
    """Register the pages."""

    @pages.page("/playbooks", "playbooks", right=Right.SEE_PLAYBOOKS, icon="menu_book")
    async def playbooks(visitor: Visitor) -> None:
        heading(visitor.t("nav.playbooks"))
        source = visitor.house.playbooks
        found = await asyncio.to_thread(lambda: [source.get(name) for name in source.ids()])
        with ui.element("div").classes("vb-grid"):
            for playbook in found:
                with ui.card().classes("vb-card"):
                    ui.link(playbook.title, f"/playbooks/{playbook.id}").classes("vb-subtitle")
                    quiet(f"{playbook.company} · {playbook.product}")
                    count = visitor.t(
                        "playbooks.count", scenes=len(playbook.scenes), scripts=len(playbook.scripts)
                    )
                    quiet(f"{playbook.id} · {playbook.version} · {count}")

    @pages.page("/playbooks/{playbook_id}", "playbook", right=Right.SEE_PLAYBOOKS)
    async def show(visitor: Visitor, playbook_id: str) -> None:
        playbook = await asyncio.to_thread(visitor.house.playbooks.get, playbook_id)
        _show(visitor, playbook)

    @pages.page("/playbooks/{playbook_id}/edit", "edit_playbook", right=Right.EDIT_PLAYBOOKS)
    async def edit(visitor: Visitor, playbook_id: str) -> None:
        text = await asyncio.to_thread(text_of, visitor.house, playbook_id)
        heading(f"{visitor.t('nav.edit_playbook')} · {playbook_id}")
        await playbook_editor(visitor, playbook_id, text)


def _show(visitor: Visitor, playbook: Playbook) -> None:
    t = visitor.t
    with ui.element("div").classes("vb-row"):
        heading(playbook.title)
        quiet(playbook.version)
        ui.space()
        if visitor.may(Right.TRY_BOT):
            address = f"/try?playbook={playbook.id}"
            ui.button(t("nav.try"), icon="mic", on_click=lambda: ui.navigate.to(address)).props("outline")
        if visitor.may(Right.EDIT_PLAYBOOKS):
            ui.button(
                t("playbooks.edit"),
                icon="edit",
                on_click=lambda: ui.navigate.to(f"/playbooks/{playbook.id}/edit"),
            )
    with ui.element("div").classes("vb-tiles"):
        tile(t("playbooks.scenes"), len(playbook.scenes))
        tile(t("playbooks.scripts"), len(playbook.scripts))
        examples = sum(len(script.examples) for script in playbook.scripts.values())
        tile(t("playbooks.examples"), examples)
    with ui.expansion(t("playbooks.graph"), icon="account_tree").classes("full-width"):
        ui.html(svg(playbook), sanitize=False).classes("vb-graph")
    titles = {scene.id: scene.title for scene in playbook.scenes.values()}
    for scene, title in (titles | {ANY_SCENE: t("playbooks.any_scene")}).items():
        rows = [
            {
                "id": script.id,
                "script": script.id,
                "examples": " / ".join(script.examples[:3]),
                "text": script.text,
            }
            for script in playbook.scripts.values()
            if script.scene == scene
        ]
        if rows:
            heading(f"{title} · {scene}", 2)
            drawn = table([(key, t(f"playbooks.{key}")) for key in ("script", "examples", "text")], rows)
            drawn.classes("vb-wrapping")
