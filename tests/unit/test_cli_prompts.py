"""`voicebot say` and `voicebot prompts`, with the voices that are everywhere."""

from __future__ import annotations

import wave
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from voicebot.cli.main import app
from voicebot.domain.errors import DataError, ModelError, SettingsError, SynthesisError
from voicebot.registry import resources
from voicebot.speech.synthesis.clips import ClipLibrary

pytestmark = pytest.mark.unit


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("VOICEBOT_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("VOICEBOT_KOKORO", raising=False)
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path / "home"


def run(*arguments: str) -> Result:
    result = CliRunner().invoke(app, arguments)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_a_text_is_said_into_a_file_with_a_warning_if_a_robot_says_it(tmp_path: Path) -> None:
    out = tmp_path / "hello.wav"

    said = run("say", "明天下雨，记得带伞。", "-o", str(out), "--engine", "espeak", "--style", "soft")

    assert "robotic" in said.stderr
    with wave.open(str(out)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (8000, 1, 2)
        assert file.getnframes() > 8000


def test_a_text_that_has_a_clip_is_said_by_it(tmp_path: Path) -> None:
    clip = ClipLibrary(resources.demo_dir() / "prompts" / "consumer_loan").clips[0]

    said = run("say", clip.text, "-o", str(tmp_path / "clip.wav"))

    assert f"clip:{clip.engine}" in said.stdout
    assert "robotic" not in said.stderr


def test_what_cannot_be_said_leaves_no_file(tmp_path: Path) -> None:
    out = tmp_path / "no.wav"
    with pytest.raises(SynthesisError, match="Tom"):
        run("say", "您好，Tom。", "-o", str(out))
    with pytest.raises(SettingsError, match="no engine"):
        run("say", "您好。", "-o", str(out), "--engine", "siri")
    with pytest.raises(ModelError, match=r"misaki|model_quantized"):
        run("say", "您好。", "-o", str(out), "--engine", "kokoro")
    assert not out.exists()
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(SynthesisError, match="cannot be written"):
        run("say", "您好。", "-o", str(tmp_path / "file" / "x.wav"), "--engine", "espeak")


def test_an_own_playbook_is_rendered_and_then_complete(home: Path, tmp_path: Path) -> None:
    book = (resources.playbooks_dir() / "consumer_loan.yaml").read_text("utf-8")
    own = tmp_path / "my_loan.yaml"
    own.write_text(book.replace("id: consumer_loan", "id: my_loan").replace("祝您生活愉快", "祝您万事如意"))

    before = run("prompts", "status", "--playbook", str(own))
    rendered = run("prompts", "render", "--playbook", str(own), "--engine", "espeak")
    after = run("prompts", "status", "--playbook", str(own))

    assert before.exit_code == 1
    assert "missing" in before.stdout
    assert "万事如意" in before.stdout
    assert "robotic" in rendered.stderr
    assert after.exit_code == 0
    assert "robotic" in after.stderr, "the warning stays as long as a robot would speak"
    assert {clip.engine for clip in ClipLibrary(home / "clips" / "my_loan").clips} == {"espeak-ng/cmn"}


def test_recordings_that_do_not_fit_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no recordings"):
        run("prompts", "import", str(tmp_path), "--voice", "v", "--licence", "own")
    (tmp_path / "nobody.wav").write_bytes(b"RIFF")

    refused = run("prompts", "import", str(tmp_path), "--voice", "v", "--licence", "own")

    assert refused.exit_code == 1
    assert "nobody.wav neither a script id nor the words of a script" in refused.stdout
