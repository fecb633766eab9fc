"""What the load and soak benches conclude from what they saw."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from voicebot.bench import load, load_peer, soak
from voicebot.bench.load_rows import at_quantile, events_since

pytestmark = pytest.mark.unit


def step(calls: int, p95: float, late: float = 0.0, turns: int = 40) -> dict[str, Any]:
    return {"calls": calls, "turn_ms_p95": p95, "late_pct": late, "turns": turns}


def test_what_is_carried_ends_where_customers_wait_or_frames_come_late() -> None:
    rows = [step(1, 1000), step(8, 1400), step(16, 1501)]
    assert [row["calls"] for row in load._carried(rows)] == [1, 8]
    assert [row["calls"] for row in load._carried([step(1, 900), step(8, 900, late=0.6)])] == [1]
    assert load._carried([step(1, 900, turns=0)]) == [], "who says nothing carries nothing"


def test_the_ratio_to_pipecat_is_that_of_the_calls_carried() -> None:
    ours = [step(1, 1000), step(8, 1200), step(12, 1300)]
    theirs = [step(1, 900), step(4, 1000), step(8, 9000)]
    result = load._result("full", ours, theirs, 2.5)
    assert result.summary["calls_full"] == 12
    assert result.summary["calls_pipecat"] == 4
    assert result.summary["calls_ratio_to_pipecat"] == 3
    assert "calls_ratio_to_pipecat" not in load._result("full", ours, [], 2.5).summary


def minute(at: int, mib: float) -> dict[str, Any]:
    kinds = ("inference", "lines")
    shares = {f"{kind}_{what}": mib / 2 for kind in kinds for what in ("mib", "files", "threads")}
    return {"minute": at, "turn_ms_p95": 900.0, "late_pct": 0.1, "failed": 0, **shares}


def test_memory_that_grows_is_not_flat_and_what_fills_caches_at_first_is() -> None:
    filling = [minute(5 * n, mib) for n, mib in enumerate((500, 800, 1000, 1000, 1000, 1000, 1010, 1010), 1)]
    growing = [minute(5 * n, 1000 + 50 * n) for n in range(1, 9)]
    assert soak.summary(filling)["flat"] == 1
    assert soak.summary(growing)["flat"] == 0
    leaking = [minute(5 * n, 1000) | {"lines_mib": 100 + 5 * n} for n in range(1, 9)]
    assert soak.summary(leaking)["flat"] == 0, "though inference, which is big, stays as it is"
    assert soak.summary(growing)["memory_growth_pct"] > 15
    assert soak.summary([minute(5, 1000)])["memory_growth_pct"] == 0


def test_events_of_before_and_a_torn_line_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    lines = [json.dumps({"event": "said", "at": at}) for at in (1.0, 2.0, 3.0)]
    path.write_text("\n".join(lines) + '\n{"event": "sa', "utf-8")
    assert [event["at"] for event in events_since([path], 2.0)] == [2.0, 3.0]


def test_late_replies_are_counted_in_the_time_that_is_seen() -> None:
    frames = [
        {"event": "frames", "packets": 100, "late": 10},
        {"event": "frames", "packets": 300, "late": 11},
    ]
    assert load_peer._late_pct([*frames, {"event": "answer"}]) == 0.5
    assert load_peer._late_pct(frames[:1]) == 0


def test_quantiles_are_of_what_is_there() -> None:
    assert [at_quantile([1.0, 2.0, 3.0, 4.0], q) for q in (0.0, 0.5, 0.95)] == [1.0, 3.0, 4.0]
    assert at_quantile([], 0.5) == 0
