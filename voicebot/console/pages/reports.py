"""Reports over many calls: funnel, scripts with intervals, results by hour, emotion, latency."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from nicegui import ui

from voicebot.campaign.report_page import stages
from voicebot.console.frame import Pages
from voicebot.console.pages.call_charts import COLOURS
from voicebot.console.visitor import Visitor
from voicebot.console.widgets import chart, faint, heading, ink, percent, quiet, table, tile, when
from voicebot.domain.call import Disposition
from voicebot.domain.emotion import EmotionLabel
from voicebot.domain.errors import PlaybookError
from voicebot.domain.report import Report, ReportFilter, ScriptConversion, wordings
from voicebot.domain.users import Right
from voicebot.store.campaigns import CampaignRepository
from voicebot.store.reports import ReportRepository
from voicebot.store.session import Transaction

SPANS = {"1": 1, "7": 7, "30": 30, "365": 365}  # days


def register(pages: Pages) -> None:
    """Register the page."""

    @pages.page("/reports", "reports", right=Right.SEE_REPORTS, icon="insights")
    async def reports(visitor: Visitor) -> None:
        heading(visitor.t("nav.reports"))
        campaign = visitor.asked.get("campaign", "")
        days = visitor.asked.get("days", "30")
        await _choice(visitor, campaign, days)
        report = await visitor.query(lambda session: _report(visitor, session, campaign, days))
        if report.until is None:
            ui.label(visitor.t("reports.never")).classes("vb-note")
        else:
            quiet(visitor.t("reports.until", at=when(visitor, report.until)))
        texts = await asyncio.to_thread(_texts, visitor)
        _draw(visitor, report, texts)


def _texts(visitor: Visitor) -> dict[str, str]:
    """Return what every installed playbook says under an id; the same id in two of them gives both."""
    books = visitor.house.playbooks
    found: dict[str, dict[str, None]] = {}
    for name in books.ids():
        with suppress(PlaybookError):
            for script in books.get(name).scripts.values():
                found.setdefault(script.id, {})[script.text] = None
    return {script_id: " / ".join(texts) for script_id, texts in found.items()}


def _report(visitor: Visitor, session: Transaction, campaign: str, days: str) -> Report:
    now = datetime.now(UTC)
    wanted = ReportFilter(campaign, now - timedelta(days=SPANS.get(days, 30)))
    zone = ZoneInfo(visitor.house.settings.console_zone)
    return ReportRepository(session).report("", wanted, zone, now)


async def _choice(visitor: Visitor, campaign: str, days: str) -> None:
    t = visitor.t
    campaigns = await visitor.query(lambda session: CampaignRepository(session).all(rehearsals=False))
    names = {"": t("frame.all")} | {one.id: one.name for one in reversed(campaigns)}

    def go() -> None:
        ui.navigate.to(f"/reports?campaign={chosen.value or ''}&days={span.value}")

    with ui.element("div").classes("vb-row"):
        chosen = ui.select(
            names, value=campaign if campaign in names else "", label=t("outcomes.campaign"), on_change=go
        ).style("min-width: 16rem")
        span = ui.toggle(
            {key: t(f"reports.days_{key}") for key in SPANS},
            value=days if days in SPANS else "30",
            on_change=go,
        ).props("no-caps")


def _draw(visitor: Visitor, report: Report, texts: Mapping[str, str]) -> None:
    t, funnel = visitor.t, report.funnel
    if not funnel.calls:
        quiet(t("frame.none"))
        return
    with ui.element("div").classes("vb-tiles"):
        tile(t("reports.calls"), funnel.calls)
        tile(t("reports.answered"), percent(funnel.answered, funnel.calls))
        tile(t("reports.positive"), percent(funnel.positive, funnel.spoke), t("reports.of_spoke"), "good")
        tile(t("reports.opted_out"), funnel.opted_out)
    with ui.element("div").classes("vb-grid"):
        _card(visitor, "funnel", lambda: _funnel(visitor, report))
        _card(visitor, "heat", lambda: _heat(visitor, report))
        _card(visitor, "reasons", lambda: _reasons(visitor, report))
    _card(visitor, "emotions", lambda: _emotions(visitor, report))
    _card(visitor, "scripts", lambda: _scripts(visitor, report, texts))
    _card(visitor, "ab", lambda: _variants(visitor, report))
    _card(visitor, "latency", lambda: _latencies(visitor, report))


def _card(visitor: Visitor, key: str, draw: Callable[[], None]) -> None:
    with ui.card().classes("vb-card"):
        heading(visitor.t(f"reports.{key}"), 2)
        draw()


def _funnel(visitor: Visitor, report: Report) -> None:
    funnel, t = report.funnel, visitor.t
    steps = (
        ("contacts", funnel.contacts),
        ("calls", funnel.calls),
        ("answered", funnel.answered),
        ("spoke", funnel.spoke),
        ("positive", funnel.positive),
    )
    top = max(count for _, count in steps) or 1
    with ui.element("div").classes("vb-bars"):
        for name, count in steps:
            ui.label(t(f"reports.{name}"))
            with ui.element("div").classes("vb-bar").style("height: 1.1rem"):
                ui.element("div").style(f"width: {100 * count / top:.1f}%")
            ui.label(str(count))


def _heat(visitor: Visitor, report: Report) -> None:
    kinds = [kind for kind in Disposition if any(count.disposition is kind for count in report.hours)]
    hours = sorted({count.hour for count in report.hours})
    cells = [[hours.index(count.hour), kinds.index(count.disposition), count.calls] for count in report.hours]
    most = max((cell[2] for cell in cells), default=1)
    options = {
        "grid": {"left": 90, "right": 10, "top": 10, "bottom": 60},
        "tooltip": {},
        "xAxis": {
            "type": "category",
            "data": [f"{hour}:00" for hour in hours],
            "axisLabel": {"color": faint(visitor)},
        },
        "yAxis": {
            "type": "category",
            "data": [visitor.known("disposition", kind.value) for kind in kinds],
            "axisLabel": {"color": faint(visitor)},
        },
        "visualMap": {
            "min": 0,
            "max": most,
            "orient": "horizontal",
            "left": "center",
            "bottom": 0,
            "inRange": {"color": ["#e4eef5", "#0b5c8a"]},
            "textStyle": {"color": faint(visitor)},
        },
        "series": [{"type": "heatmap", "data": cells, "label": {"show": True}}],
    }
    chart(options, "20rem", visitor.t("reports.heat"))


def _emotions(visitor: Visitor, report: Report) -> None:
    """Draw how customers' emotion flows from utterance to utterance."""
    moves = [move for move in report.emotions if move.after is not None and move.step <= 5]
    if not moves:
        quiet(visitor.t("frame.none"))
        return
    names = {label: visitor.known("emotion", label.value) for label in EmotionLabel}
    links = [
        {
            "source": f"{move.step} {names[move.before]}",
            "target": f"{move.step + 1} {names[move.after]}",
            "value": move.calls,
        }
        for move in moves
        if move.after is not None
    ]
    nodes = {f"{step} {names[label]}": COLOURS[label.value] for step in range(1, 7) for label in EmotionLabel}
    used = {str(link[side]) for link in links for side in ("source", "target")}
    options = {
        "tooltip": {},
        "series": [
            {
                "type": "sankey",
                "nodeAlign": "left",
                "data": [
                    {"name": name, "itemStyle": {"color": colour}}
                    for name, colour in nodes.items()
                    if name in used
                ],
                "links": links,
                "left": 5,
                "right": 90,
                "label": {"color": ink(visitor), "fontSize": 13},
                "lineStyle": {"color": "gradient", "opacity": 0.4},
            }
        ],
    }
    chart(options, "20rem", visitor.t("reports.emotions"))


