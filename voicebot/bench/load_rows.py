"""Reading what customers noticed. A helper of `bench load`."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import structlog

log = structlog.get_logger()
_TOLD = ("system", "calls", "turn_ms_p50", "turn_ms_p95", "late_pct", "cores")


def events_since(files: Iterable[Path], since: float) -> list[Mapping[str, Any]]:
    """Return the events in files of JSON lines since a time (seconds since the epoch)."""
    found = []
    for path in files:
        for line in path.read_text("utf-8").splitlines():
            event = json.loads(line) if line.endswith("}") else {"at": 0}
            if event["at"] >= since:
                found.append(event)
    return found


def at_quantile(ordered: Sequence[float], quantile: float) -> float:
    """Return a quantile of ordered values, 0 if there are none."""
    return float(ordered[min(len(ordered) - 1, int(quantile * len(ordered)))]) if ordered else 0.0


def tell(row: Mapping[str, Any], names: Collection[str] = _TOLD) -> None:
    """Log a step as soon as it is over: the whole takes long, and what was seen is not to be lost."""
    log.info(
        "step",
        **{
            name: round(row[name], 3) if isinstance(row[name], float) else row[name]
            for name in names
            if name in row
        },
    )
