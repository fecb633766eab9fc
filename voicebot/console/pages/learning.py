"""Learning: retrainings, the candidates they made, and how models that became live do."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from nicegui import ui

from voicebot.console.frame import Pages
from voicebot.console.visitor import Visitor
from voicebot.console.widgets import badged, heading, percent, quiet, table, when
from voicebot.domain.learning import ModelState, ModelVersion, Training, TrainingState
from voicebot.domain.users import Right
from voicebot.learning.promote import FEWEST
from voicebot.service import model_registry
from voicebot.service.model_registry import RANKER
from voicebot.service.watching import Watched, watched
from voicebot.store.model_versions import ModelVersionRepository
from voicebot.store.session import Transaction
from voicebot.store.trainings import OPEN, TrainingRepository

EVERY_S = 3.0  # while a training is under way
NEWEST = 12
_TONES = {
    TrainingState.PROMOTED: "good", TrainingState.CANDIDATE: "info", TrainingState.RUNNING: "warn",
    TrainingState.FAILED: "bad",
}  # fmt: skip


def register(pages: Pages) -> None:
    """Register the page."""

    @pages.page("/learning", "learning", right=Right.TRAIN, icon="school")
    async def learning(visitor: Visitor) -> None:
        t = visitor.t
        heading(t("nav.learning"))
        quiet(t("learning.note"))
        desk = Desk(visitor)
        await desk.read()
        desk.draw()
        now = datetime.now(UTC)
        house = visitor.house
        found = await asyncio.to_thread(watched, house.settings, house.database, now)
        if found:
            heading(t("learning.watch"), 2)
        for one in found:
            _watch(visitor, one)


class Desk:
    """Trainings and versions on one open page."""

    def __init__(self, visitor: Visitor) -> None:
        """Begin without anything; see `read`."""
        self._visitor = visitor
        self._trainings: Sequence[Training] = ()
        self._models: Sequence[ModelVersion] = ()
        self._new: dict[str, int] = {}
        self._client = ui.context.client  # a handler may outlive the button that it belongs to

    async def read(self) -> None:
        """Read trainings, new samples and versions."""

        def work(session: Transaction) -> tuple[list[Training], dict[str, int], list[ModelVersion]]:
            trainings = TrainingRepository(session)
            states = (ModelState.CANDIDATE, ModelState.LIVE, ModelState.RETIRED, ModelState.SHIPPED)
            models = ModelVersionRepository(session).all(RANKER, states)
            return trainings.latest(limit=NEWEST), trainings.new_samples(), models

        self._trainings, self._new, self._models = await self._visitor.query(work)

    def draw(self) -> None:
        """Draw the page; it follows a training that is under way."""
        self._ask()
        self._progress()
        self._versions()
        ui.timer(EVERY_S, self._follow)

    async def _follow(self) -> None:
        # what is read by a person is not drawn anew without need: a button must not move under the hand
        if any(one.state in OPEN for one in self._trainings):
            before = self._trainings, self._models
            await self.read()
            if self._trainings != before[0]:
                self._progress.refresh()
            if self._models != before[1]:
                self._versions.refresh()

    def _ask(self) -> None:
        visitor, t = self._visitor, self._visitor.t

        async def ask() -> None:
            playbook, now = str(chosen.value), datetime.now(UTC)
            await visitor.act(
                Right.TRAIN,
                "train",
                f"playbook:{playbook}",
                lambda session: TrainingRepository(session).ask(
                    playbook, visitor.user.name, now, promote=bool(promote.value)
                ),
            )
            await self.read()
            self._progress.refresh()

        with ui.card().classes("vb-card"):
            heading(t("learning.retrain"), 2)
            source = visitor.house.playbooks
            books = {name: source.get(name).title for name in source.ids()}
            with ui.element("div").classes("vb-form"):
                chosen = ui.select(books, value=next(iter(books), None), label=t("learning.playbook"))
                promote = ui.checkbox(t("learning.promote_if_better"))
            ui.button(t("learning.start"), icon="school", on_click=visitor.guarded(ask))

    @ui.refreshable_method
    def _progress(self) -> None:
        t = self._visitor.t
        for playbook, count in self._new.items():
            quiet(t("learning.new", playbook=playbook, count=count))
        if self._trainings:
            columns = [
                (key, t(f"learning.{key}")) for key in ("asked", "playbook", "by", "state", "told", "model")
            ]
            badged(table(columns, [self._training(one) for one in self._trainings]), "state", "tone")
        else:
            quiet(t("learning.none"))

    @ui.refreshable_method
    def _versions(self) -> None:
        t = self._visitor.t
        heading(t("learning.versions"), 2)
        if not self._models:
            quiet(t("learning.not_registered"))
        for model in self._models:
            self._model(model)

    def _training(self, one: Training) -> dict[str, object]:
        visitor = self._visitor
        return {
            "id": one.id,
            "asked": when(visitor, one.asked_at),
            "playbook": one.playbook_id,
            "by": one.asked_by,
            "state": visitor.t(f"learning.state_{one.state.value}"),
            "tone": _TONES.get(one.state, "plain"),
            "told": one.step or one.error or _gain(visitor, one),
            "model": one.model,
        }

    def _model(self, model: ModelVersion) -> None:
        visitor, t = self._visitor, self._visitor.t
        label = f"{model.name}-{model.version}"
        with ui.card().classes("vb-card"):
            with ui.element("div").classes("vb-row"):
                heading(label, 3)
                ui.label(t(f"learning.model_{model.state.value}")).classes("vb-badge vb-badge-info")
                ui.space()
                if model.state in (ModelState.CANDIDATE, ModelState.RETIRED):
                    ui.button(
                        t("learning.promote"),
                        on_click=visitor.guarded(lambda: self._move(model, live=True)),
                    ).props(f'flat dense no-caps aria-label="{t("learning.promote")} {label}"')
                if model.state is ModelState.LIVE:
                    ui.button(
                        t("learning.rollback"),
                        on_click=visitor.guarded(lambda: self._move(model, live=False)),
                    ).props(f'flat dense no-caps aria-label="{t("learning.rollback")} {label}"')
            data = model.manifest.get("data") or {}
            figures = model.manifest.get("metrics") or {}
            quiet(
                " · ".join(
                    [
                        *(f"{name} {value}" for name, value in data.items()),
                        *(
                            f"{visitor.known('learning', name)} {value:.3f}"
                            for name, value in figures.items()
                            if "r_at_1" in name
                        ),
                    ]
                )
            )
            quiet(f"{when(visitor, model.changed_at)} {model.actor} {model.why}")

    async def _move(self, model: ModelVersion, *, live: bool) -> None:
        visitor, now = self._visitor, datetime.now(UTC)
        await visitor.require(Right.TRAIN)
        settings, database, name = visitor.house.settings, visitor.house.database, visitor.user.name

        def work() -> None:
            if live:
                model_registry.promote(settings, database, model.name, model.version, now, name, "")
            else:
                model_registry.roll_back(settings, database, model.name, now, name, "", version=model.version)

        await asyncio.to_thread(work)
        await self.read()
        self._versions.refresh()
        with self._client:
            ui.notify(visitor.t("learning.moved"), type="positive")


def _gain(visitor: Visitor, one: Training) -> str:
    found = one.comparison
    if not found:
        return ""
    gain = f"{found['difference']:+.3f} ({found['low']:+.3f} – {found['high']:+.3f})"
    why = visitor.t(f"learning.why_{verdict_of(found)}", fewest=FEWEST)
    return visitor.t("learning.gain", gain=gain, cases=found["cases"], why=why)


def verdict_of(found: Mapping[str, Any]) -> str:
    """Return why a candidate is better than the live model, or is not."""
    if found["promote"]:
        return "better"
    if found["cases"] < FEWEST:
        return "few"
    return "same" if found["low"] <= 0 else "group"


def _watch(visitor: Visitor, one: Watched) -> None:
    t = visitor.t
    quiet(
        t(
            "learning.live_since",
            model=f"{one.version.name}-{one.version.version}",
            playbook=one.playbook_id,
            at=when(visitor, one.version.changed_at),
        )
    )
    rows = [
        {
            "id": guard.name,
            "guard": t(f"learning.guard_{guard.name}"),
            "now": f"{percent(*guard.now)} / {guard.now[1]}",
            "before": f"{percent(*guard.before)} / {guard.before[1]}",
            "verdict": t("learning.worse" if guard.worse else "learning.good"),
            "tone": "bad" if guard.worse else "good",
        }
        for guard in one.guards
    ]
    columns = [(key, t(f"learning.{key}")) for key in ("guard", "now", "before", "verdict")]
    badged(table(columns, rows), "verdict", "tone")
