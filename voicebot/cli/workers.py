"""`voicebot workers`: the processes that serve, as their heartbeats tell."""

from __future__ import annotations

import json
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from voicebot import bootstrap
from voicebot.service.fleet import dispatcher_list
from voicebot.settings import Settings
from voicebot.store.workers import INFERENCE, LINE, Worker, WorkerRepository


class Format(StrEnum):
    """How workers are printed."""

    TABLE = "table"
    JSON = "json"
    DISPATCHER = "dispatcher"


def workers(
    format: Annotated[Format, typer.Option(help="table, json, or Kamailio's dispatcher.list")] = Format.TABLE,
    trunk: Annotated[
        list[str] | None, typer.Option(help="with dispatcher: SIP URI of a trunk; repeat, best first")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="write there, atomically, instead of printing")
    ] = None,
) -> None:
    """Show who serves: line workers and inference servers with a fresh heartbeat.

    Examples:
      voicebot workers
      voicebot workers --format dispatcher --trunk sip:sbc.example.com:5060 -o /etc/kamailio/dispatcher.list
    """
    with bootstrap.store(Settings()) as store, store.transaction() as session:
        repository = WorkerRepository(session)
        found = [worker for kind in (LINE, INFERENCE) for worker in repository.alive(kind)]
    if format is Format.TABLE and output is None:
        Console().print(_table(found))
        return
    text = (
        dispatcher_list(found, trunk or ())
        if format is Format.DISPATCHER
        else json.dumps([asdict(worker) for worker in found], default=str, indent=2) + "\n"
    )
    if output is None:
        print(text, end="")
        return
    draft = output.with_name(f".{output.name}.new")
    draft.write_text(text, "utf-8")
    draft.replace(output)


def _table(found: list[Worker]) -> Table:
    table = Table(title="Workers 工作进程", caption=None if found else "none is alive: voicebot serve")
    for column in ("id", "kind", "gRPC", "SIP", "calls", "spool", "state", "seen"):
        table.add_column(column)
    for worker in found:
        table.add_row(
            worker.id,
            worker.kind,
            worker.address,
            worker.sip_uri,
            f"{worker.busy}/{worker.capacity}",
            str(worker.spool_pending),
            "draining 退出中" if worker.draining else "serving 服务中",
            f"{worker.age_s:.0f} s ago",
        )
    return table
