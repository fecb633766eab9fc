"""The rehearsal of a campaign: simulated customers first, then one's own phone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from nicegui import ui

from voicebot.console.visitor import Visitor
from voicebot.console.widgets import badge, badged, heading, linked, quiet, table, tone, when
from voicebot.domain.campaign import Campaign
from voicebot.domain.users import Right
from voicebot.service import rehearsal
from voicebot.simulate.personas import Persona
from voicebot.store.campaigns import CampaignRepository, Progress
from voicebot.store.outcomes import CallOutcome, OutcomeFilter, OutcomeRepository
from voicebot.store.session import Transaction

NEWEST = 5


@dataclass(frozen=True, slots=True)
class Shown:
    """The rehearsals of a campaign, the newest first."""

    rehearsals: tuple[tuple[Campaign, Progress], ...]
    calls: tuple[CallOutcome, ...]  # of the newest


def shown(session: Transaction, campaign: Campaign) -> Shown:
    """Read the rehearsals of a campaign."""
    campaigns = CampaignRepository(session)
    found = campaigns.rehearsals(campaign.id)[:NEWEST]
    calls = OutcomeRepository(session).find(OutcomeFilter(found[0].id, limit=50)) if found else ()
    return Shown(tuple(campaigns.with_progress(found)), tuple(calls))


class Card:
    """The card of both steps, and of what came of the newest rehearsal."""

    def __init__(self, visitor: Visitor, campaign: Campaign, state: Shown) -> None:
        """Draw it. What is typed stays when `update` shows news."""
        self._visitor = visitor
        self._campaign = campaign
        self._state = state
        self._own: ui.button | None = None
        t = visitor.t
        with ui.card().classes("vb-card"):
            heading(t("rehearsal.title"), 2)
            quiet(t("rehearsal.note"))
            if visitor.may(Right.TRY_BOT) and visitor.may(Right.RUN_CAMPAIGNS):
                with ui.element("div").classes("vb-grid"):
                    self._on_customers()
                    self._on_own_phone()
            self._newest()

    def update(self, state: Shown) -> None:
        """Show how it goes."""
        if state == self._state:
            return
        self._state = state
        if self._own is not None:
            self._own.set_enabled(self._ready)
        self._newest.refresh()

    @property
    def _ready(self) -> bool:
        """Whether simulated customers were called: oneself comes after them."""
        return any(progress.attempts for _, progress in self._state.rehearsals)

    def _on_customers(self) -> None:
        visitor, t = self._visitor, self._visitor.t
        people = {person.id: person.title for person in rehearsal.customers()}
        with ui.element("div"):
            ui.label(t("rehearsal.step_customers")).classes("vb-subtitle")
            chosen = ui.select(
                people, value=list(rehearsal.QUICK), multiple=True, label=t("rehearsal.customers")
            )
            chosen.props("use-chips").classes("full-width")

            async def start() -> None:
                await self._allowed()
                ids, actor = list(chosen.value or ()), visitor.user.name
                await visitor.house.rehearsals.on_customers(self._campaign, ids, actor)
                ui.notify(t("rehearsal.started"), type="positive")

            button = ui.button(t("rehearsal.start"), icon="groups", on_click=visitor.guarded(start))
            button.props("outline")

    def _on_own_phone(self) -> None:
        visitor, t = self._visitor, self._visitor.t
        with ui.element("div"):
            ui.label(t("rehearsal.step_own")).classes("vb-subtitle")
            number = ui.input(t("rehearsal.own_number"), placeholder="13800138000").classes("full-width")

            async def start() -> None:
                await self._allowed()
                given, actor = number.value or "", visitor.user.name
                await visitor.house.rehearsals.on_own_phone(self._campaign, given, actor)
                ui.notify(t("rehearsal.started"), type="positive")

            self._own = ui.button(
                t("rehearsal.call_me"), icon="phone_forwarded", on_click=visitor.guarded(start)
            )
            self._own.props("outline").set_enabled(self._ready)
            quiet(t("rehearsal.own_note"))

    async def _allowed(self) -> None:
        for right in (Right.TRY_BOT, Right.RUN_CAMPAIGNS):
            await self._visitor.require(right)

    @ui.refreshable_method
    def _newest(self) -> None:
        visitor, state = self._visitor, self._state
        if not state.rehearsals:
            return
        newest, progress = state.rehearsals[0]
        with ui.element("div").classes("vb-row"):
            ui.link(newest.name, f"/campaigns/{newest.id}").classes("vb-subtitle")
            badge(visitor, "campaign_status", newest.status.value)
            quiet(f"{len(state.calls)} / {progress.contacts}").props("role=status")
        people = {person.number: person for person in rehearsal.customers()}
        rows = [_row(visitor, call, people) for call in state.calls]
        if rows:
            columns = ("at", "who", "disposition", "verdict", "reasons")
            drawn = table([(key, visitor.t(f"rehearsal.{key}")) for key in columns], rows)
            linked(drawn, "at", "/calls/:key")
            badged(drawn, "disposition", "tone")
            badged(drawn, "verdict", "verdict_tone")
        for one, done in state.rehearsals[1:]:
            with ui.element("div").classes("vb-row"):
                ui.link(one.name, f"/campaigns/{one.id}")
                quiet(f"{done.attempts} / {done.contacts}")


def _row(visitor: Visitor, call: CallOutcome, people: Mapping[str, Persona]) -> dict[str, object]:
    person = people.get(call.number[-4:]) if call.number.startswith("+999") else None
    verdict = ""
    if person is not None and person.expect:
        verdict = "as_expected" if call.disposition in person.expect else "look"
    return {
        "id": call.call_id,
        "at": when(visitor, call.at, seconds=True),
        "who": person.title if person else call.number,
        "disposition": visitor.known("disposition", call.disposition),
        "tone": tone(call.disposition),
        "verdict": visitor.t(f"rehearsal.{verdict}") if verdict else "",
        "verdict_tone": "good" if verdict == "as_expected" else "warn",
        "reasons": "；".join(call.reasons),
    }
