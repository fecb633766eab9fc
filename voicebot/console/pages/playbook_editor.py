"""The editor of a playbook: check, compare with what holds or held, save."""

from __future__ import annotations

import asyncio
import html

from nicegui import ui

from voicebot import bootstrap
from voicebot.campaign.readiness import Coverage, coverage
from voicebot.console.playbook_desk import checked, difference, saved
from voicebot.console.visitor import Visitor
from voicebot.console.widgets import named_inside, quiet, when
from voicebot.domain.errors import PlaybookError
from voicebot.domain.script import Playbook
from voicebot.domain.users import Right
from voicebot.store.playbooks import PlaybookRepository

NOW = ""  # the version that holds, in the list of versions
MOST_MISSING = 8  # texts without sound that are named


async def playbook_editor(visitor: Visitor, playbook_id: str, text: str) -> None:
    """Draw the editor of a playbook."""
    known = await visitor.query(lambda session: PlaybookRepository(session).versions(playbook_id))
    versions = {NOW: visitor.t("playbooks.holds")}
    versions |= {one.version: f"{one.version} · {when(visitor, one.at)}" for one in known}
    Editor(visitor, playbook_id, text, versions).draw()


class Editor:
    """One open editor."""

    def __init__(self, visitor: Visitor, playbook_id: str, text: str, versions: dict[str, str]) -> None:
        """Take the text that holds, and what earlier versions are called."""
        self._visitor = visitor
        self._id = playbook_id
        self._holds = text
        self._versions = versions

    def draw(self) -> None:
        """Draw it."""
        t, visitor = self._visitor.t, self._visitor
        self._editor = ui.codemirror(
            self._holds,
            language="YAML",
            theme="vscodeDark" if visitor.user.dark else "vscodeLight",  # the default's keys are too pale
            line_wrapping=True,
        ).classes("full-width")
        self._editor.style("height: 60vh")
        named_inside(self._editor, f"{t('nav.edit_playbook')} {self._id}")
        quiet(t("playbooks.running_calls"))
        with ui.element("div").classes("vb-row"):
            ui.button(t("playbooks.check"), icon="rule", on_click=visitor.guarded(self._check))
            ui.button(t("frame.save"), icon="save", on_click=visitor.guarded(self._save))
            ui.space()
            self._version = ui.select(self._versions, value=NOW, label=t("playbooks.version"))
            self._version.style("min-width: 14rem")
            ui.button(
                t("playbooks.compare"), icon="difference", on_click=visitor.guarded(self._compare)
            ).props("outline")
            ui.button(t("playbooks.take"), icon="restore", on_click=visitor.guarded(self._take)).props("flat")
        self._result = ui.element("div").props("role=status").style("width: 100%")

    async def _check(self) -> None:
        text = str(self._editor.value)
        self._result.clear()
        try:
            playbook = await asyncio.to_thread(checked, text)
        except PlaybookError as error:
            with self._result:
                what, mend = self._visitor.worded(error)
                ui.label(what).classes("vb-bad").style("white-space: pre-wrap")
                quiet(mend)
            return
        with self._result:
            counts = {"scenes": len(playbook.scenes), "scripts": len(playbook.scripts)}
            count = self._visitor.t("playbooks.count", **counts)
            ui.label(f"✓ {playbook.id} {playbook.version} · {count}").classes("vb-good")
        spoken = await asyncio.to_thread(self._coverage, playbook)
        with self._result:
            self._voice(spoken)

    def _coverage(self, playbook: Playbook) -> Coverage:
        return coverage(playbook, bootstrap.prompts(self._visitor.house.settings))

    def _voice(self, found: Coverage) -> None:
        """Say what customers could not hear yet: a campaign does not start before it is rendered."""
        if not found.missing:
            return
        ui.label(self._visitor.t("playbooks.silent", count=len(found.missing))).classes("vb-warn")
        for text in found.missing[:MOST_MISSING]:
            quiet(text)
        quiet(f"voicebot prompts render --playbook {self._id}").classes("vb-mono")

    async def _compare(self) -> None:
        before = await self._text(str(self._version.value or NOW))
        lines = difference(before, str(self._editor.value))
        self._result.clear()
        with self._result:
            if not lines:
                quiet(self._visitor.t("playbooks.same"))
                return
            ui.html(f"<pre>{_coloured(lines)}</pre>", sanitize=False).classes("vb-diff")

    async def _take(self) -> None:
        self._editor.value = await self._text(str(self._version.value or NOW))
        await self._check()

    async def _text(self, version: str) -> str:
        if version == NOW:
            return self._holds
        found = await self._visitor.query(lambda session: PlaybookRepository(session).text(self._id, version))
        if not found:
            raise PlaybookError("the text of this version was not kept", hint="choose another version")
        return found

    async def _save(self) -> None:
        text = str(self._editor.value)
        await self._visitor.require(Right.EDIT_PLAYBOOKS)
        playbook = await asyncio.to_thread(saved, self._visitor.house, self._id, text)
        await self._visitor.act(
            Right.EDIT_PLAYBOOKS,
            "save_playbook",
            f"playbook:{self._id}",
            lambda session: PlaybookRepository(session).keep(self._id, playbook.version, text),
            version=playbook.version,
        )
        ui.notify(self._visitor.t("playbooks.saved", version=playbook.version), type="positive")
        await self._compare()
        self._holds = text
        spoken = await asyncio.to_thread(self._coverage, playbook)
        with self._result:
            self._voice(spoken)


def _coloured(lines: list[str]) -> str:
    kinds = {"+": "add", "-": "del"}
    return "\n".join(f'<span class="{kinds.get(line[:1], "")}">{html.escape(line)}</span>' for line in lines)
