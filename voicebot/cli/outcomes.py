"""`voicebot outcomes`."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterable
from dataclasses import asdict, fields
from datetime import datetime
from enum import StrEnum
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from voicebot.cli.stored import stored
from voicebot.cli.times import parse_time
from voicebot.domain.call import Disposition, IntentLevel
from voicebot.settings import Settings
from voicebot.store.campaigns import CampaignRepository
from voicebot.store.outcomes import CallOutcome, OutcomeFilter, OutcomeRepository

# disposition -> (in Chinese, colour)
DISPOSITIONS = {
    Disposition.INTERESTED: ("有意向", "green"),
    Disposition.COMPLETED: ("已完成", "green"),
    Disposition.CALLBACK: ("约回访", "cyan"),
    Disposition.REFUSED: ("拒绝", "yellow"),
    Disposition.DO_NOT_CALL: ("勿再呼叫", "red"),
    Disposition.WRONG_PERSON: ("非本人", "yellow"),
    Disposition.UNDECIDED: ("未定", "white"),
    Disposition.TRANSFERRED: ("转人工", "green"),
    Disposition.SILENT: ("无应答语音", "dim"),
    Disposition.NO_ANSWER: ("未接", "dim"),
    Disposition.BUSY: ("忙线", "dim"),
    Disposition.VOICEMAIL: ("语音信箱", "dim"),
    Disposition.UNREACHABLE: ("无法接通", "dim"),
    Disposition.DROPPED: ("掉线", "red"),
}


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
) -> None:
    """Show how calls ended: by campaign, result, intent level and time. Numbers are masked.

    Examples:
      voicebot outcomes --campaign spring-loans --intent A --intent B
      voicebot outcomes --disposition callback --since 1d --format csv > callbacks.csv
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
        {Format.TABLE: _table, Format.CSV: _csv, Format.JSON: _json}[output](found)


def said(disposition: str) -> Text:
    """Return a disposition as people read it."""
    chinese, colour = DISPOSITIONS[Disposition(disposition)]
    return Text(f"{chinese} {disposition}", colour)


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
        console.print("[dim]voicebot calls show 通话[/dim]")
    else:
        console.print("no outcomes match")


def _csv(found: Iterable[CallOutcome]) -> None:
    writer = csv.writer(sys.stdout)
    writer.writerow([part.name for part in fields(CallOutcome)])
    for outcome in found:
        writer.writerow([_cell(getattr(outcome, part.name)) for part in fields(CallOutcome)])


def _cell(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, tuple):
        value = "；".join(value)
    elif isinstance(value, dict):
        value = json.dumps(value, ensure_ascii=False)
    text = str(value)
    # A spreadsheet takes such a cell for a formula; what a customer says must not become one.
    return f"'{text}" if text.startswith(("=", "@", "\t", "\r")) else text


def _json(found: Iterable[CallOutcome]) -> None:
    rows = [asdict(outcome) | {"at": outcome.at.isoformat()} for outcome in found]
    print(json.dumps(rows, ensure_ascii=False, indent=1))
