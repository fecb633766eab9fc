"""`voicebot serve`."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Collection
from typing import Annotated

import typer
from rich.console import Console

from voicebot import bootstrap
from voicebot.cli.user import show_console
from voicebot.domain.errors import SettingsError
from voicebot.service import logs
from voicebot.service.observed import counting, observed
from voicebot.service.supervisor import ROLES, Supervisor
from voicebot.settings import Settings


def serve(
    role: Annotated[
        list[str] | None, typer.Option(help=f"What to run here ({', '.join(ROLES)}); repeat. Default: all.")
    ] = None,
) -> None:
    """Run the whole voicebot on this machine: database, inference, lines, dialer, console.

    Settings come from the environment (VOICEBOT_CALLS=24 voicebot serve). SIGTERM or Ctrl-C drains:
    no new calls, running ones end first.

    Several machines share the work by roles: one database, and each machine names what it runs. Line workers
    find inference elsewhere by VOICEBOT_INFERENCE, the others find line workers by their heartbeats.

    Examples:
      voicebot serve
      VOICEBOT_BIND=10.0.0.5 voicebot serve --role inference
      VOICEBOT_BIND=10.0.0.6 VOICEBOT_INFERENCE=ipv4:10.0.0.5:50051,10.0.0.7:50051 voicebot serve --role line
    """
    if unknown := set(role or ()) - set(ROLES):
        raise SettingsError(f"no role is called {', '.join(unknown)}", hint=f"choose of {', '.join(ROLES)}")
    settings = counting(Settings())
    logs.configure("supervisor", settings.log_level, as_json=settings.log_json)
    asyncio.run(_serve(settings, role or ROLES))


async def _serve(settings: Settings, roles: Collection[str]) -> None:
    stop = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    console = Console(stderr=True)
    with bootstrap.database(settings) as url:
        async with Supervisor(settings, url, roles=roles) as supervisor:
            with observed(settings, url, supervisor, stop.is_set) as health:
                for line in supervisor.lines:
                    console.print(
                        f"line worker [bold]{line.facts['sip_uri']}[/bold], {line.facts['capacity']} calls"
                    )
                show_console(console, supervisor)
                if health:
                    console.print(f"for machines: {health}/metrics, /health, /ready")
                console.print("ready; Ctrl-C drains and ends")
                await stop.wait()
                console.print("draining: running calls end first")
