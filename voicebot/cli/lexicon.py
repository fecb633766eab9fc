"""`voicebot lexicon`: what phrases mean, edited in a spreadsheet."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from voicebot import bootstrap
from voicebot.cli import emotions
from voicebot.domain.errors import DataError
from voicebot.emotion import lexicon as lexicons
from voicebot.registry import models
from voicebot.settings import Settings

lexicon_app = typer.Typer(
    help="The lexicon of emotions: look up, export, check, import. 词典库.", no_args_is_help=True
)


@lexicon_app.callback()
def _group() -> None:
    """Look up, export, check and import phrases."""


@lexicon_app.command()
def show(text: Annotated[str, typer.Argument(help="What a customer says.")]) -> None:
    """Say which phrases of a text the lexicon knows, and what they mean.

    Examples:
      voicebot lexicon show '现在有事，不要说了'
    """
    lexicon = _newest(Settings())
    found = lexicon.matches(text)
    table = Table("phrase", "emotion", "intensity", "negated", "judged by", title=lexicon.version)
    for match in found:
        shares = emotions.shares(asdict(match.distribution))
        table.add_row(
            match.phrase, shares, f"{match.intensity:.2f}", "yes" if match.negated else "", match.source
        )
    console = Console()
    console.print(table)
    if not found:
        console.print("no phrase of it is known: add it to the CSV (voicebot lexicon export), then import")
        raise typer.Exit(1)


@lexicon_app.command()
def export(
    out: Annotated[Path, typer.Argument(metavar="FILE.csv")],
    version: Annotated[str, typer.Option(help="of the lexicon; empty = the newest")] = "",
) -> None:
    """Write the lexicon as CSV, for a spreadsheet.

    Examples:
      voicebot lexicon export phrases.csv
    """
    if out.exists():
        raise DataError(f"{out} exists already", hint="name another file, or remove it")
    source = models.find(bootstrap.model_roots(Settings()), lexicons.NAME, version)
    # the mark at the beginning tells Excel that the hanzi are UTF-8
    out.write_text((source / lexicons.PHRASES).read_text("utf-8-sig"), "utf-8-sig")
    Console().print(
        f"{out}: {models.peek(source).label}, {len(lexicons.load(source).entries)} rows", highlight=False
    )


@lexicon_app.command()
def check(source: Annotated[Path, typer.Argument(metavar="FILE.csv")]) -> None:
    """Name every bad line of a CSV file, and what a good one would change.

    Examples:
      voicebot lexicon check phrases.csv
    """
    fresh = lexicons.Lexicon.load(source, "unpublished")
    console = Console()
    console.print(f"{source}: {len(fresh.entries)} rows, all good", highlight=False)
    _differences(console, fresh, _newest(Settings()))


@lexicon_app.command("import")
def import_(source: Annotated[Path, typer.Argument(metavar="FILE.csv")]) -> None:
    """Check a CSV file and publish it as the next version, which new processes use.

    Examples:
      voicebot lexicon import phrases.csv
    """
    settings = Settings()
    before = _newest(settings)
    out = models.next_version(bootstrap.model_roots(settings), lexicons.NAME)
    manifest = lexicons.publish(source, out)
    console = Console()
    _differences(console, lexicons.load(out), before)
    console.print(f"{manifest.label} in {out}; restart to use it: voicebot serve", highlight=False)


def _newest(settings: Settings) -> lexicons.Lexicon:
    return lexicons.load(models.find(bootstrap.model_roots(settings), lexicons.NAME))


def _differences(console: Console, fresh: lexicons.Lexicon, before: lexicons.Lexicon) -> None:
    new, old = fresh.entries, before.entries
    changed = [phrase for phrase in new.keys() & old.keys() if new[phrase] != old[phrase]]
    for what, phrases in (
        ("new", new.keys() - old.keys()), ("gone", old.keys() - new.keys()), ("changed", changed),
    ):  # fmt: skip
        if phrases:
            shown = "、".join(sorted(phrases)[:20]) + (" …" if len(phrases) > 20 else "")
            console.print(f"{len(phrases)} {what}: {escape(shown)}", highlight=False)
