"""`voicebot playbook`: what an editor of playbooks sees."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest
from typer.testing import CliRunner

from voicebot.cli.playbook import playbook_app
from voicebot.registry.resources import playbooks_dir

pytestmark = pytest.mark.unit

LOAN = playbooks_dir() / "consumer_loan.yaml"


def test_a_sound_playbook_passes_and_is_counted() -> None:
    result = CliRunner().invoke(playbook_app, ["check", str(LOAN), "consumer_loan"])
    assert result.exit_code == 0
    assert result.output.count("✓ consumer_loan") == 2


def test_a_broken_one_fails_with_file_line_and_remedy(tmp_path: Path) -> None:
    lines = LOAN.read_text("utf-8").splitlines()
    row = next(number for number, line in enumerate(lines, 1) if "年化利率最低百分之七点二，按单利算" in line)
    broken = tmp_path / "broken.yaml"
    broken.write_text(
        "\n".join(lines).replace("年化利率最低百分之七点二，按单利算", "年化利率最低7.2%"), "utf-8"
    )
    result = CliRunner().invoke(playbook_app, ["check", str(broken), "nowhere"])
    assert result.exit_code == 1
    assert (
        f"broken.yaml:{row}: scenes.questions.scripts.q_rate.text: % . 2 7 can not be spoken" in result.output
    )
    assert "there is no playbook nowhere" in result.output


def test_the_scripts_are_shown_by_scene() -> None:
    result = CliRunner().invoke(playbook_app, ["show", "consumer_loan"], env={"COLUMNS": "200"})
    assert result.exit_code == 0
    assert "海豚示例银行" in result.output
    assert "q_prepay" in result.output


def test_the_picture_holds_every_scene(tmp_path: Path) -> None:
    picture = tmp_path / "loan.svg"
    assert CliRunner().invoke(playbook_app, ["graph", "consumer_loan", "-o", str(picture)]).exit_code == 0
    texts = {node.text for node in ElementTree.parse(picture).iter("{http://www.w3.org/2000/svg}text")}
    assert {"开场", "产品介绍", "客户提问", "结束"} <= texts
