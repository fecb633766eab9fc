"""The frame of all benches."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from rich.console import Console

from voicebot.bench import frame
from voicebot.domain.errors import DataError

pytestmark = pytest.mark.unit

BENCH = '''"""Counts to a number."""

from voicebot.bench.frame import Options, Result


def run(options: Options) -> Result:
    rows = [{"system": "ours", "count": 2.0 * options.seed}, {"system": "baseline", "count": None}]
    return Result({"count": 2.0 * options.seed}, rows, notes=("counted by hand",))
'''


@pytest.fixture
def one_bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    package = tmp_path / "benches"
    package.mkdir()
    (package / "counting.py").write_text(BENCH)
    (package / "helper.py").write_text('"""No bench."""\n')
    monkeypatch.setattr("voicebot.bench.__path__", [str(package)])
    return tmp_path


def test_a_bench_prints_its_table_and_writes_all_that_a_reader_needs(one_bench: Path) -> None:
    console = Console(record=True, width=100)
    frame.run("counting", frame.Options(seed=3), one_bench / "out.json", console)
    document = json.loads((one_bench / "out.json").read_text())
    assert document["summary"] == {"count": 6.0}
    assert document["rows"][1] == {"system": "baseline", "count": None}
    assert document["seeds"] == [3]
    assert document["versions"]["voicebot"]
    assert document["machine"]["cores"] >= 1
    shown = console.export_text()
    assert "Counts to a number." in shown
    assert "6.000" in shown
    assert "counted by hand" in shown


def test_only_modules_that_run_are_benches(one_bench: Path) -> None:
    assert frame.names() == ["counting"]


def test_an_unknown_bench_names_the_known_ones(one_bench: Path) -> None:
    with pytest.raises(DataError, match="no bench is called 'speed'") as caught:
        frame.run("speed", frame.Options())
    assert "counting" in caught.value.hint


def test_a_bench_that_needs_data_says_which(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        frame.Options(tmp_path / "absent").need_data("a folder of wav files")
    assert "a folder of wav files with --data" in caught.value.hint
