"""`voicebot doctor`."""

from __future__ import annotations

import typer
from rich.console import Console

from voicebot.service.doctor import examine
from voicebot.settings import Settings


def doctor() -> None:
    """Say what is installed, which engines, database and ports work, and how to mend each."""
    console = Console()
    bad = 0
    for check in examine(Settings()):
        mark = "[green]✓[/green]" if check.ok else "[red]✗[/red]"
        console.print(f"{mark} [bold]{check.name}[/bold]  {check.found}", highlight=False)
        if not check.ok:
            bad += 1
            if check.mend:
                console.print(f"   → {check.mend}", highlight=False)
    if bad:
        console.print(f"{bad} to mend")
        raise typer.Exit(1)
    console.print("all well")
