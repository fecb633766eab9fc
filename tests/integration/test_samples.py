"""From feedback in Postgres to samples, with consent, redaction and erasure."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tests.conftest import Make
from voicebot.domain.call import Disposition, EndCause, IntentLevel
from voicebot.domain.people import Grade
from voicebot.learning.gather import gather
from voicebot.store.calls import CallRepository
from voicebot.store.feedback import FeedbackRepository
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
        for seq, probability in ((1, 0.9), (2, 0.3)):
            turn = make.turn(request.call_id, seq)
            candidate = replace(turn.decision.candidates[0], probability=probability)
            CallRepository(session).turn(
                replace(turn, decision=replace(turn.decision, candidates=(candidate,)))
            )
    since = datetime.now(UTC) - timedelta(hours=1)
    with database.transaction() as session:
        assert [one.seq for one in SampleRepository(session).doubtful(since)] == [2]
        FeedbackRepository(session).graded(request.call_id, 2, "x", Grade.GOOD, "li", datetime.now(UTC))
    with database.transaction() as session:
        assert SampleRepository(session).doubtful(since) == []
