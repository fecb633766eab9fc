"""`voicebot serve`."""

from __future__ import annotations

import asyncio
import signal

from rich.console import Console

from voicebot import bootstrap
from voicebot.cli.user import show_console
from voicebot.service import logs
from voicebot.service.observed import counting, observed
from voicebot.service.supervisor import Supervisor
from voicebot.settings import Settings


def serve() -> None:
    """Run the whole voicebot on this machine: database, inference, lines, dialer, console.

    Settings come from the environment (VOICEBOT_CALLS=24 voicebot serve). SIGTERM or Ctrl-C drains:
    no new calls, running ones end first.
    """
    settings = counting(Settings())
    logs.configure("supervisor", settings.log_level, as_json=settings.log_json)
    asyncio.run(_serve(settings))


async def _serve(settings: Settings) -> None:
    stop = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    console = Console(stderr=True)
    with bootstrap.database(settings) as url:
        async with Supervisor(settings, url, console=True) as supervisor:
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
