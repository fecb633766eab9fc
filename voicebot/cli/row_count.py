"""The count of rows of a file, while they are read: how many there will be, nobody knows before the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn


@contextmanager
def row_count(console: Console) -> Iterator[Callable[[int], None]]:
    """Show a count on a terminal; yield what takes it."""
    columns = SpinnerColumn(), TextColumn("{task.completed:,.0f} rows"), TimeElapsedColumn()
    with Progress(*columns, console=console, transient=True) as shown:
        task = shown.add_task("", total=None)
        yield lambda rows: shown.update(task, completed=rows)
