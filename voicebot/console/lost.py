"""Addresses that lead nowhere, and pages that failed: in the visitor's language, without what is inside."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import structlog
from fastapi import Request
from fastapi.responses import Response
from nicegui import Client, ui
from nicegui import app as nicegui_app

from voicebot.console.frame import Pages
from voicebot.console.layout import dress, navigation
from voicebot.console.visitor import Visitor
from voicebot.console.widgets import when

Handler = Callable[[Request, Exception], Awaitable[Response]]
log = structlog.get_logger()


def register(pages: Pages) -> None:
    """Let these pages answer for NiceGUI's own, which speak English and tell of the exception."""
    for kind, status in ((404, 404), (Exception, 500)):
        before: Handler = nicegui_app.exception_handlers[kind]  # type: ignore[assignment]  # NiceGUI's are async
        nicegui_app.add_exception_handler(kind, _handler(pages, status, before))


def _handler(pages: Pages, status: int, before: Handler) -> Handler:
    async def answer(request: Request, error: Exception) -> Response:
        session = getattr(request.state, "session", None)
        if session is None or "text/html" not in request.headers.get("accept", ""):
            return await before(request, error)
        log.warning("no such page" if status == 404 else "page failed", error=type(error).__name__)
        with Client(ui.page(""), request=request) as client:
            _draw(Visitor(pages.house, session, {}), pages, status)
        return client.build_response(request, status)

    return answer


def _draw(visitor: Visitor, pages: Pages, status: int) -> None:
    missing = status == 404
    words = visitor.t("frame.missing" if missing else "frame.failed")
    ui.page_title(f"{words} · voicebot")
    dress(visitor)
    navigation(visitor, pages.entries, "")
    with ui.element("main").classes("vb-main"), ui.card().classes("vb-card").props("role=alert"):
        ui.label(words).classes("vb-title")
        if not missing:
            at = when(visitor, datetime.now(UTC), seconds=True)
            ui.label(visitor.t("frame.failed_more", at=at))
        ui.link(visitor.t("frame.back"), "/")
