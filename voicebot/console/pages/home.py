"""The first page: how is it going?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from nicegui import ui

from voicebot.console.frame import Pages
from voicebot.console.visitor import Visitor
from voicebot.console.widgets import axis, badge, chart, duration, faint, heading, percent, quiet, tile
from voicebot.domain.campaign import Campaign, CampaignStatus
from voicebot.domain.users import Right
from voicebot.store.campaigns import CampaignRepository, Progress
from voicebot.store.overview import Overview, OverviewRepository
from voicebot.store.session import Transaction
from voicebot.store.workers import LINE, WorkerRepository

EVERY_S = 5.0
UNDER_WAY = (CampaignStatus.RUNNING, CampaignStatus.PAUSED, CampaignStatus.DRAINING)


@dataclass(frozen=True, slots=True)
class State:
    """What the page shows."""

    now: datetime
    start: datetime  # of today
    today: Overview
    before: Overview  # yesterday until the same hour
    workers: int
    busy: int
    capacity: int
    campaigns: tuple[tuple[Campaign, Progress], ...]


def register(pages: Pages) -> None:
    """Register the page."""

    @pages.page("/", "home", right=None, icon="dashboard")
    async def home(visitor: Visitor) -> None:
        heading(visitor.t("nav.home"))
        if not visitor.may(Right.SEE_REPORTS):
            quiet(visitor.t("home.welcome", name=visitor.user.title))
            return
        state = await visitor.query(lambda session: _state(visitor, session))

        @ui.refreshable
        def body() -> None:
            _draw(visitor, state)

        async def again() -> None:
            nonlocal state
            fresh = await visitor.query(lambda session: _state(visitor, session))
            if (fresh.today, fresh.busy, fresh.campaigns) != (state.today, state.busy, state.campaigns):
                state = fresh
                body.refresh()

        body()
        ui.timer(EVERY_S, again)


def _state(visitor: Visitor, session: Transaction) -> State:
    now = datetime.now(UTC)
    local = now.astimezone(ZoneInfo(visitor.house.settings.console_zone))
    start = local.replace(hour=0, minute=0, second=0, microsecond=0).astimezone(UTC)
    overview = OverviewRepository(session)
    workers = WorkerRepository(session).alive(LINE)
    campaigns = CampaignRepository(session)
    running = campaigns.all(*UNDER_WAY, rehearsals=False)
    day = timedelta(days=1)
    return State(
        now,
        start,
        overview.since(start, now),
        overview.since(start - day, now - day),
        len(workers),
        sum(worker.busy for worker in workers),
        sum(worker.capacity for worker in workers),
        tuple(campaigns.with_progress(running[-8:])),
    )


def _draw(visitor: Visitor, state: State) -> None:
    t, today, before = visitor.t, state.today, state.before
    if not state.workers:
        ui.label(t("home.none_up")).classes("vb-warn").props("role=status")
    with ui.element("div").classes("vb-tiles"):
        tile(t("home.calls_now"), f"{state.busy} / {state.capacity}", t("home.of_capacity"))
        tile(t("home.calls_today"), today.calls, t("home.yesterday", value=before.calls))
        reached = percent(today.reached, today.calls)
        tile(t("home.reached"), reached, t("home.yesterday", value=percent(before.reached, before.calls)))
        share = percent(today.interested, today.reached)
        tile(t("home.interested"), today.interested, t("home.of_reached", share=share), "good")
        tile(t("home.never_again"), today.dispositions.get("do_not_call", 0), t("home.obeyed"))
        tile(t("home.talked"), duration(today.talked_s))
    with ui.element("div").classes("vb-grid"):
        with ui.card().classes("vb-card"):
            heading(t("home.by_hour"), 2)
            _hours(visitor, state)
        with ui.card().classes("vb-card"):
            heading(t("home.results"), 2)
            _results(visitor, today)
    with ui.card().classes("vb-card"):
        heading(t("home.campaigns"), 2)
        if not state.campaigns:
            quiet(t("home.no_campaigns"))
        for campaign, progress in state.campaigns:
            campaign_line(visitor, campaign, progress)


def campaign_line(visitor: Visitor, campaign: Campaign, progress: Progress) -> None:
    """Show a campaign with how far it is, in one line."""
    with ui.element("div").classes("vb-row"):
        ui.link(campaign.name, f"/campaigns/{campaign.id}")
        badge(visitor, "campaign_status", campaign.status.value)
        share = progress.done / progress.contacts if progress.contacts else 0.0
        bar = ui.linear_progress(round(share, 3), show_value=False, size="10px").style("max-width: 20rem")
        bar.props(f'aria-label="{campaign.name} {share:.0%}"')
        quiet(f"{progress.done} / {progress.contacts} · {visitor.t('home.calling', count=progress.calling)}")


def _hours(visitor: Visitor, state: State) -> None:
    if not state.today.calls:
        quiet(visitor.t("home.no_calls"))
        return
    first, last = min(state.today.hours), max(state.today.hours)
    hours = range(first, last + 1)
    counts = [state.today.hours.get(hour, (0, 0)) for hour in hours]
    names = (visitor.t("home.reached_calls"), visitor.t("home.not_reached"))
    shared = {"type": "bar", "stack": "all", "barMaxWidth": 56}
    options = {
        "color": ["#1b7a3d", "#9aa7b3"],
        "grid": {"left": 40, "right": 10, "top": 30, "bottom": 25},
        "legend": {"top": 0, "bottom": "auto", "data": list(names), "textStyle": {"color": faint(visitor)}},
        "tooltip": {"trigger": "axis"},
        "xAxis": axis(visitor, type="category", data=[f"{hour}:00" for hour in hours], splitLine={}),
        "yAxis": axis(visitor, type="value", minInterval=1),
        "series": [
            shared | {"name": names[0], "data": [reached for _, reached in counts]},
            shared | {"name": names[1], "data": [calls - reached for calls, reached in counts]},
        ],
    }
    chart(options, "15rem", visitor.t("home.by_hour"))


def _results(visitor: Visitor, today: Overview) -> None:
    if not today.calls:
        quiet(visitor.t("home.no_calls"))
        return
    with ui.element("div").classes("vb-bars"):
        for value, count in sorted(today.dispositions.items(), key=lambda pair: -pair[1]):
            badge(visitor, "disposition", value)
            with ui.element("div").classes("vb-bar"):
                ui.element("div").style(f"width: {100 * count / today.calls:.1f}%")
            ui.link(str(count), f"/outcomes?disposition={value}")
