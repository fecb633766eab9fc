"""Identifiers, distributions and errors."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicebot import codec
from voicebot.domain.call import Turn
from voicebot.domain.dialogue import Candidate, Decision, Relation
from voicebot.domain.emotion import CALM, Distribution, Emotion, EmotionLabel
from voicebot.domain.errors import ModelError, StoreError
from voicebot.domain.ids import uuid7
from voicebot.domain.script import Action, Style
from voicebot.domain.speech import Transcript, UtteranceKind, Word
from voicebot.domain.understanding import Understanding

pytestmark = pytest.mark.unit

shares = st.floats(0, 1)
distributions = st.builds(Distribution, shares, shares, shares, shares, shares)


def test_ids_are_version_7_and_sort_by_the_millisecond_they_were_made() -> None:
    made = [uuid7() for _ in range(500)]
    assert {identifier.version for identifier in made} == {7}
    assert {identifier.variant for identifier in made} == {"specified in RFC 4122"}
    assert len(set(made)) == 500
    milliseconds = [identifier.int >> 80 for identifier in made]
    assert milliseconds == sorted(milliseconds)


@given(distributions)
def test_a_normalised_distribution_sums_to_one(distribution: Distribution) -> None:
    normal = distribution.normalised()
    assert sum(normal.of(label) for label in EmotionLabel) == pytest.approx(1.0)


@given(distributions, distributions, st.floats(0.01, 1))
def test_a_mix_lies_between_its_parts(one: Distribution, other: Distribution, weight: float) -> None:
    one, other = one.normalised(), other.normalised()
    mixed = Distribution.mix([(weight, one), (1 - weight, other)])
    for label in EmotionLabel:
        low, high = sorted((one.of(label), other.of(label)))
        assert low - 1e-9 <= mixed.of(label) <= high + 1e-9


def test_nothing_known_means_calm() -> None:
    assert Distribution.mix([]) == CALM
    assert Distribution(calm=0.5, annoyed=0.5).top() == EmotionLabel.CALM


def test_an_error_says_what_where_and_what_to_do() -> None:
    error = ModelError("weights.bin: sha256 differs", hint="install the package again")
    assert str(error) == "A model file is missing, corrupt or of another format: weights.bin: sha256 differs"
    assert error.hint == "install the package again"
    assert str(StoreError()) == "The database refuses or is away"


def test_a_turn_survives_the_wire() -> None:
    transcript = Transcript("利息多少", (Word("利息", 0.1, 0.5, 0.9), Word("多少", 0.5, 0.9, 0.8)))
    emotion = Emotion(EmotionLabel.INTERESTED, Distribution(interested=0.7, calm=0.3))
    turn = Turn(
        call_id=str(uuid7()),
        seq=3,
        at=datetime(2026, 11, 23, 6, 30, tzinfo=UTC),
        kind=UtteranceKind.SPEECH,
        start_s=4.2,
        end_s=5.3,
        understanding=Understanding(transcript, ("利息",), None, emotion),
        decision=Decision(
            action=Action.SAY,
            script_id="rate",
            script_text="年化利率……",
            style=Style.NEUTRAL,
            candidates=(Candidate("rate", 0.8, {"knn": 0.9}), Candidate("amount", 0.2)),
            reasons=("asks about the rate",),
            relation=Relation.ASKS,
            scene="pitch",
            next_scene="questions",
        ),
        timings_ms={"recognise": 310.5},
    )
    assert codec.decode(Turn, codec.encode(turn)) == turn
