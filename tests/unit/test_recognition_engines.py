"""Which recogniser is used: the named one, else the best that is here."""

from __future__ import annotations

from pathlib import Path

import pytest

from voicebot.domain.errors import SettingsError
from voicebot.registry import catalogue
from voicebot.speech.recognition import engines
from voicebot.speech.recognition.engines import choose

pytestmark = pytest.mark.unit

ENTRIES = catalogue.load()
NOTHING: dict[str, Path | None] = {"vosk": None, "sherpa": None}


def place(home: Path, name: str) -> Path:
    entry = catalogue.find(name, ENTRIES)
    for needed in entry.needs:
        (home / entry.place / needed).parent.mkdir(parents=True, exist_ok=True)
        (home / entry.place / needed).write_bytes(b"x")
    return home / entry.place


def test_whisper_comes_with_the_packages(tmp_path: Path) -> None:
    choice = choose("auto", NOTHING, tmp_path, ENTRIES)
    assert (choice.engine, choice.directory) == ("whisper", None)


def test_the_best_model_that_is_here_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place(tmp_path, "vosk-model-small-cn-0.22")
    assert choose("auto", NOTHING, tmp_path, ENTRIES).engine == "whisper"
    large = place(tmp_path, "vosk-model-cn-0.22")
    assert choose("auto", NOTHING, tmp_path, ENTRIES).directory == large
    place(tmp_path, "zipformer-zh")
    best = place(tmp_path, "sense-voice")
    assert choose("auto", NOTHING, tmp_path, ENTRIES).directory == best
    assert choose("vosk", NOTHING, tmp_path, ENTRIES).directory == large
    monkeypatch.setattr(engines, "installed", lambda engine: engine != "sherpa")
    assert choose("auto", NOTHING, tmp_path, ENTRIES).directory == large


def test_a_model_that_is_named_wins(tmp_path: Path) -> None:
    place(tmp_path, "sense-voice")
    named = {"vosk": tmp_path / "mine", "sherpa": None}
    assert choose("auto", named, tmp_path, ENTRIES).directory == tmp_path / "mine"


def test_what_is_not_here_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="needs a model") as missing:
        choose("sherpa", NOTHING, tmp_path, ENTRIES)
    assert "models pull" in missing.value.hint
    with pytest.raises(SettingsError, match="no recogniser is called 'siri'"):
        choose("siri", NOTHING, tmp_path, ENTRIES)
