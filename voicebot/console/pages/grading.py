"""Grading: the turns that teach most, one after the other, a few seconds each."""

from __future__ import annotations

import html
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from nicegui import events, ui

from voicebot.console.frame import Pages
from voicebot.console.visitor import Visitor
from voicebot.console.widgets import badge, heading, quiet
from voicebot.domain.errors import PlaybookError
from voicebot.domain.people import Grade
from voicebot.domain.users import Right
from voicebot.service import grading
from voicebot.store.grading import Doubtful
from voicebot.store.outcomes import OutcomeRepository
from voicebot.store.session import Transaction

SINCE = timedelta(days=7)
AHEAD = 50  # turns read at once
BETTER = 5  # scripts offered by keys
AROUND_S = 0.3  # heard around the words
_MARKS = dict(zip("1234", Grade, strict=True))
_ASK_BETTER = (Grade.FAIR, Grade.POOR)
_TONES = dict(zip(Grade, ("positive", "primary", "warning", "negative"), strict=True))


@dataclass(frozen=True, slots=True)
class Case:
    """A turn to be graded, with what was said before it."""

    turn: Doubtful
    before: str  # the bot's words that the customer answered
    texts: dict[str, str]  # of the playbook's scripts


def register(pages: Pages) -> None:
    """Register the page."""

    @pages.page("/grading", "grading", right=Right.GRADE, icon="grading")
    async def grade(visitor: Visitor) -> None:
        heading(visitor.t("nav.grading"))
        quiet(visitor.t("grading.note"))
        desk = Desk(visitor)
        await desk.fill()
        desk.draw()


def _player(turn: Doubtful) -> str:
    """Return a player that says the customer's words."""
    stretch = f"{max(0.0, turn.start_s - AROUND_S):.1f},{turn.end_s + AROUND_S:.1f}"
    source = html.escape(f"/recordings/{turn.call_id}.wav#t={stretch}")
    return f'<audio controls autoplay preload="auto" src="{source}"></audio>'


