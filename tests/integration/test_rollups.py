"""Roll-ups tell the same as the rows, whatever comes late or is corrected."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text

from tests.conftest import Make
from voicebot.domain.call import CallRecord, Disposition, EndCause, IntentLevel
from voicebot.domain.emotion import EmotionLabel
from voicebot.domain.report import Counted, EmotionMove, Funnel, HourCount, ReportFilter
from voicebot.domain.script import Action
from voicebot.store.calls import CallRepository
from voicebot.store.overview import OverviewRepository
from voicebot.store.reports import ReportRepository
from voicebot.store.rollups import roll_up
from voicebot.store.session import Database

pytestmark = pytest.mark.integration

ALL = ReportFilter()
NOW = datetime(2026, 11, 25, 9, 30, tzinfo=UTC)


def hold_call(
    database: Database,
    make: Make,
    ended_at: datetime,
    disposition: Disposition = Disposition.INTERESTED,
    emotions: tuple[EmotionLabel, ...] = (EmotionLabel.CALM,),
    *,
    late_turns: bool = False,
) -> CallRecord:
    """Journal a whole call of one minute."""
    request = make.request()
    record = replace(
        make.record(request, disposition, IntentLevel.A),
        cause=EndCause.CUSTOMER_HUNG_UP,
        started_at=ended_at - timedelta(seconds=70),
        answered_at=ended_at - timedelta(seconds=60),
        ended_at=ended_at,
        turns=len(emotions),
    )
    with database.transaction() as session:
        CallRepository(session).ended(record)
    if not late_turns:
        store_turns(database, make, record, emotions)
    return record


def store_turns(
    database: Database, make: Make, record: CallRecord, emotions: tuple[EmotionLabel, ...]
) -> None:
    with database.transaction() as session:
        for seq, label in enumerate(emotions, 1):
            turn = make.turn(record.request.call_id, seq)
            emotion = replace(turn.understanding.emotion, label=label)
            script = "pitch" if seq == 1 else "close"
            CallRepository(session).turn(
                replace(
                    turn,
                    at=record.ended_at - timedelta(seconds=50 - seq),
                    understanding=replace(turn.understanding, emotion=emotion),
                    decision=replace(turn.decision, script_id=script, action=Action.SAY),
                    timings_ms={"total": 100.0 * seq},
                )
            )


def reports(database: Database, wanted: ReportFilter = ALL) -> dict[str, object]:
    with database.transaction() as session:
        found = ReportRepository(session).report("all", wanted, ZoneInfo("Asia/Shanghai"), NOW)
        return {name: getattr(found, name) for name in found.__slots__ if name not in ("made_at", "until")}


def test_a_report_counts_what_was_said_and_how_it_ended(database: Database, make: Make) -> None:
    calm, annoyed = EmotionLabel.CALM, EmotionLabel.ANNOYED
    hold_call(database, make, NOW - timedelta(hours=1), emotions=(calm, calm))
    hold_call(database, make, NOW - timedelta(hours=1), Disposition.REFUSED, emotions=(calm, annoyed))
    hold_call(database, make, NOW - timedelta(days=9), Disposition.REFUSED, emotions=(annoyed,))
    roll_up(database, NOW)
    found = reports(database)
    assert found["funnel"] == Funnel(0, 3, 3, 3, 1, 0, 0, 180.0)
    assert found["dispositions"] == (Counted("refused", 2), Counted("interested", 1))
    assert found["hours"] == (
        HourCount(16, Disposition.INTERESTED, 1),
        HourCount(16, Disposition.REFUSED, 1),
        HourCount(17, Disposition.REFUSED, 1),
    )
    assert found["reasons"] == (Counted("asked to be called back", 2),)
    with database.transaction() as session:
        pitch, close = ReportRepository(session).scripts(ALL)
        (total,) = ReportRepository(session).latencies(ALL)
    assert (pitch.script_id, pitch.converted.hits, pitch.converted.of, pitch.said) == ("pitch", 1, 3, 3)
    assert (pitch.hung_up.hits, close.hung_up.hits, close.converted.of) == (1, 2, 2)
    assert pitch.converted.low < 1 / 3 < pitch.converted.high
    assert (total.stage, total.turns) == ("total", 5)
    assert total.p50 == pytest.approx(100, rel=0.05)
    assert total.p99 == pytest.approx(200, rel=0.05)
    assert found["emotions"] == (
        EmotionMove(1, annoyed, None, 1),
        EmotionMove(1, calm, annoyed, 1),
        EmotionMove(1, calm, calm, 1),
        EmotionMove(2, annoyed, None, 1),
        EmotionMove(2, calm, None, 1),
    )
    with database.transaction() as session:
        recent = ReportRepository(session).funnel(ReportFilter(since=NOW - timedelta(days=1)))
    assert recent.calls == 2


def test_counting_again_changes_nothing(database: Database, make: Make) -> None:
    hold_call(database, make, NOW - timedelta(hours=1))
    assert roll_up(database, NOW) == 1
    before = reports(database)
    assert roll_up(database, NOW) == 0
    assert reports(database) == before
    with database.transaction() as session:
        session.execute(text("UPDATE rollup_state SET stored_by = 0"))
    roll_up(database, NOW)
    assert reports(database) == before


@pytest.mark.parametrize("age", [timedelta(hours=3), timedelta(days=20)])
def test_what_comes_late_is_counted_where_it_belongs(database: Database, make: Make, age: timedelta) -> None:
    both = (EmotionLabel.CALM, EmotionLabel.HESITANT)
    record = hold_call(database, make, NOW - age, late_turns=True)
    hold_call(database, make, NOW - age - timedelta(minutes=2), emotions=both)
    roll_up(database, NOW)
    store_turns(database, make, record, both)
    with database.transaction() as session:
        session.execute(text("UPDATE outcomes SET disposition = 'callback', origin = 'person'"))
    roll_up(database, NOW)
    found = reports(database)
    assert found["dispositions"] == (Counted("callback", 2),)
    with database.transaction() as session:
        assert [script.converted.of for script in ReportRepository(session).scripts(ALL)] == [2, 2]


def test_days_that_are_over_become_whole_days(database: Database, make: Make) -> None:
    hold_call(database, make, NOW - timedelta(hours=1))
    hold_call(database, make, NOW - timedelta(hours=3))
    roll_up(database, NOW)
    before = reports(database)
    count = text("SELECT count(*) FROM rollup_scripts")
    with database.transaction() as session:
        assert session.execute(count).scalar() == 2
    roll_up(database, NOW + timedelta(days=4))
    assert reports(database) == before
    with database.transaction() as session:
        assert session.execute(count).scalar() == 1


def test_a_transaction_that_commits_late_is_not_missed(database: Database, make: Make) -> None:
    with database.transaction() as slow:
        slow.execute(text("SELECT pg_current_xact_id()"))
        hold_call(database, make, NOW - timedelta(hours=2))
        roll_up(database, NOW)
        slow.execute(text("UPDATE outcomes SET disposition = 'refused'"))
    roll_up(database, NOW)
    assert reports(database)["dispositions"] == (Counted("refused", 1),)


def test_pages_count_what_comes_late_before_the_roll_up_does(database: Database, make: Make) -> None:
    earlier = NOW - timedelta(hours=3)

    def counted() -> tuple[dict[str, int], dict[int, tuple[int, int]]]:
        with database.transaction() as session:
            overview = OverviewRepository(session).since(NOW - timedelta(hours=9, minutes=30), NOW)
        return overview.dispositions, overview.hours

    hold_call(database, make, earlier)
    roll_up(database, NOW)
    assert counted() == ({"interested": 1}, {6: (1, 1)})
    hold_call(database, make, earlier + timedelta(minutes=1), Disposition.REFUSED)  # its spool was replayed
    assert counted() == ({"interested": 1, "refused": 1}, {6: (2, 2)})
    with database.transaction() as session:
        session.execute(text("UPDATE outcomes SET disposition = 'busy' WHERE disposition = 'interested'"))
    late = counted()
    assert late == ({"busy": 1, "refused": 1}, {6: (2, 1)})
    roll_up(database, NOW)
    assert counted() == late
