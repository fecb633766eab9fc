"""Versions of a playbook: what changed, what is kept, what a running call goes on with."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from voicebot.cli.playbook import playbook_app
from voicebot.dialogue import playbook
from voicebot.dialogue.difference import compare
from voicebot.domain.errors import PlaybookError
from voicebot.registry.playbooks import PlaybookDirectories
from voicebot.registry.resources import playbooks_dir

pytestmark = pytest.mark.unit

SURVEY = playbooks_dir() / "after_sales.yaml"
HOTTER = ("漏水多半是排水管没放顺", "漏水一般是排水管没放顺")


class Shelf:
    """An archive in memory: the port's only fake."""

    def __init__(self) -> None:
        self.texts: dict[tuple[str, str], str] = {}

    def keep(self, playbook_id: str, version: str, text: str) -> None:
        self.texts[playbook_id, version] = text

    def text(self, playbook_id: str, version: str) -> str:
        return self.texts.get((playbook_id, version), "")


def changed(folder: Path) -> Path:
    file = folder / "after_sales.yaml"
    text = SURVEY.read_text("utf-8").replace(*HOTTER).replace("[漏水, 内机一直滴水", "[漏水, 空调哭了")
    file.write_text(text, "utf-8")
    return file


def test_a_call_keeps_its_version_over_a_restart_and_new_calls_get_the_new_one(tmp_path: Path) -> None:
    shelf = Shelf()
    (tmp_path / "after_sales.yaml").write_text(SURVEY.read_text("utf-8"), "utf-8")
    old = PlaybookDirectories([tmp_path], playbook.load, playbook.parse, shelf).get("after_sales")
    changed(tmp_path)
    restarted = PlaybookDirectories([tmp_path], playbook.load, playbook.parse, shelf)
    assert restarted.get("after_sales").version != old.version
    assert restarted.get("after_sales", old.version) == old
    with pytest.raises(PlaybookError, match="gone"):
        restarted.get("after_sales", "000000000000")


def test_a_comparison_names_scripts_fields_and_lines(tmp_path: Path) -> None:
    old, new = playbook.load(SURVEY), playbook.load(changed(tmp_path))
    found = {(change.where, change.what): change for change in compare(old, new)}
    assert set(found) == {("trouble_leak", "text"), ("trouble_leak", "examples")}
    lines = found["trouble_leak", "examples"]
    assert (lines.before, lines.after) == ("内机一直滴水", "空调哭了")
    assert not list(compare(old, old))


def test_import_export_and_diff_work_from_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VOICEBOT_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("VOICEBOT_DATABASE_URL", raising=False)
    run = CliRunner().invoke
    file = changed(tmp_path)
    assert run(playbook_app, ["diff", "after_sales", str(file)]).exit_code == 1
    assert run(playbook_app, ["import", str(file)]).exit_code == 0
    out = tmp_path / "out.yaml"
    assert run(playbook_app, ["export", "after_sales", "-o", str(out)]).exit_code == 0
    assert out.read_text("utf-8") == file.read_text("utf-8")
    same = run(playbook_app, ["diff", "after_sales", str(file)])
    assert (same.exit_code, same.output.strip()) == (0, "no difference")
    refused = run(playbook_app, ["import", str(SURVEY)])
    assert "another version" in str(refused.exception)
    assert run(playbook_app, ["import", str(SURVEY), "--replace"]).exit_code == 0
