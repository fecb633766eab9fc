"""The agent's switch for notices: is this browser told of calls while the page sleeps or is closed?"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from nicegui import events, ui

from voicebot.console.push.sealing import check, unplain
from voicebot.console.visitor import Visitor
from voicebot.console.widgets import quiet
from voicebot.domain.errors import DataError
from voicebot.domain.people import PushTarget
from voicebot.domain.users import Right
from voicebot.store.push_targets import PushTargetRepository

LONGEST_ENDPOINT = 2000


class Notices:
    """Stands on the agent's screen."""

    def __init__(self, visitor: Visitor) -> None:
        """Know nothing of the browser yet."""
        self._visitor = visitor
        self._state = "off"
        self._endpoint = ""

    def draw(self) -> None:
        """Draw the switch as the browser stands; it tells once the page is there."""
        ui.add_head_html('<script src="/static/push.js"></script>')
        ui.add_head_html('<link rel="manifest" href="/static/manifest.webmanifest">')
        self._body()
        # a timer of NiceGUI runs once the browser is connected
        ui.timer(0.5, self._visitor.guarded(self._look), once=True)

    async def _look(self) -> None:
        answer = await ui.run_javascript("return await voicebotPush.state()", timeout=10)
        await self._take(answer)

    @ui.refreshable_method
    def _body(self) -> None:
        visitor, on = self._visitor, self._state == "on"
        with ui.element("div").classes("vb-row").props("data-notices"):
            if self._state == "unsupported":
                quiet(visitor.t("push.unsupported"))
                return
            call = "off()" if on else f"on('{visitor.house.push.public_key}')"
            button = ui.button(
                visitor.t("push.turn_off" if on else "push.turn_on"),
                icon="notifications_off" if on else "notifications_active",
            ).props("outline dense no-caps")
            # asked in the browser's own click: only so may a page ask for permission
            button.on(
                "click",
                visitor.guarded(self._clicked),
                js_handler=f"async () => emit(await voicebotPush.{call})",
            )
            if on:
                ui.button(visitor.t("push.test"), icon="send", on_click=visitor.guarded(self._test)).props(
                    "flat dense no-caps"
                )
            else:
                quiet(visitor.t("push.why"))

    async def _clicked(self, event: events.GenericEventArguments) -> None:
        answer = event.args
        await self._take(answer)
        if self._state in ("denied", "failed"):
            why = str(answer.get("why", ""))[:200]
            ui.notify(self._visitor.t(f"push.{self._state}", why=why), type="warning", multi_line=True)

    async def _take(self, answer: Mapping[str, Any]) -> None:
        """Keep, or forget, what the browser says of itself."""
        self._state = str(answer.get("state", "off"))
        endpoint = str(answer.get("endpoint", ""))
        if self._state == "on":
            await self._save(_target(self._visitor, answer, endpoint))
        elif endpoint:
            await self._drop(endpoint)
        self._endpoint = endpoint
        self._body.refresh()

    async def _save(self, target: PushTarget) -> None:
        now = datetime.now(UTC)
        known = await self._visitor.query(lambda session: PushTargetRepository(session).of(target.agent_id))
        if target in known:
            return
        await self._visitor.act(
            Right.TAKE_CALLS,
            "notices_on",
            f"agent:{target.agent_id}",
            lambda session: PushTargetRepository(session).save(target, now),
        )

    async def _drop(self, endpoint: str) -> None:
        await self._visitor.act(
            Right.TAKE_CALLS,
            "notices_off",
            f"agent:{self._visitor.user.name}",
            lambda session: PushTargetRepository(session).drop(endpoint),
        )

    async def _test(self) -> None:
        visitor = self._visitor
        sent = await visitor.house.push.tell(visitor.user.name, "push.trial", "trial")
        failed = next((answer.error for answer in sent if answer.error), "")
        if failed or not sent:
            raise DataError(
                "the notice was not sent: {why}",
                hint="switch the notices off and on",
                why=failed or "no device",
            )
        ui.notify(visitor.t("push.sent", count=len(sent)), type="positive")


def _target(visitor: Visitor, answer: Mapping[str, Any], endpoint: str) -> PushTarget:
    """Return where this browser is told. Raises DataError for what is no address of a push service."""
    if not endpoint.startswith(("https://", "http://")) or len(endpoint) > LONGEST_ENDPOINT:
        raise DataError(
            "{endpoint} is no push service", hint="switch the notices off and on", endpoint=endpoint[:80]
        )
    key, secret = unplain(str(answer.get("key", ""))), unplain(str(answer.get("secret", "")))
    return check(PushTarget(visitor.user.name, endpoint, key, secret, visitor.user.language))
