"""What people say about how customers meant a turn, from the command line to the samples of the emotion."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.conftest import Make
from voicebot.cli.main import app
from voicebot.domain.call import Disposition, IntentLevel
from voicebot.domain.emotion import Distribution, EmotionLabel
from voicebot.domain.speech import Prosody
from voicebot.emotion.prosody import FEATURE_VERSION, NAMES
from voicebot.learning.emotions import DatabaseEmotions
from voicebot.store.calls import CallRepository
from voicebot.store.feedback import FeedbackRepository
from voicebot.store.samples import SampleRepository
from voicebot.store.session import Database

pytestmark = pytest.mark.integration

LOUD = tuple(1.0 for _ in NAMES)
CALM = tuple(0.5 for _ in NAMES)


@pytest.fixture(autouse=True)
def settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, database_url: str) -> None:
    monkeypatch.setenv("VOICEBOT_HOME", str(tmp_path))
    monkeypatch.setenv("VOICEBOT_DATABASE_URL", database_url)


def hold_call(database: Database, make: Make, *, opted_out: bool = False) -> str:
    """A call of which the first turn has no calm voice to be compared with, and the second has."""
    request = make.request()
    with database.transaction() as session:
        calls = CallRepository(session)
        for seq, baseline in ((1, ()), (2, CALM)):
            turn = make.turn(request.call_id, seq)
            transcript = replace(turn.understanding.transcript, text="我是幺三八零零一三八零零零不要说了")
            understanding = replace(
                turn.understanding,
                transcript=transcript,
                prosody=Prosody(200, 3, 0, -20, 3, 0.6, 4, 1.5, LOUD, FEATURE_VERSION),
                emotion=replace(turn.understanding.emotion, baseline=baseline),
            )
            calls.turn(replace(turn, understanding=understanding))
        calls.ended(make.record(request, Disposition.REFUSED, IntentLevel.E, opted_out=opted_out))
    return request.call_id


def label(call_id: str, turn: int, *rest: str) -> str:
    done = CliRunner().invoke(app, ["feedback", "emotion", call_id, str(turn), *rest], catch_exceptions=False)
    return done.output


def test_a_labelled_turn_becomes_a_sample_without_numbers(database: Database, make: Make) -> None:
    call_id = hold_call(database, make)
    label(call_id, 1, "平静")
    label(call_id, 2, "calm")
    assert "厌烦" in label(call_id, 2, "厌烦")  # the later label of one person counts
    (sample,) = DatabaseEmotions(database).samples()
    assert sample.turn == f"{call_id}/2"
    assert sample.text == "我是＊＊＊＊不要说了"
    assert (sample.vector, sample.baseline, sample.feature_version) == (LOUD, CALM, FEATURE_VERSION)
    assert sample.label == Distribution(annoyed=1.0)


def test_several_people_share_a_turn_and_correct_its_words(database: Database, make: Make) -> None:
    call_id = hold_call(database, make)
    label(call_id, 2, "厌烦", "--said", "现在有事不要说了")
    with database.transaction() as session:
        FeedbackRepository(session).meant(call_id, 2, EmotionLabel.CALM, "li", datetime.now(UTC))
    (sample,) = DatabaseEmotions(database).samples()
    assert sample.label == Distribution(calm=0.5, annoyed=0.5)
    assert sample.text == "现在有事不要说了"


def test_nobody_is_learnt_from_who_wants_no_more_calls(database: Database, make: Make) -> None:
    label(hold_call(database, make, opted_out=True), 2, "愤怒")
    assert list(DatabaseEmotions(database).samples()) == []


def test_an_erased_person_marks_the_model_of_emotion(database: Database, make: Make) -> None:
    call_id = hold_call(database, make)
    label(call_id, 2, "愤怒")
    source = DatabaseEmotions(database)
    source.learnt("emotion-2", list(source.samples()))
    with database.transaction() as session:
        assert SampleRepository(session).erase([call_id], datetime.now(UTC)) == ("emotion-2",)


def test_a_label_that_does_not_exist_is_refused_with_those_that_do(database: Database, make: Make) -> None:
    said = label(hold_call(database, make), 2, "furious")
    assert "furious" in said
    assert "厌烦" in said
