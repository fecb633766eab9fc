"""Campaigns: the list, and a short form for a new one."""

from __future__ import annotations

import asyncio

from nicegui import ui

from voicebot.console.campaign_desk import POLICIES, Wish, made
from voicebot.console.frame import Pages
from voicebot.console.pages.home import campaign_line
from voicebot.console.visitor import Visitor
from voicebot.console.widgets import heading, quiet
from voicebot.domain.campaign import Campaign
from voicebot.domain.users import Right
from voicebot.store.campaigns import CampaignRepository, Progress
from voicebot.store.session import Transaction

EVERY_S = 5.0
SHOWN = 50


def register(pages: Pages) -> None:
    """Register the pages."""

    @pages.page("/campaigns", "campaigns", right=Right.SEE_CAMPAIGNS, icon="campaign")
    async def campaigns(visitor: Visitor) -> None:
        with ui.element("div").classes("vb-row"):
            heading(visitor.t("nav.campaigns"))
            ui.space()
            if visitor.may(Right.RUN_CAMPAIGNS):
                ui.button(
                    visitor.t("campaigns.new"),
                    icon="add",
                    on_click=lambda: ui.navigate.to("/campaigns/new"),
                )
        await _list(visitor)

    @pages.page("/campaigns/new", "new_campaign", right=Right.RUN_CAMPAIGNS)
    async def new(visitor: Visitor) -> None:
        heading(visitor.t("nav.new_campaign"))
        _form(visitor)


async def _list(visitor: Visitor) -> None:
    async def read() -> list[tuple[Campaign, Progress]]:
        def work(session: Transaction) -> list[tuple[Campaign, Progress]]:
            found = CampaignRepository(session)
            listed = found.all()[::-1][:SHOWN]
            return [(campaign, found.progress(campaign.id)) for campaign in listed]

        return await visitor.query(work)

    shown = await read()

    @ui.refreshable
    def body() -> None:
        with ui.card().classes("vb-card"):
            if not shown:
                quiet(visitor.t("campaigns.none"))
            for campaign, progress in shown:
                campaign_line(visitor, campaign, progress)

    async def again() -> None:
        nonlocal shown
        fresh = await read()
        if fresh != shown:
            shown = fresh
            body.refresh()

    body()
    ui.timer(EVERY_S, again)


def _form(visitor: Visitor) -> None:
    t, house = visitor.t, visitor.house
    books = {name: house.playbooks.get(name).title for name in house.playbooks.ids()}
    with ui.card().classes("vb-card"):
        with ui.element("div").classes("vb-form"):
            name = ui.input(t("campaigns.name"), placeholder=t("campaigns.name_hint"))
            playbook = ui.select(books, value=next(iter(books), None), label=t("campaigns.playbook"))
            policies = {pack: t(f"campaigns.policy_{pack}") for pack in POLICIES}
            policy = ui.select(policies, value="CN", label=t("campaigns.policy"))
            trunk = ui.input(t("campaigns.trunk"), placeholder="sip:{number}@sbc.example.com")
        with (
            ui.expansion(t("campaigns.more"), icon="tune").classes("full-width"),
            ui.element("div").classes("vb-form"),
        ):
            scope = ui.input(t("campaigns.scope"), value="marketing")
            caller = ui.input(t("campaigns.caller"))
            agents = ui.input(t("campaigns.transfer"), placeholder="sip:agents@pbx.example.com")
            calls = ui.number(t("campaigns.max_calls"), value=3, min=1, max=1000, precision=0)
            attempts = ui.number(t("campaigns.max_attempts"), value=3, min=1, max=20, precision=0)
            ring = ui.number(t("campaigns.ring"), value=40, min=5, max=120, precision=0)
        quiet(t("campaigns.form_note"))

        async def make() -> None:
            wish = Wish(
                name=name.value or "",
                playbook_id=str(playbook.value or ""),
                policy_pack=str(policy.value),
                trunk=(trunk.value or "").strip(),
                scope=(scope.value or "").strip(),
                caller_id=(caller.value or "").strip(),
                transfer_uri=(agents.value or "").strip(),
                max_calls=int(calls.value or 1),
                max_attempts=int(attempts.value or 1),
                ring_timeout_s=float(ring.value or 40),
            )
            await visitor.require(Right.RUN_CAMPAIGNS)
            campaign = await asyncio.to_thread(made, house, wish, visitor.user.name)
            ui.navigate.to(f"/campaigns/{campaign.id}")

        ui.button(t("campaigns.make"), icon="check", on_click=visitor.guarded(make))
