"""The frame of every bench: options in; a table, a summary and a JSON file out.

A bench is a module of this package with a docstring, whose first line is its title, and a function
`run(options: Options) -> Result`. Helpers that are no bench declare no `run`.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import os
import pkgutil
import platform
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

import voicebot
import voicebot.bench
from voicebot.domain.errors import DataError

VERSIONED = ("numpy", "scipy", "onnxruntime", "faster-whisper", "ctranslate2", "pjsua2-python", "sqlalchemy")


@dataclass(frozen=True, slots=True)
class Options:
    """What the user asked a bench for."""

    data: Path | None = None  # folder or file to judge; None = the bench's own default, if it has one
    seed: int = 1
    limit: int = 0  # at most so many items; 0 = all
    extra: Mapping[str, str] = field(default_factory=dict)  # --set key=value

    def need_data(self, what: str) -> Path:
        """Return the data path, or say what is needed."""
        if self.data is None or not self.data.exists():
            raise DataError(
                f"{self.data or 'no data'} does not exist" if self.data else "no data given",
                hint=f"name {what} with --data PATH",
            )
        return self.data


@dataclass(frozen=True, slots=True)
class Result:
    """What a bench found."""

    summary: Mapping[str, float]  # flat: the figures that are tracked
    rows: list[Mapping[str, Any]]  # one a system, engine or condition: ours beside the baselines
    seeds: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()  # what a reader must know to judge the figures


def names() -> list[str]:
    """Return the names of all benches."""
    found = []
    for module in pkgutil.iter_modules(voicebot.bench.__path__):
        source = Path(voicebot.bench.__path__[0]) / f"{module.name}.py"
        if source.is_file() and "\ndef run(" in source.read_text("utf-8"):
            found.append(module.name)
    return sorted(found)


def title(name: str) -> str:
    """Return a bench's one-line description."""
    return (_module(name).__doc__ or name).strip().splitlines()[0]


def _module(name: str) -> Any:
    if name not in names():
        raise DataError(f"no bench is called {name!r}", hint=f"choose one of: {', '.join(names())}")
    return importlib.import_module(f"voicebot.bench.{name}")


def run(name: str, options: Options, json_file: Path | None = None, console: Console | None = None) -> Result:
    """Run a bench, print its table, and write FILE with summary, rows, seeds, versions and machine."""
    console = console or Console()
    module = _module(name)
    bench: Callable[[Options], Result] = module.run
    began, cpu = time.monotonic(), time.process_time()
    result = bench(options)
    document = {
        "bench": name,
        "title": title(name),
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "options": {
            # the folder's name, not its place on this machine
            "data": options.data.name if options.data else None,
            "seed": options.seed,
            "limit": options.limit,
            **options.extra,
        },
        "summary": dict(result.summary),
        "rows": [dict(row) for row in result.rows],
        "seeds": list(result.seeds or (options.seed,)),
        "notes": list(result.notes),
        "wall_s": round(time.monotonic() - began, 1),
        "cpu_s": round(time.process_time() - cpu, 1),
        "versions": versions(),
        "machine": machine(),
    }
    _print(document, console)
    if json_file:
        json_file.write_text(json.dumps(document, ensure_ascii=False, indent=1) + "\n", "utf-8")
        console.print(f"written: {json_file}")
    return result


def versions() -> dict[str, str]:
    """Return our version and those of the packages that decide figures."""
    found = {"voicebot": voicebot.__version__, "python": platform.python_version()}
    for package in VERSIONED:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = "absent"
    return found


def machine() -> dict[str, Any]:
    """Return what a reader must know of the machine."""
    model = platform.processor()
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        model = lines[0].split(":", 1)[1].strip() if lines else model
    return {"cpu": model, "cores": os.cpu_count(), "system": f"{platform.system()} {platform.machine()}"}


def _print(document: Mapping[str, Any], console: Console) -> None:
    rows = document["rows"]
    if rows:
        columns = list(dict.fromkeys(key for row in rows for key in row))
        table = Table(title=document["title"])
        for index, column in enumerate(columns):
            table.add_column(column, justify="left" if index == 0 else "right")
        for row in rows:
            table.add_row(*(_text(row.get(column)) for column in columns))
        console.print(table)
    for key, value in document["summary"].items():
        console.print(f"  [bold]{key}[/bold] = {_text(value)}")
    for note in document["notes"]:
        console.print(f"  · {note}", style="dim")
    console.print(
        f"  {document['wall_s']} s, {document['cpu_s']} CPU-s on {document['machine']['cpu']}", style="dim"
    )


def _text(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.3f}" if abs(value) < 10 else f"{value:,.1f}"
    return str(value)
