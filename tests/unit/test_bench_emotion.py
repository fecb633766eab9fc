"""The bench of emotion: bad corpora are named, figures come out on a small one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from voicebot.bench import emotion
from voicebot.bench.frame import Options
from voicebot.domain.errors import DataError

pytestmark = pytest.mark.unit


def corpus(folder: Path) -> Path:
    lines = ["file\tlabel\tspeaker"]
    t = np.arange(8000) / 8000
    for speaker, f0 in (("a", 110.0), ("b", 200.0)):
        for number, label in enumerate(["neutral"] * 5 + ["angry"] * 3 + ["sad"]):
            raised = label == "angry"
            pitch, tilt = f0 * (1.5 if raised else 1 + number / 200), 0.7 if raised else 1.6
            sound = np.sum([np.sin(2 * np.pi * k * pitch * t) / k**tilt for k in range(2, 12)], axis=0)
            name = f"{speaker}{number}.wav"
            soundfile.write(folder / name, sound / np.abs(sound).max() * (0.5 if raised else 0.2), 8000)
            lines.append(f"{name}\t{label}\t{speaker}")
    (folder / "labels.tsv").write_text("\n".join(lines), "utf-8")
    return folder


def test_voices_that_differ_clearly_are_told_apart(tmp_path: Path) -> None:
    result = emotion.run(Options(corpus(tmp_path)))
    assert result.summary["uar_calm_irritated"] == 1.0
    assert result.summary["friendly_called_annoyed"] == 0.0
    assert {"uar_p10_speaker", "calm_called_annoyed", "irritated_caught", "ece"} <= set(result.summary)
    naive = next(row for row in result.rows if "naive" in str(row["system"]))
    assert naive["uar"] == 0.5


def test_a_corpus_that_does_not_fit_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"labels\.tsv is missing"):
        emotion.run(Options(tmp_path))
    (tmp_path / "labels.tsv").write_text("file\tlabel\tspeaker\nno.wav\tangry\ta\n", "utf-8")
    with pytest.raises(DataError, match="line 2"):
        emotion.run(Options(tmp_path))
