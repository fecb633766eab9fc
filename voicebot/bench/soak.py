"""Whether hours at load leave the machine as it was: memory, descriptors, threads, waiting, late frames.

Keeps N calls up for hours with the parts of `bench load` and looks every few minutes. Flat means: the last
quarter's memory, of inference and of the line workers, is within 5 % of the second quarter's (the first fills
caches).

Options: --set hours=2 --set calls=12 --set window=300 --set mode=full|media; --data FOLDER of speech.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from voicebot.bench import load, processes
from voicebot.bench.frame import Options, Result
from voicebot.bench.load_house import House, Plan
from voicebot.bench.load_rows import tell
from voicebot.bench.load_speech import prepare
from voicebot.domain.errors import DataError

MOST_GROWTH_PCT = 5.0


def run(options: Options) -> Result:
    """Keep the load up and look."""
    mode = options.extra.get("mode", "full")
    if mode not in load.INFERENCE:
        raise DataError(f"mode={mode} is not known", hint="--set mode=full or --set mode=media")
    calls = int(options.extra.get("calls", "12"))
    window = float(options.extra.get("window", "300"))
    windows = options.limit or max(4, round(float(options.extra.get("hours", "2")) * 3600 / window))
    with tempfile.TemporaryDirectory(prefix="voicebot-soak-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # the database's own account passes through
        speech = folder / "speech"
        speech.mkdir()
        prepare(speech, options.data, options.seed)
        plan = Plan(calls, load.INFERENCE[mode], speech, folder, options.seed)
        rows = asyncio.run(_soak(plan, windows, window, folder))
    return Result(
        summary(rows),
        rows,
        notes=(
            f"{calls} calls at once, {windows} windows of {window:g} s; every call that ends is placed again",
            f"flat = memory of the last quarter within {MOST_GROWTH_PCT:g} % of the second quarter's, of "
            "inference and of the line workers",
        ),
    )


async def _soak(plan: Plan, windows: int, seconds: float, folder: Path) -> list[Mapping[str, Any]]:
    rows: list[Mapping[str, Any]] = []

    def look(house: House, row: Mapping[str, Any]) -> bool:
        memory, pids = house.memory_mib(), house.pids()
        kept = {key: row[key] for key in _KEPT if key in row}
        rows.append(
            {"minute": round((len(rows) + 1) * seconds / 60)}
            | kept
            | {f"{kind}_mib": value for kind, value in memory.items()}
            | {f"{kind}_files": processes.files(of) for kind, of in pids.items() if kind != "customers"}
            | {f"{kind}_threads": processes.threads(of) for kind, of in pids.items() if kind != "customers"}
        )
        tell(rows[-1], rows[-1])
        return len(rows) < windows

    await load.hold(plan, plan.calls, seconds, folder, look)
    return rows


_KEPT = ("turns", "turn_ms_p50", "turn_ms_p95", "late_pct", "failed", "unanswered", "cores")


def summary(rows: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Return growth from the second quarter to the last, in percent, and how it was at the worst."""

    def grown(name: str) -> float:
        quarter = max(1, len(rows) // 4)
        before = statistics.fmean(float(row[name]) for row in rows[quarter : 2 * quarter] or rows[:1])
        after = statistics.fmean(float(row[name]) for row in rows[-quarter:])
        return 100 * (after / before - 1) if before else 0.0

    def growth(kind: str) -> float:  # of the part that grew most: a big one must not hide a small one
        return max(grown(f"{part}_{kind}") for part in ("inference", "lines"))

    return {
        "hours": rows[-1]["minute"] / 60,
        "memory_growth_pct": growth("mib"),
        "files_growth_pct": growth("files"),
        "threads_growth_pct": growth("threads"),
        "turn_p95_worst_ms": max(row["turn_ms_p95"] for row in rows),
        "late_frames_worst_pct": max(row.get("late_pct", float("nan")) for row in rows),
        "failed": float(sum(row["failed"] for row in rows)),
        "flat": float(growth("mib") <= MOST_GROWTH_PCT),
    }
