"""Retention: what is too old goes, the last thirty days and what was counted stay."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from tests.conftest import Make
from voicebot.domain.report import ReportFilter
from voicebot.service.jobs.house import forget_old, make_partitions
from voicebot.service.jobs.task import Work
from voicebot.settings import Settings
from voicebot.store.calls import CallRepository
from voicebot.store.partitions import ensure_partitions
from voicebot.store.reports import ReportRepository
from voicebot.store.rollups import roll_up
from voicebot.store.session import Database

pytestmark = pytest.mark.integration


def test_old_turns_and_recordings_go_and_their_counts_stay(
    database: Database, make: Make, tmp_path: Path
) -> None:
    now = datetime.now(UTC)
    for age in (timedelta(days=100), timedelta(days=1)):
        at = now - age
        with database.engine.begin() as connection:
            ensure_partitions(connection, at)
        request = make.request()
        key = f"{request.call_id}.wav"
        (tmp_path / "recordings").mkdir(exist_ok=True)
        (tmp_path / "recordings" / key).write_bytes(b"RIFF")
        with database.transaction() as session:
            calls = CallRepository(session)
            calls.turn(replace(make.turn(request.call_id, 1), at=at))
            calls.ended(
                replace(make.record(request), started_at=at, answered_at=at, ended_at=at, recording=key)
            )
    settings = Settings(home=tmp_path, keep_turns_days=30, keep_recordings_days=30)
    forget_old(Work(settings, database, now, 1, threading.Event()))
    with database.transaction() as session:
        assert session.execute(text("SELECT count(*) FROM turns")).scalar() == 1
        assert session.execute(text("SELECT count(*) FROM calls WHERE recording <> ''")).scalar() == 1
        session.execute(text("UPDATE outcomes SET disposition = 'refused'"))
    assert len(list((tmp_path / "recordings").iterdir())) == 1
    roll_up(database, now)
    with database.transaction() as session:
        reports = ReportRepository(session)
        assert [script.said for script in reports.scripts(ReportFilter())] == [2]
        assert reports.dispositions(ReportFilter())[0].calls == 2


def test_the_daily_job_makes_the_months_ahead(database: Database, tmp_path: Path) -> None:
    work = Work(Settings(home=tmp_path), database, datetime(2031, 11, 17, tzinfo=UTC), 1, threading.Event())
    make_partitions(work)
    make_partitions(work)  # the next day: nothing is missing any more
    with database.transaction() as session:
        names = session.execute(
            text("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'turns'::regclass")
        ).scalars()
        months = {name for name in names if name.startswith(("turns_2031", "turns_2032"))}
    assert months == {"turns_2031_10", "turns_2031_11", "turns_2031_12", "turns_2032_01", "turns_2032_02"}


def test_less_than_thirty_days_can_not_be_set() -> None:
    with pytest.raises(ValueError, match="30"):
        Settings(keep_recordings_days=29)
