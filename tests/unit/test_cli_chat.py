"""`voicebot chat`: what a person sees who types as the customer."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from voicebot.cli.main import app

pytestmark = pytest.mark.unit


def talk(home: Path, *lines: str) -> str:
    result = CliRunner().invoke(
        app,
        ["chat", "consumer_loan"],
        input="\n".join(lines) + "\n",
        env={"VOICEBOT_HOME": str(home)},
        catch_exceptions=False,
    )
    assert result.exit_code == 0
    return result.output


def test_a_question_shows_candidates_relation_emotion_state_and_reasons(tmp_path: Path) -> None:
    shown = talk(tmp_path, "你们利息多少啊", "/quit")
    for part in ("海豚示例银行", "关系 asks", "情绪 感兴趣", "▶", "场景", "理由", "客户挂断"):
        assert part in shown
    assert "q_rate" in shown


def test_a_no_for_good_ends_the_call_with_its_outcome(tmp_path: Path) -> None:
    shown = talk(tmp_path, "别再给我打电话了", "这一行不再有人听")
    assert "(hang_up)" in shown
    assert "■ do_not_call" in shown
    assert "这一行" not in shown


def test_silence_keys_and_unknown_commands_are_understood(tmp_path: Path) -> None:
    shown = talk(tmp_path, "/silence", "/dtmf 1", "/dtmf", "/dance")
    assert "沉默1次" in shown
    assert shown.count("/quit 客户挂断") == 3  # the greeting, and two lines that are no command
    assert "■" in shown  # the end of input hangs up