class Desk:
    """One open page."""

    def __init__(self, visitor: Visitor) -> None:
        """Begin without turns; see `fill`."""
        self._visitor = visitor
        self._waiting: list[Doubtful] = []
        self._left: set[tuple[str, int]] = set()  # skipped
        self._case: Case | None = None
        self._mark: Grade | None = None  # chosen; the better script is asked for
        self._done = 0

    def draw(self) -> None:
        """Draw the page, and listen to keys."""
        self._body()
        ui.keyboard(self._key, ignore=["input", "select", "textarea"], repeating=False)

    async def fill(self) -> None:
        """Take the next turn, and more of them from the database when none is left."""
        self._mark = None
        since = datetime.now(UTC) - SINCE

        def work(session: Transaction) -> Case | None:
            if not self._waiting:
                found = grading.queue(session, since, AHEAD + len(self._left))
                self._waiting = [one for one in found if (one.call_id, one.seq) not in self._left]
            if not self._waiting:
                return None
            turn = self._waiting.pop(0)
            turns = OutcomeRepository(session).call(turn.call_id).turns
            said = [one["script_text"] for one in turns if one["seq"] < turn.seq and one["script_text"]]
            return Case(turn, said[-1] if said else "", self._texts(turn.playbook_id))

        self._case = await self._visitor.query(work)

    def _texts(self, playbook_id: str) -> dict[str, str]:
        try:
            playbook = self._visitor.house.playbooks.get(playbook_id)
        except PlaybookError:  # it was removed since: its scripts are known by their ids
            return {}
        return {script.id: script.text for script in playbook.scripts.values()}

    @ui.refreshable_method
    def _body(self) -> None:
        case, t = self._case, self._visitor.t
        if self._done:
            quiet(t("grading.done", count=self._done)).props("role=status")
        if case is None:
            with ui.card().classes("vb-card"):
                ui.label(t("grading.empty")).classes("vb-subtitle")
            return
        turn = case.turn
        with ui.card().classes("vb-card"):
            with ui.element("div").classes("vb-row"):
                for why in turn.why:
                    ui.label(t(f"grading.{why}")).classes("vb-badge vb-badge-warn")
                quiet(t("grading.left", count=len(self._waiting) + 1))
                ui.space()
                if self._visitor.may(Right.SEE_CALLS):
                    ui.link(t("grading.whole"), f"/calls/{turn.call_id}", new_tab=True)
            self._talk(case)
            if self._mark is None:
                self._marks()
            else:
                self._better(case)

    def _talk(self, case: Case) -> None:
        t, turn = self._visitor.t, case.turn
        if case.before:
            with ui.element("div").classes("vb-bubble vb-bot"):
                quiet(t("call.bot"))
                ui.label(case.before)
        with ui.element("div").classes("vb-bubble vb-customer"):
            with ui.element("div").classes("vb-row"):
                quiet(t("call.customer"))
                badge(self._visitor, "emotion", turn.emotion)
            ui.label(turn.customer_text).classes("vb-title")
            if turn.recording and self._visitor.may(Right.HEAR_CALLS):
                ui.html(_player(turn), sanitize=False)
        with ui.element("div").classes("vb-bubble vb-bot vb-judged"):
            quiet(f"{t('grading.answer')} · {turn.script_id} · {turn.probability:.2f}")
            ui.label(turn.script_text).classes("vb-title")

    def _marks(self) -> None:
        t = self._visitor.t
        with ui.element("div").classes("vb-row"):
            for key, mark in _MARKS.items():
                ui.button(
                    f"{key} {mark.value} {t(f'grading.mark_{mark.name.lower()}')}",
                    color=_TONES[mark],
                    on_click=self._visitor.guarded(lambda mark=mark: self._chosen(mark)),
                ).props("no-caps")
            ui.button(f"0 {t('grading.skip')}", on_click=self._visitor.guarded(self._skip)).props(
                "flat no-caps"
            )

    def _better(self, case: Case) -> None:
        t = self._visitor.t
        ui.label(t("live.better")).classes("vb-subtitle")
        for key, script in enumerate(self._offered(case), 1):
            ui.button(
                f"{key} {case.texts.get(script, script)}",
                on_click=self._visitor.guarded(lambda script=script: self._save(script)),
            ).props("no-caps outline align=left").classes("full-width")
        others = {name: f"{name} · {text}" for name, text in case.texts.items()}
        if others:
            field = ui.select(others, label=t("grading.other"), with_input=True).classes("full-width")
            field.on_value_change(self._visitor.guarded(lambda: self._save(str(field.value or ""))))
        ui.button(f"0 {t('live.no_better')}", on_click=self._visitor.guarded(lambda: self._save(""))).props(
            "flat no-caps"
        )

    def _offered(self, case: Case) -> list[str]:
        found = [name for name, _ in case.turn.candidates if name != case.turn.script_id]
        return found[:BETTER]

    async def _key(self, event: events.KeyEventArguments) -> None:
        pressed = event.key.name
        if self._case is None or not event.action.keydown or not pressed.isdigit():
            return
        if self._mark is None:
            if pressed == "0":
                await self._visitor.guarded(self._skip)()
            elif pressed in _MARKS:
                await self._visitor.guarded(lambda: self._chosen(_MARKS[pressed]))()
            return
        offered = self._offered(self._case)
        if int(pressed) <= len(offered):
            script = offered[int(pressed) - 1] if pressed != "0" else ""
            await self._visitor.guarded(lambda: self._save(script))()

    async def _chosen(self, mark: Grade) -> None:
        self._mark = mark
        if mark in _ASK_BETTER:
            self._body.refresh()
        else:
            await self._save("")

    async def _save(self, better: str) -> None:
        case, mark, visitor = self._case, self._mark, self._visitor
        if case is None or mark is None:
            return
        turn = case.turn
        await visitor.act(
            Right.GRADE,
            "grade_turn",
            f"call:{turn.call_id}",
            lambda session: grading.grade(
                session,
                turn.call_id,
                turn.seq,
                mark,
                visitor.user.name,
                datetime.now(UTC),
                better_script_id=better,
            ),
            grade=mark.value,
            seq=turn.seq,
        )
        self._done += 1
        await self.fill()
        self._body.refresh()

    async def _skip(self) -> None:
        if self._case is not None:
            self._left.add((self._case.turn.call_id, self._case.turn.seq))
        await self.fill()
        self._body.refresh()
