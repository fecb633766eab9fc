"""`voicebot subject`: a person's right to see and to erase."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from voicebot import bootstrap
from voicebot.campaign import subject
from voicebot.cli.actor import actor
from voicebot.cli.stored import stored
from voicebot.settings import Settings

subject_app = typer.Typer(help="What is kept about one person: export it, erase it.", no_args_is_help=True)
Number = Annotated[str, typer.Argument(help="The person's phone number.")]
Region = Annotated[str, typer.Option(help="Country of a number without country code.")]


@subject_app.command()
def export(
    number: Number,
    out: Annotated[Path, typer.Argument(help="ZIP file to write: data.json and the recordings.")],
    region: Region = "CN",
) -> None:
    """Write all that is kept about a person to a ZIP file."""
    settings = Settings()
    with stored(settings) as store:
        done = subject.export(
            store,
            bootstrap.vault(settings),
            number,
            out,
            actor(),
            bootstrap.recordings(settings),
            region,
        )
    print(f"{done.rows} rows and {done.recordings} recordings in {done.file}")


@subject_app.command()
def erase(
    number: Number,
    why: Annotated[str, typer.Option(help="The reason; no personal data in it.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    region: Region = "CN",
) -> None:
    """Erase what is kept about a person: number, names, what was said, recordings, samples. For good.

    Emptied rows stay, so that a campaign's sums stay true; so does an entry on the do-not-call list.
    """
    if not yes:
        typer.confirm("Erase everything about this person for good?", abort=True)
    settings = Settings()
    with stored(settings) as store:
        gone = subject.erase(
            store,
            bootstrap.vault(settings),
            number,
            actor(),
            why,
            bootstrap.recordings(settings).delete,
            region,
        )
    print(
        f"{gone.contacts} contacts, {gone.calls} calls, {gone.turns} turns, {len(gone.recordings)} recordings"
    )
