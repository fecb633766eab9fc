"""`voicebot top`: how it stands, for as long as you look."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from voicebot import bootstrap
from voicebot.domain.errors import StoreError
from voicebot.settings import Settings
from voicebot.store.session import Database, time_of
from voicebot.store.standing import RECENT, Standing, StandingRepository

_GOOD_MOS, _LONG_WAIT_MS = 3.6, 1000


def top(
    every: Annotated[float, typer.Option(min=0.2, help="Seconds between two looks.")] = 2.0,
    once: Annotated[bool, typer.Option("--once", help="Look once, print and end.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="With --once: as JSON.")] = False,
) -> None:
    """Show what runs now: lines, inference, campaigns, waiting, sound, jobs. Ctrl-C ends it.

    Examples:
      voicebot top
      voicebot top --once --json
    """
    console = Console()
    with bootstrap.store(Settings()) as store:
        if once or as_json:
            standing = _look(store)
            if as_json:
                print(json.dumps(asdict(standing), default=str, ensure_ascii=False, indent=1))
            else:
                console.print(page(standing))
            return
        try:
            with Live(page(_look(store)), console=console, screen=True, auto_refresh=False) as live:
                while True:
                    time.sleep(every)
                    live.update(_page_now(store), refresh=True)
        except KeyboardInterrupt:
            return


def _look(store: Database) -> Standing:
    with store.transaction() as session:
        return StandingRepository(session).now(time_of(session))


def _page_now(store: Database) -> Group | Text:
    try:
        return page(_look(store))
    except StoreError as error:
        return Text(f"{error}\n{error.hint}", "bold red")  # it comes back by itself


def page(standing: Standing) -> Group:
    """Return the screen."""
    return Group(_head(standing), _lines(standing), _campaigns(standing))


def _head(standing: Standing) -> Table:
    felt, minutes = standing.felt, RECENT.seconds // 60
    grid = Table.grid(padding=(0, 3))
    grid.add_row(
        Text(f"voicebot  {standing.at.astimezone():%H:%M:%S}", "bold"),
        f"calls 通话 {standing.calls}/{standing.capacity}",
        f"inference 推理 {sum(one.busy for one in standing.inference)} in {len(standing.inference)}",
        f"jobs 任务 {standing.jobs_waiting} waiting 等待, {standing.jobs_failed} failed 失败",
    )
    slow = felt.wait_ms_p95 is not None and felt.wait_ms_p95 > _LONG_WAIT_MS
    poor = felt.mos is not None and felt.mos < _GOOD_MOS
    grid.add_row(
        Text(f"last {minutes} min 最近 {minutes} 分钟", "dim"),
        f"{felt.turns} turns 轮次, {felt.calls} calls 通话",
        Text(
            f"wait 等待 p50 {_ms(felt.wait_ms_p50)} p95 {_ms(felt.wait_ms_p95)}", "bold red" if slow else ""
        ),
        f"recognise 识别 {_ms(felt.recognise_ms_p50)}",
        Text(f"MOS {felt.mos:.2f}" if felt.mos is not None else "MOS –", "bold red" if poor else ""),
        Text(f"dropped 掉线 {felt.dropped}", "bold red" if felt.dropped else ""),
    )
    return grid


def _lines(standing: Standing) -> Table:
    table = Table("line 线路", "calls 通话", "", "spool 待写", "SIP", "state 状态", "seen 心跳", box=None)
    for line in standing.lines:
        state = Text("draining 退出中", "yellow") if line.draining else Text("serving 服务中", "green")
        table.add_row(
            Text(line.id),
            f"{line.busy}/{line.capacity}",
            Text("█" * line.busy + "░" * max(0, line.capacity - line.busy)),
            Text(str(line.spool_pending), "bold red" if line.spool_pending else ""),
            Text(line.sip_uri),
            state,
            f"{line.age_s:.0f} s",
        )
    if not standing.lines:
        table.add_row(Text("no line worker is alive: voicebot serve  没有线路在运行", "bold red"))
    return table


def _campaigns(standing: Standing) -> Table:
    table = Table(
        "campaign 任务",
        "status 状态",
        "calling 通话中",
        "pending 待呼",
        "ended 结束",
        "answered 接通",
        "",
        box=None,
    )
    for one in standing.campaigns:
        counts = (str(one.calling), f"{one.pending:,}", str(one.ended), str(one.answered))
        table.add_row(Text(one.name), one.status, *counts, Text(one.held, "yellow"))
    return table


def _ms(value: float | None) -> str:
    return "–" if value is None else f"{value:.0f} ms"
