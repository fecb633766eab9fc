"""`voicebot call`."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer
from rich.console import Console

from voicebot.cli.demo import Progress
from voicebot.domain.errors import DataError
from voicebot.service import logs, single
from voicebot.settings import Settings


def call(
    uri: Annotated[str, typer.Argument(help="Whom to call: sip:user@host:port, on this machine.")],
    playbook: Annotated[str, typer.Option(help="What to talk about.")] = "consumer_loan",
    slot: Annotated[list[str] | None, typer.Option(help="What is known of the customer: name=value.")] = None,
) -> None:
    """Place one call to a SIP URI on this machine, to try the bot.

    Calls to people go through a campaign, which checks consent, do-not-call and hours.

    Examples:
      voicebot simulate &
      voicebot call sip:8002@127.0.0.1:5080
    """
    slots = {}
    for pair in slot or []:
        name, sign, value = pair.partition("=")
        if not sign:
            raise DataError(f"--slot {pair}: no '='", hint="write --slot customer=王先生")
        slots[name] = value
    logs.configure("call", "warning")
    console = Console()
    progress = Progress(console)
    call_id = asyncio.run(
        single.run(Settings(), uri, playbook, slots, lambda event: progress.call("call", event))
    )
    console.print(f"voicebot calls show {call_id}")
