"""The learning bench: its stream, its learners, its picture."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from voicebot.bench import learning_stream as streams
from voicebot.bench.learning import Frozen, Ours, PositivesOnly
from voicebot.bench.learning_picture import curve
from voicebot.bench.learning_stream import Field, World
from voicebot.domain.errors import DataError

pytestmark = pytest.mark.unit


def field(count: int, seed: int) -> Field:
    """Contexts of two kinds; the first ranker is always for script 0, which is right in one kind only."""
    kind = np.random.default_rng(seed).integers(0, 2, count)
    vectors = csr_matrix(np.eye(2)[kind])
    features = np.zeros((count, 2, 4))
    features[np.arange(count)[:, None], np.arange(2)[None, :], 2 * np.arange(2)[None, :] + kind[:, None]] = 1
    right = np.stack([kind == 1, kind == 0], axis=1).astype(float)
    base = np.tile([0.6, 0.5], (count, 1))
    return Field(features, base, np.tile([0, 1], (count, 1)), vectors, right)


WORLD = World(field(200, 1), field(100, 2), field(100, 3))


def value(learner: Frozen) -> float:
    best = learner.best(WORLD.truth)
    return float(WORLD.truth.right[np.arange(len(best)), best].mean())


def test_whoever_learns_from_bad_scores_too_finds_the_better_script() -> None:
    frozen, positives, ours = Frozen(WORLD, 1), PositivesOnly(WORLD, 1), Ours(WORLD, 1)
    for learner in (frozen, positives, ours):
        for _ in range(300):
            learner.step()
    assert value(ours) == 1.0
    assert value(frozen) < 0.6
    assert value(positives) < value(ours)
    assert all(0 < propensity <= 1 for _, _, propensity, _ in ours.log)


def test_grades_follow_what_is_right_unless_they_are_poisoned() -> None:
    chance = np.random.default_rng(1)
    clean = [streams.feedback(1.0, chance) for _ in range(300)]
    poisoned = [streams.feedback(1.0, chance, 0.3) for _ in range(300)]
    assert np.mean(clean) == pytest.approx(streams.GOOD, abs=2)
    assert np.mean(poisoned) == pytest.approx(0.7 * streams.GOOD + 0.3 * streams.BAD, abs=5)


def test_another_file_is_no_dialogue_data(tmp_path: Path) -> None:
    path = tmp_path / "other.json"
    path.write_text(json.dumps({"rows": []}))
    with pytest.raises(DataError, match="no dialogue data"):
        streams.load(path)


def test_the_curve_is_a_picture() -> None:
    looks = np.arange(3) * 250
    drawn = curve(
        looks, {"frozen": np.full((2, 3), 0.3), "ours": np.array([[0.3, 0.4, 0.5], [0.3, 0.5, 0.5]])}
    )
    ET.fromstring(drawn)
    assert "ours 0.500" in drawn
