"""`voicebot playbook`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from voicebot.dialogue.graph import svg
from voicebot.dialogue.playbook import load
from voicebot.domain.errors import PlaybookError
from voicebot.domain.script import ANY_SCENE, Playbook
from voicebot.registry.playbooks import PlaybookDirectories
from voicebot.registry.resources import playbooks_dir
from voicebot.settings import Settings

playbook_app = typer.Typer(help="Playbooks (话术库): check, show, draw.", no_args_is_help=True)

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
        table = Table(
            "script", "act", "text", "examples", "then", title=f"{title} {scene}", title_justify="left"
        )
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
    out: Annotated[Path | None, typer.Option("--out", "-o", help="SVG file; default: <id>.svg here.")] = None,
) -> None:
    """Draw the scenes and the ways between them as SVG.

    Example: voicebot playbook graph consumer_loan -o loan.svg
    """
    playbook = find(name)
    target = out or Path(f"{playbook.id}.svg")
    target.write_text(svg(playbook), "utf-8")
    typer.echo(str(target))


def find(name: str) -> Playbook:
    """Return an installed playbook, or that of a YAML file. Raises PlaybookError."""
    path = Path(name)
    if path.suffix in (".yaml", ".yml") or path.is_file():
        return load(path)
    return PlaybookDirectories([Settings().home / "playbooks", playbooks_dir()], load).get(name)
