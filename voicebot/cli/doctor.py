"""`voicebot doctor`."""

from __future__ import annotations

import typer
from rich.console import Console
from rich.markup import escape

from voicebot.service import logs
from voicebot.service.doctor import examine
from voicebot.settings import Settings


def doctor() -> None:
    """Say what is installed, which engines, database and ports work, and how to mend each."""
    logs.configure("doctor", "warning")
    console = Console()
    bad = 0
    for check in examine(Settings()):
        mark = "[green]✓[/green]" if check.ok else "[red]✗[/red]" if check.needed else "[yellow]–[/yellow]"
        console.print(f"{mark} [bold]{escape(check.name)}[/bold]  {escape(check.found)}", highlight=False)
        if check.ok:
            continue
        bad += check.needed
        if check.mend:
            console.print(f"   → {escape(check.mend)}", highlight=False)
    if bad:
        console.print(f"{bad} to mend")
        raise typer.Exit(1)
    console.print("all well")
