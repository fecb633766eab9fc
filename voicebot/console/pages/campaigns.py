"""Campaigns: the list, and a short form for a new one."""

from __future__ import annotations

from nicegui import ui

from voicebot.console.campaign_desk import edited, made
from voicebot.console.frame import Pages
from voicebot.console.pages.campaign_form import campaign_form
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
        house, actor = visitor.house, visitor.user.name
        await campaign_form(visitor, None, "make", lambda wish: made(house, wish, actor))

    @pages.page("/campaigns/{campaign_id}/edit", "edit_campaign", right=Right.RUN_CAMPAIGNS)
    async def edit(visitor: Visitor, campaign_id: str) -> None:
        found = await visitor.query(lambda session: CampaignRepository(session).find(campaign_id))
        house, actor = visitor.house, visitor.user.name
        heading(f"{visitor.t('nav.edit_campaign')} · {found.name}")
        await campaign_form(visitor, found, "save", lambda wish: edited(house, found.id, wish, actor))


async def _list(visitor: Visitor) -> None:
    async def read() -> list[tuple[Campaign, Progress]]:
        def work(session: Transaction) -> list[tuple[Campaign, Progress]]:
            found = CampaignRepository(session)
            return found.with_progress(found.page(limit=SHOWN))

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
