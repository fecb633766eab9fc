"""Judged turns join what the second emotion learns from."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from voicebot.domain.emotion import Distribution, EmotionSample
from voicebot.domain.errors import DataError
from voicebot.emotion import model, training
from voicebot.emotion.lexicon import COLUMNS, Lexicon, parse
from voicebot.emotion.prosody import FEATURE_VERSION, NAMES
from voicebot.emotion.samples import SampleFile, require_version
from voicebot.registry import models, resources

pytestmark = pytest.mark.unit

CSV = "\n".join(
    (
        ",".join(COLUMNS),
        "利息多少,phrase,0.5,0.5,0,0,0,0.5,,,test",
        "不要说了,phrase,0,0.4,0,0.6,0,0.8,,,test",
        "滚,phrase,0,0,0,0.1,0.9,1,,,test",
        "再说吧,phrase,0,0.4,0.6,0,0,0.5,,,test",
    )
)
CALM_VOICE = tuple(0.0 for _ in NAMES)


def line(**changes: object) -> str:
    good = {
        "turn": "t1", "text": "不要说了", "label": "annoyed",
        "vector": CALM_VOICE, "baseline": CALM_VOICE, "feature_version": FEATURE_VERSION,
    }  # fmt: skip
    return json.dumps(good | changes, ensure_ascii=False)


def test_labels_and_shares_are_read(tmp_path: Path) -> None:
    file = tmp_path / "judged.jsonl"
    file.write_text(line() + "\n\n" + line(turn="t2", label={"calm": 1, "annoyed": 3}) + "\n", "utf-8")
    first, second = SampleFile(file).samples()
    assert first.label == Distribution(annoyed=1.0)
    assert second.label == Distribution(calm=0.25, annoyed=0.75)
    assert (first.turn, second.turn) == ("t1", "t2")


@pytest.mark.parametrize(
    "bad", ["{", line(label="furious"), line(vector=[1.0]), json.dumps({"turn": "t1"}), "[]"]
)
def test_a_bad_line_is_named(tmp_path: Path, bad: str) -> None:
    file = tmp_path / "judged.jsonl"
    file.write_text(line() + "\n" + bad + "\n", "utf-8")
    with pytest.raises(DataError, match=r"judged\.jsonl line 2"):
        list(SampleFile(file).samples())


def test_turns_that_were_measured_otherwise_are_refused() -> None:
    other = EmotionSample("t9", "好", Distribution(calm=1.0), CALM_VOICE, CALM_VOICE, "egemaps")
    with pytest.raises(DataError, match="t9 was measured by features 'egemaps'"):
        require_version([other])


def test_what_people_judged_changes_what_a_phrase_means() -> None:
    lexicon = Lexicon(parse(CSV, "test"), "test")
    shipped = model.load(models.find((resources.models_dir(),), model.NAME))
    random = np.random.default_rng(1)
    raised = np.tile([False, True], 40)
    voice = np.where(raised, 2.0, -2.0) + random.normal(0, 1, raised.size)
    judged = [
        EmotionSample(f"t{n}", "不要说了", Distribution(annoyed=1.0), CALM_VOICE, CALM_VOICE, FEATURE_VERSION)
        for n in range(20)
    ]
    lessons = training.judged_lessons(judged, lexicon, shipped.utterance)
    read = lessons[0][0]
    meant = []
    for taught in ([], lessons):
        coef, intercept = training.second_emotion(lexicon, raised, voice, voice, 1, taught)
        odds = np.exp(coef @ read + intercept)
        meant.append(float(odds[3] / odds.sum()))
    assert meant[1] > meant[0] + 0.1
