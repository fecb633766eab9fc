"""The arithmetic of two-fold emotion."""

from __future__ import annotations

from dataclasses import astuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicebot.domain.emotion import CALM, NEGATIVE, Distribution, EmotionLabel, KeywordEmotion
from voicebot.emotion import fusion
from voicebot.emotion.fusion import FusionRule

pytestmark = pytest.mark.unit

RULE = FusionRule()
shares = st.floats(0, 1, allow_nan=False)
distributions = st.builds(Distribution, shares, shares, shares, shares, shares).map(Distribution.normalised)


@given(distributions, distributions)
def test_both_sides_count_four_to_six(first: Distribution, second: Distribution) -> None:
    fused = fusion.fuse(first, second, RULE)
    expected = [0.4 * a + 0.6 * b for a, b in zip(astuple(first), astuple(second), strict=True)]
    assert list(astuple(fused)) == pytest.approx(expected)


@given(distributions)
def test_the_side_that_speaks_alone_has_all_the_weight(one: Distribution) -> None:
    assert astuple(fusion.fuse(one, None, RULE)) == pytest.approx(astuple(one))
    assert astuple(fusion.fuse(None, one, RULE)) == pytest.approx(astuple(one))
    assert fusion.weights(one, None, RULE) == (1.0, 0.0)
    assert fusion.weights(None, one, RULE) == (0.0, 1.0)


@given(distributions, distributions)
def test_a_model_that_has_not_heard_the_voice_leaves_its_weight_to_the_lexicon(
    first: Distribution, second: Distribution
) -> None:
    assert fusion.weights(first, second, RULE, heard=False) == (1.0, 0.0)
    assert astuple(fusion.fuse(first, second, RULE, heard=False)) == pytest.approx(astuple(first))
    assert fusion.weights(None, second, RULE, heard=False) == (0.0, 1.0)


def test_silence_on_both_sides_is_calm() -> None:
    assert fusion.fuse(None, None, RULE) == CALM
    assert fusion.weights(None, None, RULE) == (0.0, 0.0)


@given(
    st.lists(st.tuples(distributions, st.one_of(st.none(), distributions), shares), min_size=1, max_size=6)
)
def test_a_pool_of_keywords_is_a_distribution_between_its_parts(
    parts: list[tuple[Distribution, Distribution | None, float]],
) -> None:
    words = [
        KeywordEmotion("词", 0, 1, first, second, fusion.fuse(first, second, RULE), 0.05 + weight)
        for first, second, weight in parts
    ]
    _, _, fused = fusion.pool(words)
    assert sum(astuple(fused)) == pytest.approx(1)
    for index, value in enumerate(astuple(fused)):
        each = [astuple(word.fused)[index] for word in words]
        assert min(each) - 1e-9 <= value <= max(each) + 1e-9


@given(distributions, st.one_of(st.none(), distributions))
def test_negative_only_above_the_threshold_and_with_ground_in_the_words(
    fused: Distribution, first: Distribution | None
) -> None:
    label, reasons = fusion.decide(fused, first, RULE)
    ground = 0.0 if first is None else fusion.negative(first)
    fires = fusion.negative(fused) >= RULE.negative_threshold and ground >= RULE.ground
    assert (label in NEGATIVE) == fires
    assert reasons


def test_a_negative_mass_below_the_threshold_is_calm() -> None:
    fused = Distribution(calm=0.2, hesitant=0.2, interested=0.15, annoyed=0.45)
    assert fusion.decide(fused, fused, RULE)[0] == EmotionLabel.CALM


@given(distributions, shares)
def test_calmer_words_weigh_less(first: Distribution, intensity: float) -> None:
    weight = fusion.keyword_weight(first, intensity, RULE)
    assert fusion.keyword_weight(CALM, intensity, RULE) <= weight + 1e-9
    assert weight >= 0


def test_weights_that_are_none_are_refused() -> None:
    with pytest.raises(ValueError, match="weights"):
        FusionRule(first=0, second=0)
