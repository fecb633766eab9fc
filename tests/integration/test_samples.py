"""From feedback in Postgres to samples, with consent, redaction and erasure."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tests.conftest import Make
from voicebot.domain.call import Disposition, EndCause, IntentLevel
from voicebot.domain.emotion import EmotionLabel
from voicebot.domain.errors import DataError
from voicebot.domain.learning import DriftKind
from voicebot.domain.people import Grade
from voicebot.learning import drift_report
from voicebot.learning.drift import FEWEST
from voicebot.learning.gather import gather
from voicebot.service import grading
from voicebot.store.calls import CallRepository
from voicebot.store.drift import DriftRepository
from voicebot.store.feedback import FeedbackRepository
from voicebot.store.grading import GradingQueue
from voicebot.store.partitions import ensure_partitions
from voicebot.store.samples import DatabaseSamples, SampleRepository
from voicebot.store.session import Database

pytestmark = pytest.mark.integration


def hold_call(database: Database, make: Make, *, opted_out: bool = False) -> str:
    """A call of two turns, in which the customer tells a number and then hangs up."""
    request = make.request()
    now = datetime.now(UTC)
    with database.transaction() as session:
        calls = CallRepository(session)
        for seq, said in ((1, "我的电话是幺三八零零一三八零零零"), (2, "不要说了")):
            turn = make.turn(request.call_id, seq)
            transcript = replace(turn.understanding.transcript, text=said)
            understanding = replace(turn.understanding, transcript=transcript)
            calls.turn(replace(turn, understanding=understanding, at=now - timedelta(seconds=20 - seq)))
        record = make.record(request, Disposition.REFUSED, IntentLevel.E, opted_out=opted_out)
        calls.ended(replace(record, cause=EndCause.CUSTOMER_HUNG_UP))
    return request.call_id


def gathered(database: Database) -> list[tuple[str, str, float]]:
    now = datetime.now(UTC)
    gather(database, now - timedelta(hours=1), now)
    return [
        (sample.said, sample.script_id, round(sample.weight, 3))
        for sample in DatabaseSamples(database).samples("loan")
    ]


def test_what_customers_do_makes_weak_samples_without_their_numbers(database: Database, make: Make) -> None:
    hold_call(database, make)
    expected = [("我的电话是＊＊＊＊", "callback_offer", 0.075), ("不要说了", "callback_offer", -0.3)]
    assert gathered(database) == expected
    assert gathered(database) == expected


def test_a_grade_takes_the_place_of_signals_and_names_a_better_script(database: Database, make: Make) -> None:
    call_id = hold_call(database, make)
    gathered(database)
    with database.transaction() as session:
        FeedbackRepository(session).graded(
            call_id, 2, "callback_offer", Grade.POOR, "li", datetime.now(UTC), better_script_id="apology"
        )
    assert gathered(database)[1:] == [("不要说了", "apology", 1.0), ("不要说了", "callback_offer", -1.0)]


def test_whoever_wants_no_more_calls_is_not_learnt_from(database: Database, make: Make) -> None:
    hold_call(database, make, opted_out=True)
    assert gathered(database) == []


def test_an_erased_person_leaves_the_samples_and_marks_the_models(database: Database, make: Make) -> None:
    call_id = hold_call(database, make)
    hold_call(database, make)
    gathered(database)
    now = datetime.now(UTC)
    with database.transaction() as session:
        samples = SampleRepository(session)
        samples.learnt("ranker-7", samples.of_playbook("loan"))
        assert samples.erase([call_id], now) == ("ranker-7",)
        assert samples.erase([call_id], now) == ()
        assert samples.marked() == {"ranker-7": 2}
        assert call_id not in {sample.call_id for sample in samples.of_playbook("loan")}


def test_the_least_sure_turns_wait_for_a_grade(database: Database, make: Make) -> None:
    request = make.request()
    with database.transaction() as session:
        calls = CallRepository(session)
        for seq, probability, confidence in ((1, 0.9, 0.9), (2, 0.3, 0.9), (3, 0.9, 0.1)):
            turn = make.turn(request.call_id, seq)
            candidate = replace(turn.decision.candidates[0], probability=probability)
            transcript = replace(turn.understanding.transcript, confidence=confidence, text=f"第{seq}句")
            calls.turn(
                replace(
                    turn,
                    decision=replace(turn.decision, candidates=(candidate,)),
                    understanding=replace(turn.understanding, transcript=transcript),
                )
            )
        calls.ended(make.record(request))
    since = datetime.now(UTC) - timedelta(hours=1)
    with database.transaction() as session:
        found = GradingQueue(session).open(since)
        assert [(one.seq, one.why) for one in found] == [(3, ("misheard",)), (2, ("unsure",))]
        assert found[1].candidates == (("callback_offer", 0.3),)
        assert GradingQueue(session).open(since, playbook_id="another") == []
        grading.grade(session, request.call_id, 2, Grade.GOOD, "li", datetime.now(UTC))
        with pytest.raises(DataError, match="no script in turn 7"):
            grading.grade(session, request.call_id, 7, Grade.GOOD, "li", datetime.now(UTC))
    with database.transaction() as session:
        assert [one.seq for one in GradingQueue(session).open(since)] == [3]


def test_a_drift_report_of_stored_turns_is_kept(database: Database, make: Make) -> None:
    now = datetime.now(UTC)
    with database.transaction() as session:
        ensure_partitions(session.connection(), now - timedelta(days=40))
        for number in range(2 * FEWEST):
            request = make.request()
            turn = make.turn(request.call_id, 1)
            emotion, days = (EmotionLabel.CALM, 20) if number % 2 else (EmotionLabel.ANNOYED, 2)
            felt = replace(turn.understanding.emotion, label=emotion)
            understanding = replace(turn.understanding, emotion=felt)
            CallRepository(session).turn(
                replace(turn, understanding=understanding, at=now - timedelta(days=days))
            )
            CallRepository(session).ended(make.record(request))
    report = drift_report.report(database, "loan", now)
    assert (report.turns, [one.kind for one in report.figures if one.alarm]) == (FEWEST, [DriftKind.EMOTION])
    with database.transaction() as session:
        assert DriftRepository(session).playbooks(now - timedelta(days=1)) == ["loan"]
        DriftRepository(session).add(report)
    with database.transaction() as session:
        assert DriftRepository(session).reports("loan") == [report]
