"""Where a negative label begins."""

from __future__ import annotations

import numpy as np
import pytest

from voicebot.domain.emotion import NEGATIVE, Distribution
from voicebot.emotion import fusion, operating
from voicebot.emotion.analyzer import Analyzer
from voicebot.registry import resources

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def analyzer() -> Analyzer:
    return Analyzer.load((resources.models_dir(),))


def voices(overlap: float) -> tuple[np.ndarray[tuple[int], np.dtype[np.bool_]], list[float]]:
    """Half calm, half raised voices; with more overlap they are harder to tell apart."""
    random = np.random.default_rng(4)
    raised = np.arange(400) % 2 == 1
    odds = np.where(raised, 2.0, -2.0) + random.normal(0, overlap, raised.size)
    return raised, [float(one) for one in np.clip(odds, -4, 4)]


@pytest.mark.parametrize("overlap", [0.5, 1.5, 3.0])
def test_at_most_one_calm_voice_in_twenty_is_called_annoyed(analyzer: Analyzer, overlap: float) -> None:
    raised, odds = voices(overlap)
    point = operating.choose(analyzer.model, analyzer.lexicon, raised, odds, odds)
    assert point.calm_called_annoyed <= operating.FALSE_ALARMS
    assert 0.5 <= point.negative_threshold < 1
    assert point.irritated_caught > point.calm_called_annoyed


def test_voices_that_overlap_more_need_a_higher_threshold(analyzer: Analyzer) -> None:
    easy, hard = (
        operating.choose(analyzer.model, analyzer.lexicon, *voices(overlap)[:1], *[voices(overlap)[1]] * 2)
        for overlap in (0.5, 3.0)
    )
    assert hard.negative_threshold > easy.negative_threshold
    assert hard.irritated_caught < easy.irritated_caught


def test_the_analyser_decides_by_the_threshold_of_its_model(analyzer: Analyzer) -> None:
    limit = analyzer.model.negative_threshold
    assert analyzer.rule.negative_threshold == limit
    below, above = (Distribution(calm=1 - mass, annoyed=mass) for mass in (limit - 0.01, limit + 0.01))
    assert fusion.decide(below, below, analyzer.rule)[0] not in NEGATIVE
    assert fusion.decide(above, above, analyzer.rule)[0] in NEGATIVE
