"""`voicebot playbook`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from voicebot import bootstrap
from voicebot.call.picture import png
from voicebot.cli.stored import stored
from voicebot.dialogue.difference import compare
from voicebot.dialogue.graph import svg
from voicebot.dialogue.playbook import load, parse
from voicebot.domain.errors import DataError, PlaybookError
from voicebot.domain.script import ANY_SCENE, Playbook
from voicebot.registry.playbooks import PlaybookDirectories
from voicebot.registry.resources import playbooks_dir
from voicebot.settings import Settings
from voicebot.store.playbooks import PlaybookRepository

playbook_app = typer.Typer(
    help="Playbooks (话术库): check, show, draw, import, export, compare.", no_args_is_help=True
)

_Name = Annotated[str, typer.Argument(help="Id of an installed playbook, or a YAML file.")]


@playbook_app.command()
def check(names: Annotated[list[str], typer.Argument(help="YAML files or ids of playbooks.")]) -> None:
    """Say every mistake with file, line and what to do; exit 1 if there is any.

    Example: voicebot playbook check my_product.yaml
    """
    console, broken = Console(highlight=False, soft_wrap=True), 0
    for name in names:
        try:
            playbook = find(name)
        except PlaybookError as error:
            broken += 1
            console.print(f"[red]✗[/red] {name}")
            console.print(error.detail, markup=False)
            console.print(f"  → {error.hint}", markup=False)
            continue
        examples = sum(len(script.examples) for script in playbook.scripts.values())
        console.print(
            f"[green]✓[/green] {playbook.id} {playbook.version}: {len(playbook.scenes)} scenes, "
            f"{len(playbook.scripts)} scripts, {examples} example lines"
        )
    if broken:
        raise typer.Exit(1)


@playbook_app.command()
def show(name: _Name) -> None:
    """Show scenes and scripts.

    Example: voicebot playbook show consumer_loan
    """
    playbook = find(name)
    console = Console()
    console.print(
        f"[bold]{playbook.title}[/bold] · {playbook.company} · {playbook.product} · {playbook.version}",
        highlight=False,
    )
    titles = {scene.id: scene.title for scene in playbook.scenes.values()} | {ANY_SCENE: "任何时候"}
    for scene, title in titles.items():
        table = Table("script", "act", title=f"{title} {scene}", title_justify="left")
        for column in ("text", "examples", "then"):
            table.add_column(column, overflow="fold")  # hanzi have no spaces to break at
        for script in playbook.scripts.values():
            if script.scene != scene:
                continue
            then = [f"{answer.name} → {answer.then}" for answer in script.answers if answer.then]
            then += [script.action.value] if script.action.value != "say" else []
            table.add_row(script.id, script.act, script.text, str(len(script.examples)), "\n".join(then))
        if table.row_count:
            console.print(table)


@playbook_app.command()
def graph(
    name: _Name,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help=".svg or .png file; default: <id>.svg")
    ] = None,
) -> None:
    """Draw the scenes and the ways between them as SVG, or as PNG (extra `plot`).

    Example: voicebot playbook graph consumer_loan -o loan.png
    """
    playbook = find(name)
    target = out or Path(f"{playbook.id}.svg")
    if target.suffix not in (".svg", ".png"):
        raise DataError(f"{target.name} is no picture", hint="end the name with .svg or .png")
    drawn = svg(playbook)
    target.write_bytes(png(drawn) if target.suffix == ".png" else drawn.encode())
    typer.echo(str(target))


@playbook_app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="YAML file of a playbook.")],
    replace: Annotated[bool, typer.Option(help="Put it in the place of an installed one.")] = False,
) -> None:
    """Check a file and install it; calls that begin from now on use it, running ones keep theirs.

    Example: voicebot playbook import my_product.yaml
    """
    playbook, settings = load(file), Settings()
    target = settings.home / "playbooks" / f"{playbook.id}.yaml"
    if target.is_file() and not replace and load(target).version != playbook.version:
        raise DataError(
            f"{playbook.id} is installed in another version",
            hint=f"look at: voicebot playbook diff {playbook.id} {file}; then import it with --replace",
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_suffix(".part")
    part.write_bytes(file.read_bytes())
    part.replace(target)
    bootstrap.playbooks(settings).get(playbook.id)  # the archive notes it, where there is a database
    typer.echo(f"{playbook.id} {playbook.version}: {target}")


@playbook_app.command()
def export(
    name: _Name,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="YAML file; default: the screen")] = None,
) -> None:
    """Write the file of a playbook; ID@VERSION takes an older version from the database.

    Example: voicebot playbook export consumer_loan@65f4652b7edd -o old.yaml
    """
    text = _text(name)
    if out is None:
        typer.echo(text, nl=False)
    else:
        out.write_text(text, "utf-8")
        typer.echo(str(out))


@playbook_app.command()
def diff(
    old: Annotated[str, typer.Argument(help="ID, ID@VERSION or a YAML file.")],
    new: Annotated[str, typer.Argument(help="ID, ID@VERSION or a YAML file.")],
) -> None:
    """Say what changed, script by script; exit 1 if anything did.

    Example: voicebot playbook diff consumer_loan my_loan.yaml
    """
    changes = list(compare(parse(_text(old), old), parse(_text(new), new)))
    console, colours = Console(highlight=False, soft_wrap=True), {"+": "green", "-": "red", "~": "yellow"}
    for change in changes:
        console.print(f"[{colours[change.kind]}]{change.kind} {change.where}[/] {escape(change.what)}")
        for sign, text in (("-", change.before), ("+", change.after)):
            if text:
                console.print(f"    {sign} {text}", markup=False)
    if changes:
        raise typer.Exit(1)
    console.print("no difference")


@playbook_app.command()
def versions(playbook_id: Annotated[str, typer.Argument(metavar="ID")]) -> None:
    """List the versions that calls were conducted with, newest first; they lie in the database.

    Example: voicebot playbook versions consumer_loan
    """
    with stored(Settings()) as store, store.transaction() as session:
        kept = PlaybookRepository(session).versions(playbook_id)
    table = Table("version", "since")
    for one in kept:
        table.add_row(one.version, f"{one.at:%Y-%m-%d %H:%M}")
    Console().print(table if kept else f"no call was conducted with {playbook_id} yet")


def _text(name: str) -> str:
    """Return the text of a playbook's file: installed, older, or named. Raises PlaybookError."""
    playbook_id, at, version = name.partition("@")
    if not at:
        path = Path(name)
        if path.suffix not in (".yaml", ".yml") and not path.is_file():
            path = next(
                (
                    folder / f"{name}.yaml"
                    for folder in (Settings().home / "playbooks", playbooks_dir())
                    if (folder / f"{name}.yaml").is_file()
                ),
                path,
            )
        load(path)
        return path.read_text("utf-8")
    with stored(Settings()) as store, store.transaction() as session:
        text = PlaybookRepository(session).text(playbook_id, version)
    if not text:
        raise PlaybookError(
            f"{playbook_id} has no version {version}", hint=f"voicebot playbook versions {playbook_id}"
        )
    return text


def find(name: str) -> Playbook:
    """Return an installed playbook, or that of a YAML file. Raises PlaybookError."""
    path = Path(name)
    if path.suffix in (".yaml", ".yml") or path.is_file():
        return load(path)
    return PlaybookDirectories([Settings().home / "playbooks", playbooks_dir()], load).get(name)
