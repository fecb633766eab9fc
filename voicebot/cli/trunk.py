"""`voicebot trunk`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from voicebot import bootstrap
from voicebot.campaign import trunks
from voicebot.cli.actor import actor
from voicebot.cli.stored import stored
from voicebot.domain.errors import CampaignError, SettingsError
from voicebot.domain.trunk import NumberFormat, Registered, Srtp, Transport
from voicebot.domain.trunk import Trunk as TrunkValue
from voicebot.settings import Settings

trunk_app = typer.Typer(help="SIP trunks: the ways out to the telephone network.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="Of the trunk.")]


@trunk_app.command()
def add(
    context: typer.Context,
    name: Name,
    host: Annotated[str, typer.Argument(help="sip.example.com, or host:port.")],
    allow: Annotated[list[str], typer.Option(help="Prefix that may be dialled: +86; may be repeated.")],
    user: Annotated[str, typer.Option(help="Of digest authentication; asks for the password.")] = "",
    password: Annotated[str, typer.Option(hidden=True, envvar="VOICEBOT_TRUNK_PASSWORD")] = "",
    password_stdin: Annotated[
        bool,
        typer.Option("--password-stdin", help="Read the password's one line from standard input."),
    ] = False,
    register: Annotated[bool, typer.Option("--register", help="Register there.")] = False,
    domain: Annotated[str, typer.Option(help="Of our address there [HOST].")] = "",
    transport: Annotated[Transport, typer.Option(help="What carries SIP.")] = Transport.UDP,
    srtp: Annotated[Srtp, typer.Option(help="Encrypted audio.")] = Srtp.OFF,
    tls_ca: Annotated[
        str, typer.Option(help="PEM file of who signs its certificate, on the line workers' machines.")
    ] = "",
    tls_verify: Annotated[
        bool, typer.Option("--tls-verify/--no-tls-verify", help="Refuse a certificate that is not proven.")
    ] = True,
    numbers: Annotated[NumberFormat, typer.Option(help="How it wants numbers.")] = NumberFormat.E164,
    dial_prefix: Annotated[str, typer.Option(help="Before every number.")] = "",
    caller_id: Annotated[list[str] | None, typer.Option(help="Number that may be shown.")] = None,
    codec: Annotated[list[str] | None, typer.Option(help="PCMA, PCMU, in this order.")] = None,
    max_calls: Annotated[int, typer.Option(min=0, help="At the same time; 0 = no limit.")] = 0,
    calls_per_s: Annotated[float, typer.Option(min=0, help="New calls a second; 0 = no limit.")] = 0.0,
    cause: Annotated[list[str] | None, typer.Option(help="What a SIP status means: 480=no_answer.")] = None,
) -> None:
    """Add a trunk, or change the one of that name. Line workers take it up within seconds.

    The password is asked for, or comes from --password-stdin or VOICEBOT_TRUNK_PASSWORD in the environment:
    never from the command line, which everybody on the machine can read.

    Examples:
      voicebot trunk add carrier sip.example.com --user 4008 --register --allow +86 --calls-per-s 5
      voicebot trunk add carrier sip.example.com --user 4008 --allow +86 --password-stdin < FILE
      voicebot trunk add safe sip.example.com:5061 --transport tls --srtp required --allow +86
    """
    source = context.get_parameter_source("password")
    if source is not None and source.name == "COMMANDLINE":
        raise SettingsError(
            "a password on the command line stands in the list of processes and in the shell's history",
            hint="change that password; then leave --password out and type it when asked, "
            "pipe it to --password-stdin, or set VOICEBOT_TRUNK_PASSWORD",
        )
    if password_stdin:
        password = _piped()
    elif user and not password:
        password = typer.prompt("password", hide_input=True, default="", show_default=False)
    wanted = TrunkValue(
        name=name,
        host=host,
        prefixes=tuple(allow),
        transport=transport,
        user=user,
        password=password,
        register=register,
        domain=domain,
        number_format=numbers,
        dial_prefix=dial_prefix,
        caller_ids=tuple(caller_id or ()),
        codecs=tuple(codec or ("PCMA", "PCMU")),
        srtp=srtp,
        tls_ca=str(Path(tls_ca).absolute()) if tls_ca else "",
        tls_verify=tls_verify,
        max_calls=max_calls,
        calls_per_s=calls_per_s,
        causes=dict(_cause(text) for text in cause or ()),
    )
    settings = Settings()
    with stored(settings) as store:
        trunks.save(store, bootstrap.vault(settings), wanted, actor())
    print(name)


@trunk_app.command("list")
def list_() -> None:
    """Show the trunks; passwords are never shown."""
    settings = Settings()
    with stored(settings) as store:
        found = trunks.listed(store, bootstrap.vault(settings))
        registered = trunks.registered(store)
    table = Table("线路", "地址", "注册", "允许号段", "主叫", "加密", "并发", "每秒", "状态")
    for trunk in found:
        table.add_row(
            Text(trunk.name),
            Text(trunk.host),
            _registration(trunk, registered),
            Text(" ".join(trunk.prefixes)),
            Text(" ".join(trunk.caller_ids) or "任意"),
            f"{trunk.transport.value} · srtp {trunk.srtp.value}",
            str(trunk.max_calls or "—"),
            f"{trunk.calls_per_s:g}" if trunk.calls_per_s else "—",
            "启用" if trunk.enabled else "停用",
        )
    console = Console()
    console.print(table if found else "no trunks; voicebot trunk add makes one")


@trunk_app.command()
def enable(name: Name) -> None:
    """Let campaigns call through a trunk again."""
    _switch(name, on=True)


@trunk_app.command()
def disable(name: Name) -> None:
    """Let no campaign call through a trunk; running calls go on."""
    _switch(name, on=False)


@trunk_app.command()
def remove(name: Name) -> None:
    """Remove a trunk that no campaign needs any more."""
    settings = Settings()
    with stored(settings) as store:
        trunks.remove(store, bootstrap.vault(settings), name, actor())
    print(f"{name} removed")


def _piped() -> str:
    """Return the first line of standard input. Raises SettingsError."""
    line = sys.stdin.readline().rstrip("\r\n")
    if not line:
        raise SettingsError("no password came on standard input", hint="--password-stdin < FILE")
    return line


def _registration(trunk: TrunkValue, registered: tuple[Registered, ...]) -> Text:
    """Return how the registrations of a trunk stand, worker by worker."""
    if not trunk.register:
        return Text(trunk.user or "—")
    mine = [one for one in registered if one.trunk == trunk.name]
    if not trunk.enabled or not mine:
        return Text(f"{trunk.user} 未注册（没有线路进程在运行）" if trunk.enabled else trunk.user, "dim")
    words = Text(trunk.user)
    for one in mine:
        said = "已注册" if one.ok else f"注册失败 {one.status or '没有应答'} {one.reason}"
        words.append(
            f"\n{said} · {one.at.astimezone():%m-%d %H:%M:%S} · {one.worker}", "green" if one.ok else "red"
        )
    return words


def _switch(name: str, *, on: bool) -> None:
    settings = Settings()
    with stored(settings) as store:
        trunks.switch(store, bootstrap.vault(settings), name, actor(), on=on)
    print(f"{name} {'enabled' if on else 'disabled'}")


def _cause(text: str) -> tuple[int, str]:
    status, _, cause = text.partition("=")
    if not status.isdigit() or not cause:
        raise CampaignError(f"{text!r} is no cause", hint="write 480=no_answer")
    return int(status), cause