def _reasons(visitor: Visitor, report: Report) -> None:
    rows = [{"id": one.name, "reason": one.name or "–", "calls": one.calls} for one in report.reasons]
    if not rows:
        quiet(visitor.t("frame.none"))
        return
    table([("calls", visitor.t("reports.calls")), ("reason", visitor.t("outcomes.reasons"))], rows)


def _scripts(visitor: Visitor, report: Report, texts: Mapping[str, str]) -> None:
    columns = ("script", "said", "converted", "interval", "hung_up", "text")
    rows = [_script(one) | {"text": texts.get(one.script_id, "")} for one in report.scripts]
    drawn = table([(key, visitor.t(f"reports.{key}")) for key in columns], rows, page=20)
    drawn.classes("vb-told")


def _script(one: ScriptConversion) -> dict[str, object]:
    name = f"{one.script_id} · {one.variant}" if one.variant else one.script_id
    return {
        "id": name,
        "script": name,
        "said": one.said,
        "converted": f"{one.converted.hits} / {one.converted.of} · {100 * one.converted.rate:.0f} %",
        "interval": f"{100 * one.converted.low:.0f} – {100 * one.converted.high:.0f} %",
        "hung_up": f"{100 * one.hung_up.rate:.0f} %",
    }


def _variants(visitor: Visitor, report: Report) -> None:
    """Compare the wordings of a script; a winner is named only when the test is over."""
    t = visitor.t
    rows = [
        {
            "id": one.script_id,
            "script": one.script_id,
            "variants": "  |  ".join(
                f"{each.variant}: {each.converted.hits}/{each.converted.of}" for each in one.variants
            ),
            "verdict": t("reports.better", variant=one.winner) if one.winner else t("reports.open"),
        }
        for one in wordings(report.scripts)
    ]
    if not rows:
        quiet(t("reports.no_variants"))
        return
    table([(key, t(f"reports.{key}")) for key in ("script", "variants", "verdict")], rows)


def _latencies(visitor: Visitor, report: Report) -> None:
    columns = ("stage", "turns", "p50", "p90", "p95", "p99")
    rows = [
        {"id": one.stage, "stage": visitor.known("stage", one.stage), "turns": one.turns}
        | {name: f"{getattr(one, name):,.0f} ms" for name in columns[2:]}
        for _, one in stages(report)
    ]
    table([(key, visitor.t(f"reports.{key}")) for key in columns], rows)
