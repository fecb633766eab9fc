"""The supervisor's wall: every running call, with what to do about it."""

from __future__ import annotations

from datetime import UTC, datetime

from nicegui import ui

from voicebot.console.frame import Pages
from voicebot.console.live import WAITING, LiveCall
from voicebot.console.visitor import Visitor
from voicebot.console.widgets import badge, heading, quiet
from voicebot.domain.call import Delivery, Turn
from voicebot.domain.errors import TelephonyError
from voicebot.domain.people import Grade, TakeoverStage
from voicebot.domain.users import Right
from voicebot.rpc.line_client import LineClient
from voicebot.store.agents import AgentRepository
from voicebot.store.feedback import FeedbackRepository
from voicebot.store.session import time_of

LOOK_S = 0.3


def register(pages: Pages) -> None:
    """Register the page."""

    @pages.page("/live", "live", right=Right.SEE_LIVE, icon="sensors")
    async def live(visitor: Visitor) -> None:
        ui.add_head_html('<script src="/static/live.js"></script>')
        visitor.house.live.start()
        with ui.element("div").classes("vb-row"):
            heading(visitor.t("nav.live"))
        Wall(visitor).draw()


class Wall:
    """One supervisor's open page."""

    def __init__(self, visitor: Visitor) -> None:
        """Show nothing yet."""
        self._visitor = visitor
        self._live = visitor.house.live
        self._version = -1
        self._heard = ""  # the call that is listened to

    def draw(self) -> None:
        """Draw the wall, and again whenever something happens."""
        self._body()
        ui.timer(LOOK_S, self._again)

    def _again(self) -> None:
        if self._version != self._live.version:
            self._version = self._live.version
            self._body.refresh()

    @ui.refreshable_method
    def _body(self) -> None:
        calls = sorted(self._live.calls.values(), key=lambda call: (-call.urgency, call.since))
        if not calls:
            with ui.card().classes("vb-card"):
                quiet(self._visitor.t("live.none"))
        else:
            self._counts(calls)
        with ui.element("div").classes("vb-grid"):
            for call in calls:
                self._call(call)

    def _counts(self, calls: list[LiveCall]) -> None:
        t = self._visitor.t
        by_people = sum(call.delivery is Delivery.SUGGEST for call in calls)
        waiting = sum(call.stage in WAITING for call in calls)
        with ui.element("div").classes("vb-row").props("data-counts"):
            quiet(t("live.count", count=len(calls), people=by_people, waiting=waiting))

    def _call(self, call: LiveCall) -> None:
        visitor, turn = self._visitor, call.turn
        urgent = " vb-urgent" if call.urgency else ""
        with ui.card().classes(f"vb-card{urgent}").props(f'data-call="{call.call_id}"'):
            if call.who:
                quiet(call.who)
            with ui.element("div").classes("vb-row"):
                seconds = round((datetime.now(UTC) - call.since).total_seconds())
                ui.label(f"{visitor.t(f'live.{call.state}')} · {seconds // 60}:{seconds % 60:02d}").classes(
                    "vb-subtitle"
                )
                if turn is not None:
                    badge(visitor, "emotion", turn.understanding.emotion.label.value)
                quiet(self._whose(call))
            for who, text in call.lines[-3:]:
                with ui.element("div"):
                    quiet(visitor.t(f"agent.{who}"))
                    ui.label(text)
            if turn is not None:
                wait = turn.timings_ms.get("wait_ms")
                if wait is not None:
                    quiet(visitor.t("live.latency", ms=round(wait)))
            self._buttons(call)

    def _whose(self, call: LiveCall) -> str:
        t = self._visitor.t
        if call.stage is TakeoverStage.WAITING:
            return t("live.waiting")
        if call.stage in WAITING:
            ringing = call.stage is TakeoverStage.RINGING
            return t("live.ringing_agent" if ringing else "live.briefing", name=call.agent_id)
        if call.delivery is Delivery.SUGGEST:
            return t("live.by_person", name=call.agent_id)
        return t("live.by_bot")

    def _buttons(self, call: LiveCall) -> None:
        visitor = self._visitor
        with ui.element("div").classes("vb-row"):
            if visitor.may(Right.CONTROL_CALLS):
                listens = self._heard == call.call_id
                ui.button(
                    visitor.t("live.stop_listening" if listens else "live.listen"),
                    icon="hearing",
                    on_click=lambda: self._listen(call),
                ).props("dense no-caps outline")
                if call.delivery is Delivery.SUGGEST:
                    ui.button(
                        visitor.t("live.whisper"),
                        icon="record_voice_over",
                        on_click=visitor.guarded(lambda: self._whisper(call)),
                    ).props("dense no-caps outline")
                elif call.state == "answered" and call.stage not in WAITING:
                    ui.button(
                        visitor.t("live.take_over"),
                        icon="support_agent",
                        on_click=visitor.guarded(lambda: self._take_over(call)),
                    ).props("dense no-caps outline")
                ui.button(
                    visitor.t("agent.hang_up"),
                    icon="call_end",
                    color="negative",
                    on_click=visitor.guarded(lambda: self._hang_up(call)),
                ).props("dense no-caps outline")
            ui.button(
                icon="open_in_new", on_click=lambda: ui.navigate.to(f"/calls/{call.call_id}", new_tab=True)
            ).props(f'dense flat aria-label="{visitor.t("live.open")}"')
            if visitor.may(Right.GRADE) and call.turn is not None:
                turn = call.turn
                for grade in Grade:
                    ui.button(
                        grade.value,
                        on_click=visitor.guarded(lambda grade=grade: self._grade(turn, grade)),
                    ).props(f'dense flat aria-label="{visitor.t("live.grade", grade=grade.value)}"')

    def _listen(self, call: LiveCall) -> None:
        if self._heard == call.call_id:
            self._heard = ""
            ui.run_javascript("voicebot.stop()")
        else:
            self._heard = call.call_id
            ui.run_javascript(f"voicebot.listen('/live/{call.call_id}/sound')")
        self._body.refresh()

    async def _take_over(self, call: LiveCall) -> None:
        """Hand the call to an agent who is ready; a supervisor who is one takes it in person."""
        visitor, now = self._visitor, await self._visitor.query(time_of)
        mine = await visitor.query(lambda session: AgentRepository(session).get(visitor.user.name))
        me = mine.id if mine is not None and mine.state(now).value == "ready" else ""
        await visitor.act(
            Right.CONTROL_CALLS, "take_over", f"call:{call.call_id}", lambda session: None, agent=me
        )
        await self._line(call).take_over(call.call_id, me)
        ui.notify(visitor.t("live.handing_over"))

    async def _whisper(self, call: LiveCall) -> None:
        """Ring the supervisor's own phone: it hears both, and only the agent hears it."""
        visitor = self._visitor
        phone = visitor.user.extension
        if not phone:
            raise TelephonyError("you have no phone (SIP address)", hint="save it under “My account”")
        await visitor.act(Right.CONTROL_CALLS, "whisper", f"call:{call.call_id}", lambda session: None)
        await self._line(call).whisper(call.call_id, phone)
        ui.notify(visitor.t("live.whispering"))

    async def _hang_up(self, call: LiveCall) -> None:
        await self._visitor.act(Right.CONTROL_CALLS, "hang_up", f"call:{call.call_id}", lambda session: None)
        await self._line(call).hang_up(call.call_id)

    async def _grade(self, turn: Turn, grade: Grade) -> None:
        visitor, now = self._visitor, datetime.now(UTC)
        better = ""
        if grade in (Grade.FAIR, Grade.POOR):
            chosen = await self._better(turn)
            if chosen is None:
                return
            better = chosen
        await visitor.act(
            Right.GRADE,
            "grade_turn",
            f"call:{turn.call_id}",
            lambda session: FeedbackRepository(session).graded(
                turn.call_id,
                turn.seq,
                turn.delivered.script_id if turn.delivered is not None else turn.decision.script_id,
                grade,
                visitor.user.name,
                now,
                better_script_id=better,
            ),
            grade=grade.value,
        )
        ui.notify(visitor.t("agent.noted"), type="positive")

    async def _better(self, turn: Turn) -> str | None:
        """Ask which script would have been better; the ranker's candidates come first. "" = none named."""
        visitor = self._visitor
        listed = {"": visitor.t("live.no_better")}
        listed |= {one.script_id: one.script_id for one in turn.decision.candidates}
        for name in visitor.house.playbooks.ids():
            book = visitor.house.playbooks.get(name)
            if book.version == turn.decision.playbook_version:
                texts = {script.id: f"{script.id} · {script.text[:24]}" for script in book.scripts.values()}
                listed = {key: texts.get(key, text) for key, text in listed.items()} | texts
        with ui.dialog() as dialog, ui.card().classes("vb-card"):
            field = ui.select(listed, value="", label=visitor.t("live.better"), with_input=True)
            field.classes("full-width")
            with ui.element("div").classes("vb-row"):
                ui.button(visitor.t("frame.save"), on_click=lambda: dialog.submit(field.value or ""))
                ui.button(visitor.t("frame.cancel"), on_click=dialog.close).props("flat")
        answer = await dialog
        return str(answer) if answer is not None else None

    def _line(self, call: LiveCall) -> LineClient:
        line = self._live.line(call.call_id)
        if line is None:
            raise TelephonyError("this call is over")
        return line
