"""The first page: how is it going?"""

from __future__ import annotations

from datetime import UTC, datetime

from nicegui import ui

from voicebot.console.frame import Pages
from voicebot.console.visitor import Visitor
from voicebot.store.workers import LINE, WorkerRepository


def register(pages: Pages) -> None:
    """Register the page."""

    @pages.page("/", "home", right=None, icon="dashboard")
    async def home(visitor: Visitor) -> None:
        ui.label(visitor.t("nav.home")).classes("vb-title").props("role=heading aria-level=1")
        await lines(visitor)


async def lines(visitor: Visitor) -> None:
    """Show the line workers."""
    now = datetime.now(UTC)
    workers = await visitor.query(lambda session: WorkerRepository(session).alive(LINE, now))
    with ui.element("div").classes("vb-tiles"):
        for key, value in (
            ("calls_now", sum(worker.busy for worker in workers)),
            ("capacity", sum(worker.capacity for worker in workers)),
            ("workers", len(workers)),
        ):
            with ui.element("div").classes("vb-tile"):
                ui.html(f"<b>{value}</b>", sanitize=False)
                ui.label(visitor.t(f"home.{key}")).classes("vb-quiet")
    if not workers:
        ui.label(visitor.t("home.none_up")).classes("vb-warn")
