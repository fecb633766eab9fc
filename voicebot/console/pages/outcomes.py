"""Outcomes: filter, sort, save a view, export."""

from __future__ import annotations

from typing import Any

from nicegui import ui

from voicebot.console import filters
from voicebot.console.frame import Pages
from voicebot.console.visitor import Visitor
from voicebot.console.widgets import badged, duration, heading, linked, quiet, table, tone, when
from voicebot.domain.call import Disposition, IntentLevel
from voicebot.domain.users import Right
from voicebot.store.campaigns import CampaignRepository
from voicebot.store.outcome_pages import COUNTED_TO, SORTS, OutcomePage, OutcomePages
from voicebot.store.outcomes import CallOutcome
from voicebot.store.views import SavedViewRepository

PAGE = 50


def register(pages: Pages) -> None:
    """Register the page."""

    @pages.page("/outcomes", "outcomes", right=Right.SEE_CALLS, icon="fact_check")
    async def outcomes(visitor: Visitor) -> None:
        heading(visitor.t("nav.outcomes"))
        values = {key: visitor.asked.get(key, "") for key in filters.FIELDS}
        await _form(visitor, values)
        await _list(visitor, values)


async def _form(visitor: Visitor, values: dict[str, str]) -> None:
    t = visitor.t
    campaigns = await visitor.query(lambda session: CampaignRepository(session).all(rehearsals=False))
    chosen: dict[str, Any] = {}
    with ui.card().classes("vb-card"), ui.element("div").classes("vb-form"):
        names = {"": t("frame.all")} | {campaign.id: campaign.name for campaign in reversed(campaigns)}
        campaign = values["campaign"] if values["campaign"] in names else ""
        chosen["campaign"] = ui.select(names, value=campaign, label=t("outcomes.campaign"), with_input=True)
        chosen["disposition"] = ui.select(
            {kind.value: visitor.known("disposition", kind.value) for kind in Disposition},
            value=[part for part in values["disposition"].split(",") if part],
            multiple=True,
            label=t("outcomes.disposition"),
        ).props("use-chips")
        chosen["intent"] = ui.select(
            [level.value for level in IntentLevel],
            value=[part for part in values["intent"].split(",") if part],
            multiple=True,
            label=t("outcomes.intent"),
        ).props("use-chips")
        for key in ("since", "until"):
            chosen[key] = ui.date_input(t(f"outcomes.{key}"), value=values[key] or None)
        sorts = {sort: t(f"outcomes.sort_{sort}") for sort in SORTS}
        sort = values["sort"] if values["sort"] in sorts else "newest"
        chosen["sort"] = ui.select(sorts, value=sort, label=t("outcomes.sort"))
    with ui.element("div").classes("vb-row"):
        ui.button(t("outcomes.show"), icon="filter_alt", on_click=lambda: _go(_values(chosen)))
        ui.button(t("outcomes.reset"), on_click=lambda: ui.navigate.to("/outcomes")).props("flat")
        ui.space()
        await _views(visitor, values)
        if visitor.may(Right.EXPORT):
            address = "/outcomes.csv?" + filters.written(values)
            ui.button(t("outcomes.export"), icon="download", on_click=lambda: ui.navigate.to(address)).props(
                "outline"
            )


def _values(chosen: dict[str, Any]) -> dict[str, str]:
    values = {}
    for key, field in chosen.items():
        value = field.value
        values[key] = ",".join(value) if isinstance(value, list) else str(value or "")
    return values | {"sort": "" if values["sort"] == "newest" else values["sort"]}


def _go(values: dict[str, str]) -> None:
    query = filters.written(values)
    ui.navigate.to("/outcomes" + (f"?{query}" if query else ""))


async def _views(visitor: Visitor, values: dict[str, str]) -> None:
    t = visitor.t
    views = await visitor.query(lambda session: SavedViewRepository(session, visitor.user.id).all())

    async def save() -> None:
        def work(session: Any) -> None:
            repository = SavedViewRepository(session, visitor.user.id)
            repository.save(name.value or "", filters.written(values), shared=bool(shared.value))

        await visitor.act(Right.SEE_CALLS, "save_view", f"view:{name.value}", work)
        ui.navigate.reload()

    async def drop(view_id: str) -> None:
        await visitor.query(lambda session: SavedViewRepository(session, visitor.user.id).drop(view_id))
        ui.navigate.reload()

    with ui.button(t("outcomes.views"), icon="bookmarks").props("flat"), ui.menu().classes("vb-menu"):
        for view in views:
            with ui.element("div").classes("vb-row").style("padding: 0 .75rem; flex-wrap: nowrap"):
                ui.link(view.name, f"/outcomes?{view.query}").classes("col")
                if view.own:
                    ui.button(icon="delete", on_click=visitor.guarded(lambda view=view: drop(view.id))).props(
                        f'flat round dense aria-label="{t("outcomes.drop_view")}: {view.name}"'
                    )
        if not views:
            ui.label(t("outcomes.no_views")).classes("vb-quiet").style("padding: .5rem .75rem")
        ui.separator()
        with ui.element("div").style("padding: .5rem .75rem"):
            name = ui.input(t("outcomes.view_name"))
            shared = ui.checkbox(t("outcomes.view_shared"))
            ui.button(t("outcomes.save_view"), on_click=visitor.guarded(save))


async def _list(visitor: Visitor, values: dict[str, str]) -> None:
    t = visitor.t
    wanted = filters.read(values, visitor.house.settings.console_zone)
    sort = values["sort"] or "newest"

    async def page(cursor: str) -> OutcomePage:
        return await visitor.query(lambda session: OutcomePages(session).page(wanted, sort, cursor, PAGE))

    first = await page("")
    count = f"{first.total}+" if first.total == COUNTED_TO else str(first.total)
    quiet(t("outcomes.count", count=count)).props("role=status")
    columns = ("at", "disposition", "intent", "number", "campaign", "duration", "turns", "reasons")
    drawn = table([(key, t(f"outcomes.{key}")) for key in columns], _rows(visitor, first))
    linked(drawn, "at", "/calls/:key")
    badged(drawn, "disposition", "tone")
    badged(drawn, "intent", "intent_tone")
    following = first.next

    async def more() -> None:
        nonlocal following
        found = await page(following)
        drawn.add_rows(_rows(visitor, found))
        following = found.next
        button.set_visibility(bool(following))

    button = ui.button(t("frame.more"), on_click=visitor.guarded(more)).props("outline")
    button.set_visibility(bool(following))


def _rows(visitor: Visitor, page: OutcomePage) -> list[dict[str, Any]]:
    return [row(visitor, outcome) for outcome in page.outcomes]


def row(visitor: Visitor, outcome: CallOutcome) -> dict[str, Any]:
    """Return an outcome as a row of a table."""
    return {
        "id": outcome.call_id,
        "at": when(visitor, outcome.at),
        "campaign": outcome.campaign,
        "number": outcome.number,
        "disposition": visitor.known("disposition", outcome.disposition),
        "tone": tone(outcome.disposition),
        "intent": outcome.intent_level,
        "intent_tone": tone(outcome.intent_level),
        "duration": duration(outcome.duration_s) if outcome.duration_s else "",
        "turns": outcome.turns or "",
        "reasons": "；".join(outcome.reasons),
    }
