"""Exploration with the shipped models: two scripts fit what was asked, and now and then the other is said."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

import pytest

from voicebot import bootstrap, codec
from voicebot.call.pipeline import Pipeline
from voicebot.cli.chat import typed_pipeline
from voicebot.domain.call import CallRequest, Direction, Turn
from voicebot.domain.dialogue import Snapshot
from voicebot.domain.speech import Transcript, Utterance, UtteranceKind
from voicebot.settings import Settings

pytestmark = pytest.mark.integration

SHARE = 0.2
CALLS = 60
AGREES, ASKS_TWO_THINGS = "可以你说吧", "多久到账，要什么材料"


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    """Everything but ears and voice, as an inference server has it."""
    settings = Settings(home=tmp_path_factory.mktemp("home"), explore=SHARE)
    return typed_pipeline(settings, bootstrap.playbooks(settings).get("consumer_loan"))


def turn(pipeline: Pipeline, call: str) -> Turn:
    """Return the last turn of a call in which two things were asked at once."""
    snapshot = pipeline.begin(CallRequest(call, call, "", "", "consumer_loan", Direction.OUTBOUND))
    for text in ("", AGREES, ASKS_TWO_THINGS):
        kind = UtteranceKind.SPEECH if text else UtteranceKind.ANSWERED
        said = Transcript(text, confidence=1.0, engine="typed", method="typed")
        result = pipeline.decide(
            snapshot, Utterance(kind, 0, 1000), said, 0, at=datetime(2026, 11, 2, 3, tzinfo=UTC)
        )
        snapshot = codec.decode(Snapshot, result.snapshot)
    return result.turn


def test_a_rival_is_said_as_often_as_its_stored_chance(pipeline: Pipeline) -> None:
    turns = [turn(pipeline, f"call-{number}") for number in range(CALLS)]
    said = Counter(one.decision.script_id for one in turns)
    chances = {one.script_id: one.chance for one in turns[0].decision.shown}
    assert len(chances) >= 2
    assert sum(chances.values()) == pytest.approx(1)
    best = max(chances, key=chances.__getitem__)
    assert chances[best] >= 1 - SHARE
    assert set(said) <= set(chances)
    rivals = CALLS - said[best]
    assert 1 <= rivals <= CALLS * SHARE, said
    for one in turns:
        assert one.decision.propensity == pytest.approx(chances[one.decision.script_id])
    other = next(number for number, one in enumerate(turns) if one.decision.script_id != best)
    assert turn(pipeline, f"call-{other}").decision == turns[other].decision, "deciding again changes nothing"
