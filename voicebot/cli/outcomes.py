"""`voicebot outcomes`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, fields
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from voicebot.cli.files import as_csv, as_json, write_rows
from voicebot.cli.stored import stored
from voicebot.cli.times import parse_time
from voicebot.domain.call import Disposition, IntentLevel
from voicebot.settings import Settings
from voicebot.store.campaigns import CampaignRepository
from voicebot.store.outcomes import CallOutcome, OutcomeFilter, OutcomeRepository

# how a result is coloured
DISPOSITIONS = {
    Disposition.INTERESTED: "green",
    Disposition.COMPLETED: "green",
    Disposition.CALLBACK: "cyan",
    Disposition.REFUSED: "yellow",
    Disposition.DO_NOT_CALL: "red",
    Disposition.WRONG_PERSON: "yellow",
    Disposition.UNDECIDED: "white",
    Disposition.TRANSFERRED: "green",
    Disposition.SILENT: "dim",
    Disposition.NO_ANSWER: "dim",
    Disposition.BUSY: "dim",
    Disposition.VOICEMAIL: "dim",
    Disposition.UNREACHABLE: "dim",
    Disposition.DROPPED: "red",
}

_COLUMNS = tuple(part.name for part in fields(CallOutcome))


class Format(StrEnum):
    """How outcomes are printed."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"


def outcomes(
    campaign: Annotated[str, typer.Option(help="Of this campaign: name or id.")] = "",
    disposition: Annotated[list[Disposition] | None, typer.Option(help="Ended so; may be repeated.")] = None,
    intent: Annotated[list[IntentLevel] | None, typer.Option(help="Of this level; may be repeated.")] = None,
    since: Annotated[str, typer.Option(help="Ended at or after: 2h, 7d, 2026-11-23.")] = "",
    until: Annotated[str, typer.Option(help="Ended before.")] = "",
    limit: Annotated[int, typer.Option(min=0, help="The newest so many; 0 = all.")] = 50,
    output: Annotated[Format, typer.Option("--format", "-f", help="How to print.")] = Format.TABLE,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Write to FILE.csv, .json or .parquet instead.")
    ] = None,
) -> None:
    """Show how calls ended: by campaign, result, intent level and time. Numbers are masked.

    Examples:
      voicebot outcomes --campaign spring-loans --intent A --intent B
      voicebot outcomes --disposition callback --since 1d --format csv > callbacks.csv
      voicebot outcomes --limit 0 --out outcomes.parquet
      voicebot campaign report  (charts: funnel, hours, reasons, conversion, latency, emotion)
    """
    now = datetime.now().astimezone()
    with stored(Settings()) as store, store.transaction() as session:
        wanted = OutcomeFilter(
            campaign_id=CampaignRepository(session).find(campaign).id if campaign else "",
            dispositions=tuple(disposition or ()),
            intent_levels=tuple(intent or ()),
            since=parse_time(since, now) if since else None,
            until=parse_time(until, now) if until else None,
            limit=limit,
        )
        found = OutcomeRepository(session).find(wanted)
        if out:
            write_rows(out, (_flat(outcome) for outcome in found), _COLUMNS)
            print(f"written: {out}")
            return
        {Format.TABLE: _table, Format.CSV: _csv, Format.JSON: _json}[output](found)


def said(disposition: str) -> Text:
    """Return a disposition as people read it."""
    kind = Disposition(disposition)
    return Text(f"{kind.chinese} {kind.value}", DISPOSITIONS[kind])


def _table(found: Iterable[CallOutcome]) -> None:
    table = Table(
        "通话", "时间", "任务", "号码", "结果", "意向", "时长", "轮次", "原因", row_styles=["", "dim"]
    )
    for outcome in found:
        table.add_row(
            outcome.call_id[-12:],
            f"{outcome.at.astimezone():%m-%d %H:%M:%S}",
            Text(outcome.campaign),
            outcome.number,
            said(outcome.disposition),
            outcome.intent_level,
            f"{outcome.duration_s:.0f} s",
            str(outcome.turns),
            Text("；".join(outcome.reasons)),
        )
    console = Console()
    if table.row_count:
        console.print(table)
        console.print("[dim]voicebot calls show 通话 · voicebot campaign report[/dim]")
    else:
        console.print("no outcomes match")


def _csv(found: Iterable[CallOutcome]) -> None:
    print(as_csv([_flat(outcome) for outcome in found], _COLUMNS), end="")


def _flat(outcome: CallOutcome) -> dict[str, object]:
    return {name: getattr(outcome, name) for name in _COLUMNS}


def _json(found: Iterable[CallOutcome]) -> None:
    print(as_json([asdict(outcome) for outcome in found]))
