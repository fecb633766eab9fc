"""Preview on the agent's screen: a customer is looked at before the call, and then called or passed by."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from nicegui import ui

from voicebot.campaign import preview
from voicebot.campaign.preview import Offer
from voicebot.console.visitor import Visitor
from voicebot.console.widgets import badge, heading, quiet, when
from voicebot.domain.campaign import Campaign, CampaignStatus, Mode
from voicebot.domain.errors import CampaignError, VoicebotError
from voicebot.domain.users import Right
from voicebot.store.campaigns import CampaignRepository
from voicebot.store.session import time_of

REASONS = ("later", "wrong_data", "not_fit", "other")
NEWEST = 3  # earlier calls that are shown


class Preview:
    """The card of the next customer; nothing where no preview campaign runs. Drawn while no call is live."""

    def __init__(self, visitor: Visitor, ready: Callable[[], bool]) -> None:
        """Take what tells whether the agent is switched to ready."""
        self._visitor = visitor
        self._ready = ready
        self._campaigns: list[Campaign] = []
        self._chosen = ""
        self._offer: Offer | None = None
        self._told = ""  # what the card says instead of an offer
        self._dialled = False

    async def look(self) -> bool:
        """Read which campaigns run; return whether they are others than before."""
        found = await self._visitor.query(
            lambda session: CampaignRepository(session).all(CampaignStatus.RUNNING, rehearsals=False)
        )
        running = [one for one in found if one.mode is Mode.PREVIEW]
        changed = [one.id for one in running] != [one.id for one in self._campaigns]
        self._campaigns = running
        if self._chosen not in {one.id for one in running}:
            self._chosen = running[-1].id if running else ""
            self._offer = None
        return changed

    def called(self) -> None:
        """Forget the customer: the call has come."""
        self._offer, self._dialled, self._told = None, False, ""

    def draw(self) -> None:
        """Draw the card where the caller stands."""
        with ui.element("div").style("width: 100%"):
            self._card()

    @ui.refreshable_method
    def _card(self) -> None:
        if not self._campaigns:
            return
        visitor = self._visitor
        with ui.card().classes("vb-card").props("aria-live=polite data-preview"):
            heading(visitor.t("preview.title"), 2)
            if self._offer is None:
                self._next()
            else:
                self._customer(self._offer)

    def _next(self) -> None:
        visitor = self._visitor
        if self._told:
            ui.label(visitor.t(self._told))
        with ui.element("div").classes("vb-row"):
            if len(self._campaigns) > 1:
                names = {one.id: one.name for one in self._campaigns}
                chosen = ui.select(names, value=self._chosen, label=visitor.t("outcomes.campaign"))
                chosen.on_value_change(lambda event: setattr(self, "_chosen", event.value))
                chosen.style("min-width: 14rem")
            ui.button(
                visitor.t("preview.next"), icon="person_search", on_click=visitor.guarded(self._find)
            ).props("outline")

    def _customer(self, offer: Offer) -> None:
        visitor, t = self._visitor, self._visitor.t
        with ui.element("div").classes("vb-row"):
            ui.label(offer.number_masked).classes("vb-subtitle")
            quiet(offer.campaign)
            quiet(t("preview.their_time", time=_local(offer.zone)))
        with ui.element("dl").classes("vb-facts"):
            for name, value in offer.slots.items():
                with ui.element("div"):
                    with ui.element("dt"):
                        quiet(visitor.known("slot", name))
                    with ui.element("dd"):
                        ui.label(value or "–")
        quiet(t("preview.attempts", count=offer.attempts))
        for call in reversed(offer.calls[-NEWEST:]):
            with ui.element("div").classes("vb-row"):
                quiet(when(visitor, call.at))
                if call.disposition:
                    badge(visitor, "disposition", call.disposition)
                else:
                    quiet(visitor.known("cause", call.cause))
        if self._dialled:
            ui.label(t("preview.dialled")).classes("vb-good").props("role=status")
            return
        with ui.element("div").classes("vb-row"):
            ui.button(t("preview.dial"), icon="call", on_click=visitor.guarded(self._dial))
            ui.button(t("preview.skip"), icon="skip_next", on_click=visitor.guarded(self._skip)).props("flat")
            quiet(t("preview.until", at=when(visitor, offer.until)[-5:]))

    async def _find(self) -> None:
        visitor, house = self._visitor, self._visitor.house
        await visitor.require(Right.TAKE_CALLS)
        now = await visitor.query(time_of)
        self._offer = await asyncio.to_thread(
            preview.offer, house.database, house.vault, self._chosen, visitor.user.name, now
        )
        self._told = "" if self._offer else "preview.nobody"
        self._card.refresh()

    async def _dial(self) -> None:
        offer = self._offer
        if offer is None:
            return
        if not self._ready():
            raise CampaignError("you are not ready", hint="switch on “Ready to take calls” first")
        await self._answer(offer, preview.dial)
        self._dialled = True
        self._card.refresh()

    async def _skip(self) -> None:
        offer = self._offer
        why = await self._why()
        if offer is None or why is None:
            return
        await self._answer(offer, preview.skip, why)
        await self._find()

    async def _answer(self, offer: Offer, deed: Callable[..., None], *more: str) -> None:
        visitor, house = self._visitor, self._visitor.house
        await visitor.require(Right.TAKE_CALLS)
        name, now = visitor.user.name, await visitor.query(time_of)
        try:
            await asyncio.to_thread(deed, house.database, house.vault, offer.contact_id, name, now, *more)
        except VoicebotError:
            self._offer = None  # somebody else's by now: look anew
            self._card.refresh()
            raise

    async def _why(self) -> str | None:
        """Return why the customer is passed by; None = not passed by after all."""
        t = self._visitor.t
        with ui.dialog() as dialog, ui.card().classes("vb-card"):
            heading(t("preview.skip_why"), 2)
            reasons = {t(f"preview.why_{key}"): t(f"preview.why_{key}") for key in REASONS}
            field = ui.radio(reasons, value=next(iter(reasons)))
            more = ui.input(t("preview.skip_more")).classes("full-width")
            with ui.element("div").classes("vb-row"):
                ui.button(
                    t("preview.skip"),
                    on_click=lambda: dialog.submit("：".join(filter(None, (field.value, more.value)))),
                )
                ui.button(t("frame.cancel"), on_click=dialog.close).props("flat")
        answer = await dialog
        return str(answer) if answer is not None else None


def _local(zone: str) -> str:
    try:
        return f"{datetime.now(ZoneInfo(zone)):%H:%M}"
    except (ZoneInfoNotFoundError, ValueError):
        return "–"
