"""The frame of every page: who sees it, navigation, language, theme. Pages are made with `Pages.page`."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import structlog
from fastapi import Request
from fastapi.responses import Response
from nicegui import ui

from voicebot.console.house import House
from voicebot.console.layout import dress, navigation, watch_session
from voicebot.console.visitor import Visitor
from voicebot.domain.errors import VoicebotError
from voicebot.domain.users import Right

Builder = Callable[..., Awaitable[Response | None]]
RESPONSE_TIMEOUT_S = 15.0  # a database that is busy is not an error yet

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Entry:
    """A page in the navigation."""

    path: str
    key: str  # nav.<key> in words.yaml
    icon: str  # a Material icon that comes with NiceGUI
    right: Right | None
    group: str  # nav.<group>: pages of one group stand together


class Pages:
    """The pages of one console, and its navigation."""

    def __init__(self, house: House) -> None:
        """Begin without pages."""
        self.house = house
        self.entries: list[Entry] = []

    def page(
        self, path: str, key: str, *, right: Right | None, icon: str = "", group: str = ""
    ) -> Callable[[Builder], Builder]:
        """Make a page of an async function that takes a Visitor and the path's and query's parameters.

        Args:
            path: such as /calls/{call_id}.
            key: its title is nav.<key> in words.yaml.
            right: who may see it; None = everybody who is signed in.
            icon: with one, the page stands in the navigation.
            group: of the navigation.
        """
        if icon:
            self.entries.append(Entry(path, key, icon, right, group))

        def decorate(build: Builder) -> Builder:
            async def framed(request: Request, **parameters: Any) -> Response | None:
                visitor = Visitor(self.house, request.state.session, request.query_params)
                ui.page_title(f"{visitor.t(f'nav.{key}')} · voicebot")
                dress(visitor)
                navigation(visitor, self.entries, path)
                with ui.element("main").classes("vb-main") as content:
                    ui.skip_link(visitor.t("frame.skip"), target=content)
                    answer = await self._fill(visitor, build, right, parameters)
                    watch_session(visitor)
                return answer

            framed.__signature__ = _signature(build)  # type: ignore[attr-defined]
            framed.__name__ = build.__name__
            ui.page(path, response_timeout=RESPONSE_TIMEOUT_S)(framed)
            return build

        return decorate

    async def _fill(
        self, visitor: Visitor, build: Builder, right: Right | None, parameters: dict[str, Any]
    ) -> Response | None:
        if right is not None and not visitor.may(right):
            ui.context.client.status_code = 403
            _forbidden(visitor)
            return None
        try:
            return await build(visitor, **parameters)
        except VoicebotError as error:
            failure(visitor, error)
        return None


def _signature(build: Builder) -> inspect.Signature:
    # FastAPI reads the parameters of a page from its signature, which is the builder's without the visitor.
    first = inspect.Parameter("request", inspect.Parameter.KEYWORD_ONLY, annotation=Request)
    rest = list(inspect.signature(build, eval_str=True).parameters.values())[1:]
    return inspect.Signature(
        [first, *(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in rest)]
    )


def _forbidden(visitor: Visitor) -> None:
    with ui.card().classes("vb-card"):
        ui.label(visitor.t("frame.forbidden")).classes("vb-title")
        role = visitor.known("role", visitor.user.role.value)
        ui.label(visitor.t("frame.forbidden_more", role=role))
        ui.link(visitor.t("frame.back"), "/")


def failure(visitor: Visitor, error: VoicebotError) -> None:
    """Show an error in place of a page's content."""
    log.warning("page failed", error=type(error).__name__)
    with ui.card().classes("vb-card").props("role=alert"):
        ui.label(visitor.t("frame.failed")).classes("vb-title")
        what, mend = visitor.worded(error)
        ui.label(what)
        if mend:
            ui.label(mend).classes("vb-quiet")
