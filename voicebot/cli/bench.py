"""`voicebot bench`."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from voicebot.bench import frame
from voicebot.domain.errors import DataError


def bench(
    name: Annotated[str, typer.Argument(help="Which bench; without it: the list.")] = "",
    data: Annotated[Path | None, typer.Option(help="Folder or file to judge.")] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write summary, rows, versions to FILE.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of all random choices.")] = 1,
    limit: Annotated[int, typer.Option(help="Judge at most so many items; 0 = all.")] = 0,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="An option of this bench: key=value.")
    ] = None,
) -> None:
    """Measure, beside baselines and peers, on the same input in one run.

    Examples:
      voicebot bench
      voicebot bench emotion --data data/emodb --json emotion.json
    """
    if not name:
        for known in frame.names():
            typer.echo(f"{known:12} {frame.title(known)}")
        return
    extra = {}
    for pair in settings or []:
        key, sign, value = pair.partition("=")
        if not sign:
            raise DataError(f"--set {pair}: no '='", hint="write --set key=value")
        extra[key] = value
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends what it started, as Ctrl-C does
    try:
        frame.run(name, frame.Options(data, seed, limit, extra), json_file, Console())
    finally:
        signal.signal(signal.SIGTERM, before)
