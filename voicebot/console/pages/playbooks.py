"""Playbooks: read, edit, check, compare, save."""

from __future__ import annotations

import asyncio
import html

from nicegui import ui

from voicebot.console.frame import Pages
from voicebot.console.playbook_desk import checked, difference, saved, text_of
from voicebot.console.visitor import Visitor
from voicebot.console.widgets import heading, quiet, table, tile
from voicebot.dialogue.graph import svg
from voicebot.domain.errors import PlaybookError
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
        _editor(visitor, playbook_id, text)


def _show(visitor: Visitor, playbook: Playbook) -> None:
    t = visitor.t
    with ui.element("div").classes("vb-row"):
        heading(playbook.title)
        quiet(playbook.version)
        ui.space()
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


def _editor(visitor: Visitor, playbook_id: str, before: str) -> None:
    t = visitor.t
    editor = ui.codemirror(before, language="YAML", line_wrapping=True).classes("full-width")
    editor.style("height: 60vh")
    quiet(t("playbooks.running_calls"))
    with ui.element("div").classes("vb-row"):
        check_button = ui.button(t("playbooks.check"), icon="rule")
        compare_button = ui.button(t("playbooks.compare"), icon="difference").props("outline")
        save_button = ui.button(t("frame.save"), icon="save")
    result = ui.element("div").props("role=status").style("width: 100%")

    async def check() -> None:
        result.clear()
        try:
            playbook = await asyncio.to_thread(checked, editor.value)
        except PlaybookError as error:
            with result:
                ui.label(error.detail).classes("vb-bad").style("white-space: pre-wrap")
                quiet(error.hint)
            return
        with result:
            count = t("playbooks.count", scenes=len(playbook.scenes), scripts=len(playbook.scripts))
            ui.label(f"✓ {playbook.id} {playbook.version} · {count}").classes("vb-good")

    async def compare() -> None:
        result.clear()
        with result:
            _difference(visitor, before, editor.value)

    async def save() -> None:
        text = editor.value
        playbook = await asyncio.to_thread(saved, visitor.house, playbook_id, text)
        await visitor.act(
            Right.EDIT_PLAYBOOKS,
            "save_playbook",
            f"playbook:{playbook_id}",
            lambda session: None,
            version=playbook.version,
        )
        ui.notify(t("playbooks.saved", version=playbook.version), type="positive")
        await compare()

    check_button.on_click(visitor.guarded(check))
    compare_button.on_click(visitor.guarded(compare))
    save_button.on_click(visitor.guarded(save))


def _difference(visitor: Visitor, before: str, after: str) -> None:
    lines = difference(before, after)
    if not lines:
        quiet(visitor.t("playbooks.same"))
        return
    kinds = {"+": "add", "-": "del"}
    body = "\n".join(f'<span class="{kinds.get(line[:1], "")}">{html.escape(line)}</span>' for line in lines)
    ui.html(f"<pre>{body}</pre>", sanitize=False).classes("vb-diff")
