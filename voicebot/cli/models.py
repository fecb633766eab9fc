"""`voicebot models`: what is here, what can be fetched, and whether it is undamaged."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn
from rich.table import Table

from voicebot import bootstrap
from voicebot.domain.errors import ModelError
from voicebot.registry import catalogue, fetched, models
from voicebot.registry.catalogue import Entry
from voicebot.settings import Settings
from voicebot.speech.recognition import weights

models_app = typer.Typer(help="Models: list, fetch, verify. 模型.", no_args_is_help=True)

WHISPER = "whisper-base"


@models_app.callback()
def _group() -> None:
    """List, fetch and verify models."""


@models_app.command("list")
def list_() -> None:
    """Show every model: trained and shipped ones by version, and those that can be fetched.

    Examples:
      voicebot models list
    """
    settings = Settings()
    console = Console()
    console.print(_trained(settings))
    console.print(_fetchable(settings))
    console.print(
        f"recogniser in use: {escape(bootstrap.recognizer_choice(settings).label)}", highlight=False
    )


@models_app.command()
def pull(
    names: Annotated[list[str], typer.Argument(metavar="NAME...", help="Of `voicebot models list`.")],
    origin: Annotated[
        str, typer.Option("--from", help="Folder with the site's files, or URL of a mirror of them.")
    ] = "",
    force: Annotated[bool, typer.Option(help="Fetch it again although it is there.")] = False,
) -> None:
    """Fetch models from their public sites; goes on where it was interrupted, and verifies what it got.

    Examples:
      voicebot models pull kokoro
      voicebot models pull sense-voice vosk-model-small-cn-0.22
      voicebot models pull kokoro --from /media/usb      # without a network: the files, fetched elsewhere
    """
    settings = Settings()
    console = Console()
    entries = catalogue.load()
    for entry in [catalogue.find(name, entries) for name in names if name != WHISPER]:
        folder = settings.home / entry.place
        if entry.present(folder) and not force and not fetched.damaged(entry, folder):
            console.print(f"{entry.name}: already in {folder}", highlight=False)
            continue
        if origin and "://" not in origin and not Path(origin).is_dir():
            raise ModelError(f"{origin} is no folder", hint="--from FOLDER or --from https://mirror/folder")
        console.print(f"{entry.name}: {entry.title}; licence: {entry.licence}", highlight=False)
        with _bar(entry.name) as progress:
            fetched.pull(
                entry, folder, datetime.now(UTC), origin=origin or settings.models_mirror, progress=progress
            )
        console.print(f"{entry.name}: in {folder}", highlight=False)
    if WHISPER in names:
        with _bar(WHISPER) as progress:
            folder = weights.assemble(settings.home / "models" / WHISPER, progress)
        console.print(f"{WHISPER}: in {folder}", highlight=False)


@models_app.command()
def check(
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="Only these.")] = None,
) -> None:
    """Verify every file of every model against its manifest or record; exit 1 if one is damaged.

    Examples:
      voicebot models check
      voicebot models check kokoro emotion
    """
    console = Console()
    bad = looked = 0
    for name, wrong in _checks(Settings()):
        if names and name.split()[0] not in names:
            continue
        looked += 1
        bad += bool(wrong)
        mark = "[red]✗[/red]" if wrong else "[green]✓[/green]"
        console.print(
            f"{mark} {escape(name)}  {escape('; '.join(wrong) or 'as it should be')}", highlight=False
        )
    if names and not looked:
        raise ModelError(f"no model is called {' or '.join(names)} here", hint="voicebot models list")
    if bad:
        console.print(
            f"{bad} damaged: fetch (voicebot models pull NAME --force), train or install them again"
        )
        raise typer.Exit(1)


def _checks(settings: Settings) -> Iterator[tuple[str, list[str]]]:
    """Yield each model with what is wrong with it."""
    for directory in models.installed(bootstrap.model_roots(settings)):
        yield f"{directory.parent.name} {directory.name}", _complaint(lambda at=directory: models.load(at))  # type: ignore[misc]
    whisper = settings.home / "models" / WHISPER
    if whisper.is_dir():
        yield WHISPER, _complaint(lambda: weights.verify(whisper))
    for entry in catalogue.load():
        folder = settings.home / entry.place
        if folder.is_dir():
            known = "" if fetched.recorded(folder) else " (placed by hand)"
            yield entry.name + known, fetched.damaged(entry, folder)


def _complaint(verify: Callable[[], object]) -> list[str]:
    try:
        verify()
    except ModelError as wrong:
        return [wrong.detail]
    return []


def _trained(settings: Settings) -> Table:
    table = Table("model", "version", "", "lies in", "figures", title="trained and shipped")
    roots = bootstrap.model_roots(settings)
    for directory in models.installed(roots):
        name = directory.parent.name
        used = directory == models.find(roots, name)
        own = directory.is_relative_to(settings.home)
        figures = ", ".join(f"{key} {value:.3g}" for key, value in _figures(directory)[:3])
        place = "data home" if own else "shipped"
        table.add_row(name, directory.name, "in use" if used else "", place, figures)
    return table


def _figures(directory: Path) -> list[tuple[str, float]]:
    try:
        return list(models.peek(directory).metrics.items())
    except ModelError:
        return []


def _fetchable(settings: Settings) -> Table:
    table = Table(
        "model", "kind", "MB", "state", "licence", "what", title="to be fetched: voicebot models pull NAME"
    )
    there = weights.is_complete(settings.home / "models" / WHISPER)
    state = "[green]here[/green]" if there else "comes with the packages"
    table.add_row(WHISPER, "recogniser", "145", state, "MIT", "OpenAI's whisper-base, the default")
    for entry in catalogue.load():
        table.add_row(
            entry.name, entry.kind, str(entry.mb), _state(entry, settings), entry.licence, entry.title
        )
    return table


def _state(entry: Entry, settings: Settings) -> str:
    folder = settings.home / entry.place
    if entry.present(folder):
        return "[green]here[/green]"
    return "[yellow]incomplete[/yellow]" if folder.is_dir() else "–"


@contextmanager
def _bar(title: str) -> Iterator[Callable[[int, int], None]]:
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(title, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total or None)
