"""Try it: talk to the bot through the browser's microphone, and see what it understands."""

from __future__ import annotations

from nicegui import ui

from voicebot.console.frame import Pages
from voicebot.console.pages.call_turn import draw_turn
from voicebot.console.trials import Trial
from voicebot.console.visitor import Visitor
from voicebot.console.widgets import badge, heading, quiet
from voicebot.domain.errors import DataError
from voicebot.domain.users import Right
from voicebot.store.calls import turn_columns

LOOK_S = 0.3
ASKING_S = 90.0  # a browser asks its user, who thinks
_MICROPHONE = {  # what talk.js finds -> what to do
    "insecure": "browsers open the microphone only on pages by https, or at http://localhost",
    "refused": "allow this site to use the microphone, by the browser's address bar",
    "missing": "plug in a headset and try again",
}


def register(pages: Pages) -> None:
    """Register the page."""

    @pages.page("/try", "try", right=Right.TRY_BOT, icon="mic")
    async def try_it(visitor: Visitor) -> None:
        ui.add_head_html('<script src="/static/talk.js"></script>')
        heading(visitor.t("nav.try"))
        quiet(visitor.t("trial.note"))
        Talk(visitor).draw()


class Talk:
    """One open page."""

    def __init__(self, visitor: Visitor) -> None:
        """Begin without a talk."""
        self._visitor = visitor
        self._trial: Trial | None = None
        self._seen = (-1, 0)

    def draw(self) -> None:
        """Draw the page."""
        t, house = self._visitor.t, self._visitor.house
        books = {name: house.playbooks.get(name).title for name in house.playbooks.ids()}
        asked = self._visitor.asked.get("playbook", "")
        with ui.card().classes("vb-card"):
            with ui.element("div").classes("vb-row"):
                book = ui.select(
                    books,
                    value=asked if asked in books else next(iter(books), None),
                    label=t("campaigns.playbook"),
                ).style("min-width: min(100%, 18rem)")

                async def start() -> None:
                    self._begin.props("loading")
                    try:
                        await self._start(str(book.value or ""))
                    finally:
                        self._begin.props(remove="loading")

                self._begin = ui.button(t("trial.start"), icon="call", on_click=self._visitor.guarded(start))
                self._end = ui.button(
                    t("agent.hang_up"), icon="call_end", color="negative", on_click=self._hang_up
                )
                self._end.set_visibility(False)
            with ui.element("div").classes("vb-row"):
                quiet(t("trial.level"))
                ui.html('<meter id="vb-level" min="0" max="1"></meter>', sanitize=False)
        self._body()
        ui.timer(LOOK_S, self._again)

    async def _start(self, playbook_id: str) -> None:
        visitor = self._visitor
        problem = await ui.run_javascript("vbTalk.microphone()", timeout=ASKING_S)
        if problem:
            raise DataError("no microphone can be used", hint=_MICROPHONE[problem])
        try:
            await visitor.act(Right.TRY_BOT, "try_bot", f"playbook:{playbook_id}", lambda session: None)
            self._trial = await visitor.house.trials.begin(visitor.user, playbook_id)
        except BaseException:
            ui.run_javascript("vbTalk.stop()")
            raise
        ui.run_javascript(f"vbTalk.talk('/try/{self._trial.request.call_id}/sound')")

    def _hang_up(self) -> None:
        ui.run_javascript("vbTalk.stop()")

    def _again(self) -> None:
        trial = self._trial
        if trial is None or self._seen == (trial.version, len(trial.turns)):
            return
        self._seen = (trial.version, len(trial.turns))
        self._begin.set_visibility(trial.over)
        self._end.set_visibility(not trial.over)
        self._body.refresh()
        ui.run_javascript("window.scrollTo(0, document.body.scrollHeight)")

    @ui.refreshable_method
    def _body(self) -> None:
        trial, t = self._trial, self._visitor.t
        if trial is None:
            return
        with ui.card().classes("vb-card"):
            with ui.element("div").classes("vb-row").props("role=status"):
                ui.label(t(f"trial.{trial.state}")).classes("vb-subtitle")
                self._result(trial)
            if trial.error is not None:
                ui.label("  ".join(self._visitor.worded(trial.error))).classes("vb-bad")
            for turn in trial.turns:
                draw_turn(self._visitor, turn_columns(turn), playable=False)

    def _result(self, trial: Trial) -> None:
        if trial.record is None:
            return
        badge(self._visitor, "disposition", trial.record.outcome.disposition.value)
        badge(self._visitor, "intent", trial.record.outcome.intent_level.value)
        if self._visitor.may(Right.SEE_CALLS):
            ui.link(self._visitor.t("trial.details"), f"/calls/{trial.request.call_id}")
