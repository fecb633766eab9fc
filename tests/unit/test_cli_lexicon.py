"""A manager edits the lexicon in a spreadsheet and imports it."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from voicebot.cli.main import app
from voicebot.domain.errors import DataError
from voicebot.registry import models

pytestmark = pytest.mark.unit

RUN = CliRunner()


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VOICEBOT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path / "home"


def run(*words: str) -> str:
    done = RUN.invoke(app, ["lexicon", *words], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def test_an_exported_file_is_edited_checked_imported_and_used(tmp_path: Path, home: Path) -> None:
    file = tmp_path / "phrases.csv"
    run("export", str(file))
    file.write_text(
        file.read_text("utf-8-sig") + "我头都大了,phrase,0,0.3,0.1,0.6,0,0.8,,,supervisor\n", "utf-8-sig"
    )
    assert "1 new: 我头都大了" in run("check", str(file))
    assert not (home / "models").exists()
    assert "lexicon-2" in run("import", str(file))
    assert models.load(home / "models" / "lexicon" / "2").label == "lexicon-2"
    assert "supervisor" in run("show", "哎我头都大了")


def test_a_bad_line_is_named_and_nothing_imported(tmp_path: Path, home: Path) -> None:
    file = tmp_path / "phrases.csv"
    run("export", str(file))
    file.write_text(file.read_text("utf-8-sig") + "滚滚,phrase,0,0.3,0.1,0.9,0,0.8,,,me\n", "utf-8-sig")
    with pytest.raises(DataError, match=r"sum to 1\.3, not 1"):
        RUN.invoke(app, ["lexicon", "import", str(file)], catch_exceptions=False)
    assert not (home / "models").exists()


def test_an_export_never_writes_over_a_file(tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text("work")
    with pytest.raises(DataError, match="exists already"):
        RUN.invoke(app, ["lexicon", "export", str(tmp_path / "mine.csv")], catch_exceptions=False)


def test_a_text_that_is_not_known_says_what_to_do() -> None:
    done = RUN.invoke(app, ["lexicon", "show", "乾坤"])
    assert done.exit_code == 1
    assert "lexicon export" in done.output
