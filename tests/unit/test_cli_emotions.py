"""Emotion on a terminal."""

from __future__ import annotations

import io
from dataclasses import asdict, astuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from voicebot.cli import emotions
from voicebot.domain.emotion import Distribution, EmotionLabel

pytestmark = pytest.mark.unit

shares = st.floats(0, 1, allow_nan=False)
distributions = st.builds(Distribution, shares, shares, shares, shares, shares).map(Distribution.normalised)


@given(distributions)
def test_a_bar_is_as_wide_as_the_others_and_true_to_half_a_character(values: Distribution) -> None:
    drawn = emotions.bar(asdict(values)).plain
    assert len(drawn) == emotions.WIDTH
    for fill, share in zip("▒░▓█■", astuple(values), strict=True):
        assert drawn.count(fill) == pytest.approx(share * emotions.WIDTH, abs=1.0)


def test_the_course_shows_every_turn_with_its_label() -> None:
    calm, angry = Distribution(calm=1.0), Distribution(annoyed=0.2, angry=0.8)
    turns = [("1", {"distribution": asdict(calm), "label": "calm"})]
    turns.append(("3", {"distribution": asdict(angry), "label": "angry"}))
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(emotions.course(turns))
    lines = console.export_text().splitlines()
    assert "1" in lines[1]
    assert "平静" in lines[1]
    assert "3" in lines[2]
    assert "愤怒" in lines[2]
    assert all(label.chinese in lines[3] for label in EmotionLabel)
