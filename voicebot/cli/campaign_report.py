"""`voicebot campaign report`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from voicebot.call import picture
from voicebot.campaign import report_page
from voicebot.campaign.report_page import FUNNEL, SECTIONS, script_name, stages, why_not
from voicebot.cli.files import ENDINGS, as_csv, as_json, save, write_rows
from voicebot.cli.outcomes import said
from voicebot.cli.stored import stored
from voicebot.cli.times import parse_time
from voicebot.domain.emotion import EmotionLabel
from voicebot.domain.errors import DataError
from voicebot.domain.report import Report, ReportFilter
from voicebot.settings import Settings
from voicebot.store.campaigns import CampaignRepository
from voicebot.store.reports import ReportRepository
from voicebot.store.rollups import roll_up

BAR = 32  # characters
STEPS = 5  # utterances of the emotion flow on the terminal
COLOURS = {"interested": "green", "calm": "blue", "hesitant": "yellow", "annoyed": "red", "angry": "bold red"}


class Format(StrEnum):
    """How a report is printed."""

    CHARTS = "charts"
    CSV = "csv"
    JSON = "json"


def report(
    name: Annotated[
        str, typer.Argument(metavar="[NAME]", help="Name or id of the campaign; none = all.")
    ] = "",
    since: Annotated[str, typer.Option(help="Calls ended at or after: 2h, 7d, 2026-11-23.")] = "",
    until: Annotated[str, typer.Option(help="Ended before.")] = "",
    zone: Annotated[str, typer.Option(help="Time zone of the hours.")] = "Asia/Shanghai",
    output: Annotated[Format, typer.Option("--format", "-f", help="How to print.")] = Format.CHARTS,
    out: Annotated[
        list[Path] | None,
        typer.Option(
            "--out", "-o", help="Write FILE.html, .svg, .png, .csv, .json or .parquet; may be repeated."
        ),
    ] = None,
) -> None:
    """Report on a campaign: funnel, results by hour, reasons, conversion, latency, emotion.

    Examples:
      voicebot campaign report spring --since 7d
      voicebot campaign report spring --out spring.html --out spring.parquet
    """
    for path in out or []:
        _check(path)
    found = _read(name, since, until, zone)
    if out:
        for path in out:
            _write(path, found)
            print(f"written: {path}")
    elif output is Format.JSON:
        print(as_json(asdict(found)))
    elif output is Format.CSV:
        print(as_csv(list(report_page.rows(found))), end="")
    else:
        Console().print(charts(found))


def _read(name: str, since: str, until: str, zone: str) -> Report:
    try:
        hours = ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise DataError(f"{zone!r} is no time zone", hint="write one as Asia/Shanghai") from error
    now = datetime.now(UTC).astimezone(hours)
    with stored(Settings()) as store:
        roll_up(store, now)
        with store.transaction() as session:
            campaign = CampaignRepository(session).find(name) if name else None
            wanted = ReportFilter(
                campaign.id if campaign else "",
                parse_time(since, now) if since else None,
                parse_time(until, now) if until else None,
            )
            title = campaign.name if campaign else "全部外呼任务"
            return ReportRepository(session).report(title, wanted, hours, now)


def _check(path: Path) -> None:
    if path.suffix.lower() not in {*ENDINGS, ".html", ".svg", ".png"}:
        raise DataError(
            f"{path.name} is no kind of report", hint="end it in .html, .svg, .png, .csv, .json, .parquet"
        )


def _write(path: Path, found: Report) -> None:
    kind = path.suffix.lower()
    if kind == ".html":
        save(path, report_page.html(found).encode())
    elif kind in {".svg", ".png"}:
        picture.save(path, report_page.svg(found))
    elif kind == ".json":
        save(path, as_json(asdict(found)).encode())
    else:
        write_rows(path, report_page.rows(found))


def charts(found: Report) -> RenderableType:
    """Return a report as charts of a terminal."""
    calls = max(1, found.funnel.calls)
    parts: list[RenderableType] = [Text(f"{found.title}  {found.made_at:%Y-%m-%d %H:%M}", "bold")]
    funnel = [(Text(label), float(getattr(found.funnel, key))) for key, label in FUNNEL.items()]
    parts += _bars("funnel", [(label, count, f"{count:,.0f}") for label, count in funnel])
    parts += _bars(
        "disposition",
        [
            (said(one.name), one.calls, f"{one.calls:,}  {one.calls / calls:.1%}")
            for one in found.dispositions
        ],
    )
    parts += _bars("intent", [(Text(one.name), one.calls, f"{one.calls:,}") for one in found.intents])
    totals: dict[int, int] = {}
    for hour in found.hours:
        totals[hour.hour] = totals.get(hour.hour, 0) + hour.calls
    parts += _bars(
        "hour", [(Text(f"{hour:02d}"), count, f"{count:,}") for hour, count in sorted(totals.items())]
    )
    parts += _bars("reason", [(Text(one.name), one.calls, f"{one.calls:,}") for one in found.reasons])
    parts += _bars(
        "not_dialled", [(Text(why_not(one.name)), one.calls, f"{one.calls:,}") for one in found.not_dialled]
    )
    parts += [_scripts(found), _latencies(found), _emotions(found)]
    return Group(*parts)


def _bars(section: str, rows: Iterable[tuple[Text, float, str]]) -> list[RenderableType]:
    rows = list(rows)
    if not rows:
        return []
    most = max(length for _, length, _ in rows) or 1
    table = Table(box=None, show_header=False, padding=(0, 1))
    table.add_column(min_width=16)
    for name, length, figure in rows:
        eighths = round(BAR * 8 * length / most)
        bar = "█" * (eighths // 8) + ("", *"▏▎▍▌▋▊▉")[eighths % 8]
        table.add_row(name, Text(bar, "cyan"), figure)
    return [Text(f"\n{SECTIONS[section]}", "bold"), table]


def _scripts(found: Report) -> Table:
    table = Table(
        "话术", "说过", "转化", "95 %", "客户随即挂断", title=SECTIONS["script"], title_justify="left"
    )
    for script in found.scripts[: report_page.MOST_SHOWN]:
        share = script.converted
        table.add_row(
            script_name(script),
            f"{script.said:,}",
            f"{share.rate:.1%} ({share.hits}/{share.of})",
            f"{share.low:.1%} – {share.high:.1%}",
            f"{script.hung_up.rate:.1%}",
        )
    return table


def _latencies(found: Report) -> Table:
    table = Table("环节", "轮次", "p50", "p90", "p95", "p99", title=SECTIONS["latency"], title_justify="left")
    for name, stage in stages(found):
        figures = (stage.p50, stage.p90, stage.p95, stage.p99)
        table.add_row(name, f"{stage.turns:,}", *(f"{figure:,.0f}" for figure in figures))
    return table


def _emotions(found: Report) -> Table:
    table = Table(
        "第几句", *(label.chinese for label in EmotionLabel), title=SECTIONS["emotion"], title_justify="left"
    )
    for step in range(1, STEPS + 1):
        moves = [move for move in found.emotions if move.step == step]
        total = sum(move.calls for move in moves)
        if total:
            counts = (sum(move.calls for move in moves if move.before is label) for label in EmotionLabel)
            shares = zip(EmotionLabel, counts, strict=True)
            table.add_row(
                str(step), *(Text(f"{count / total:.0%}", COLOURS[label]) for label, count in shares)
            )
    return table
