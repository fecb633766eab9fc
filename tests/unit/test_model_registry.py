"""Only models that fit are loaded; the error says what to do."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from voicebot.domain.errors import ModelError
from voicebot.emotion import model
from voicebot.registry import models, resources

pytestmark = pytest.mark.unit


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    source = models.find((resources.models_dir(),), model.NAME)
    return Path(shutil.copytree(source, tmp_path / "emotion" / "1"))


def change(directory: Path, **values: object) -> None:
    path = directory / models.MANIFEST
    path.write_text(json.dumps({**json.loads(path.read_text("utf-8")), **values}), "utf-8")


def test_the_shipped_model_loads(copied: Path) -> None:
    assert model.load(copied).version == "emotion-1"


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"rate_hz": 16000}, "rate_hz 16000, here it is 8000"),
        ({"codec": "AMR"}, "codec 'AMR'"),
        ({"feature_version": "egemaps"}, "feature_version 'egemaps'"),
        ({"format": 0}, "format 0"),
        ({"surprise": 1}, "no manifest"),
    ],
)
def test_a_model_made_for_something_else_is_refused(
    copied: Path, values: dict[str, object], complaint: str
) -> None:
    change(copied, **values)
    with pytest.raises(ModelError, match=complaint) as error:
        model.load(copied)
    assert error.value.hint


def test_corrupt_and_missing_files_are_refused(copied: Path) -> None:
    weights = copied / model.WEIGHTS
    weights.write_text(weights.read_text("utf-8").replace("0.", "1.", 1), "utf-8")
    with pytest.raises(ModelError, match="corrupt"):
        model.load(copied)
    weights.unlink()
    with pytest.raises(ModelError, match="missing"):
        model.load(copied)
    (copied / models.MANIFEST).write_text("{", "utf-8")
    with pytest.raises(ModelError, match="can not be read"):
        model.load(copied)


def test_weights_of_another_shape_are_refused(copied: Path) -> None:
    weights = copied / model.WEIGHTS
    raw = json.loads(weights.read_text("utf-8"))
    raw["second"]["coef"] = [row[:-1] for row in raw["second"]["coef"]]
    weights.write_text(json.dumps(raw), "utf-8")
    models.save(copied, models.Manifest(**json.loads((copied / models.MANIFEST).read_text("utf-8"))))
    with pytest.raises(ModelError, match="does not hold this model"):
        model.load(copied)


def test_the_newest_version_is_found_by_number(copied: Path, tmp_path: Path) -> None:
    for version in ("9", "10", "9.1"):
        shutil.copytree(copied, copied.parent / version)
    assert models.find((tmp_path,), "emotion").name == "10"
    assert models.find((tmp_path,), "emotion", "9.1").name == "9.1"
    with pytest.raises(ModelError, match="no emotion 11"):
        models.find((tmp_path,), "emotion", "11")
    with pytest.raises(ModelError, match="no ranker model"):
        models.find((tmp_path,), "ranker")
