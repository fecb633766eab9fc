"""`voicebot simulate`: customers to call, or who call."""

from __future__ import annotations

import sys
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from voicebot.domain.errors import DataError
from voicebot.registry import resources
from voicebot.simulate import personas as people_file
from voicebot.simulate.phone import EventLog, SimulatedPhone
from voicebot.telephony import Ended, LegEvent, UserAgentConfig


def simulate(
    sip_port: Annotated[int, typer.Option(help="where to listen")] = 5080,
    rtp_port: Annotated[int, typer.Option(help="first RTP port")] = 24000,
    bind: Annotated[str, typer.Option(help="address to listen on")] = "127.0.0.1",
    personas: Annotated[Path | None, typer.Option(help="file of personas; default: the shipped one")] = None,
    clips: Annotated[Path | None, typer.Option(help="folder of their clips")] = None,
    only: Annotated[list[str] | None, typer.Option(help="id of a persona; may be repeated")] = None,
    events: Annotated[Path | None, typer.Option(help="file for JSON lines; default: standard output")] = None,
    call: Annotated[
        str, typer.Option(help="SIP URI that the persona of --only calls, instead of waiting")
    ] = "",
    header: Annotated[list[str] | None, typer.Option(help="NAME=VALUE to send with --call")] = None,
    list_: Annotated[bool, typer.Option("--list", help="list the personas and end")] = False,
) -> None:
    """Run simulated customers: a SIP phone per process, which answers by the number called."""
    source = personas or resources.demo_dir() / "personas.yaml"
    people = people_file.choose(people_file.load(source), only or [])
    if list_:
        _list(people)
        return
    with ExitStack() as stack:
        out = stack.enter_context(events.open("a", encoding="utf-8")) if events else sys.stdout
        config = UserAgentConfig(
            bind=bind,
            sip_port=sip_port,
            rtp_port=rtp_port,
            user="customer",
            no_media_s=3600.0,  # silence on the line is the bot's matter here
            follow_refer=True,
        )
        phone = SimulatedPhone(config, people, clips or resources.demo_dir() / "customers", EventLog(out))
        phone.start()
        stack.callback(phone.stop)
        if call:
            _call(phone, people, call, header or [])
        else:
            _wait()


def _call(
    phone: SimulatedPhone, people: tuple[people_file.Persona, ...], uri: str, header: list[str]
) -> None:
    if len(people) != 1:
        raise DataError("--call needs exactly one persona", hint="Name it with --only; see --list.")
    if any("=" not in pair for pair in header):
        raise DataError("a header is not NAME=VALUE", hint="Write --header X-Campaign-Id=demo.")
    over = threading.Event()

    def on_event(event: LegEvent) -> None:
        if isinstance(event, Ended):
            over.set()

    phone.call(people[0], uri, dict(pair.split("=", 1) for pair in header), also=on_event)
    over.wait()


def _wait() -> None:
    import signal

    stop = threading.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: stop.set())
    stop.wait()


def _list(people: tuple[people_file.Persona, ...]) -> None:
    table = Table("number", "id", "", "lines")
    for person in people:
        table.add_row(person.number, person.id, person.title, " / ".join(person.lines))
    Console().print(table)
