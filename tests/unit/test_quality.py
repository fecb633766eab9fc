"""The estimate of how a call sounded."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicebot.domain.quality import mos, quality

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("loss", "jitter_ms", "round_trip_ms", "least", "most"),
    [
        (0.0, 0.0, 0.0, 4.3, 4.42),  # G.711 at its best
        (0.01, 5.0, 40.0, 4.2, 4.4),
        (0.05, 10.0, 60.0, 3.6, 4.1),
        (0.20, 30.0, 100.0, 1.9, 2.8),
        (0.0, 0.0, 800.0, 2.5, 3.6),  # a satellite and more
        (1.0, 0.0, 0.0, 1.0, 1.4),
    ],
)
def test_known_conditions_get_what_listeners_say(
    loss: float, jitter_ms: float, round_trip_ms: float, least: float, most: float
) -> None:
    assert least <= mos(loss, jitter_ms, round_trip_ms) <= most


@given(st.floats(0, 1), st.floats(0, 500), st.floats(0, 5000))
def test_it_is_a_score_and_more_trouble_never_helps(
    loss: float, jitter_ms: float, round_trip_ms: float
) -> None:
    score = mos(loss, jitter_ms, round_trip_ms)
    assert 1 <= score <= 4.5
    assert mos(min(1.0, loss + 0.05), jitter_ms, round_trip_ms) <= score + 0.02
    assert mos(loss, jitter_ms + 20, round_trip_ms + 50) <= score + 0.02


def test_the_worse_direction_counts_and_nothing_divides_by_nothing() -> None:
    assert quality(0, 0, 0.0, 0, 0, 0.0, 0.0).mos > 4
    ours = quality(900, 100, 2.0, 1000, 0, 2.0, 20.0)
    theirs = quality(1000, 0, 2.0, 1000, 100, 2.0, 20.0)
    assert ours.mos == pytest.approx(theirs.mos)
    assert (ours.heard_loss, theirs.said_loss) == (0.1, 0.1)
