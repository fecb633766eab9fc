"""Machines whose clocks are minutes off: the database's clock says who lives, and when a call was begun."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path

import pytest
from sqlalchemy import text

from tests.integration.test_dialer import VAULT, Line, finished, one, prepare
from voicebot.call.journal import PostgresJournal
from voicebot.campaign.dialer import Dialer
from voicebot.campaign.hopper import Hopper
from voicebot.domain.trunk import Trunk
from voicebot.service.heart import Heart
from voicebot.store.orphans import OrphanRepository
from voicebot.store.session import Database, DatabaseClock, time_of
from voicebot.store.trunks import RegistrationRepository, TrunkRepository
from voicebot.store.workers import ALIVE, LINE, Worker, WorkerRepository

pytestmark = pytest.mark.integration

OFF = timedelta(minutes=7)
NEAR = timedelta(seconds=5)
LINE_0 = Worker("line-0", LINE, "127.0.0.1:1", "", 4, 0)


class Wrong(datetime):
    """A machine's clock."""

    off = OFF

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]  # a plain datetime will do
        return datetime.now(tz) + cls.off


@pytest.fixture(params=[OFF, -OFF], ids=["ahead", "behind"])
def wrong(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> timedelta:
    """Everything that this process asks for the time here is minutes off."""
    monkeypatch.setattr(Wrong, "off", request.param)
    for module in ("service.heart", "store.session"):
        monkeypatch.setattr(f"voicebot.{module}.datetime", Wrong)
    off: timedelta = request.param
    return off


def seen(database: Database) -> list[Worker]:
    with database.transaction() as session:
        return list(WorkerRepository(session).alive(LINE))


async def test_a_worker_whose_clock_is_off_is_alive_and_its_calls_are_not_lost(
    database: Database, wrong: timedelta, tmp_path: Path
) -> None:
    async def now() -> Worker:
        return LINE_0

    heart = Heart(database, now)
    await heart.start()
    try:
        (worker,) = await asyncio.to_thread(seen, database)
        assert worker.age_s < NEAR.total_seconds()
        assert worker.started_at is not None
        assert abs(worker.started_at - datetime.now(UTC)) < NEAR
        prepare(database, 1)
        with database.transaction() as session:
            WorkerRepository(session).beat(replace(LINE_0, started_at=worker.started_at))
        line = Line(PostgresJournal(database, tmp_path, "line-0"))
        dialer = Dialer(Hopper(database, VAULT, "dialer"), line)
        await dialer.step()
        await line.reached(1)
        with database.transaction() as session:
            (begun,) = session.execute(text("SELECT created_at FROM call_attempts")).scalars()
            assert abs(begun - time_of(session)) < NEAR, "whoever dials, it is the database's time"
            later = time_of(session) + ALIVE - NEAR
            assert OrphanRepository(session).lose_orphans(later) == 0
        await finished(lambda: one(database, "SELECT count(*) FROM outcomes") == 1)
        line.journal.close()
    finally:
        await heart.stop()


def test_a_silent_worker_is_missed_whatever_its_clock_says(database: Database, wrong: timedelta) -> None:
    with database.transaction() as session:
        WorkerRepository(session).beat(LINE_0)
        session.execute(text("UPDATE workers SET seen_at = seen_at - interval '16 seconds'"))
        assert WorkerRepository(session).alive(LINE) == ()
        assert WorkerRepository(session).free() == []


def test_a_beat_tells_when_the_worker_began_and_keeps_that(database: Database) -> None:
    with database.transaction() as session:
        began = WorkerRepository(session).beat(LINE_0)
    with database.transaction() as session:
        assert WorkerRepository(session).beat(replace(LINE_0, started_at=began)) == began
        assert WorkerRepository(session).beat(LINE_0) > began, "a new process of that name begins anew"


def test_the_database_s_clock_is_taken_over_a_wrong_one(database: Database, wrong: timedelta) -> None:
    clock = DatabaseClock(database)
    assert abs(clock() - datetime.now(UTC) - wrong) < NEAR, "as long as nobody has asked the database"
    clock.set()
    assert abs(clock() - datetime.now(UTC)) < NEAR


def test_a_registration_of_a_worker_whose_clock_is_off_is_shown(database: Database, wrong: timedelta) -> None:
    with database.transaction() as session:
        TrunkRepository(session, VAULT).save(Trunk("carrier", "sip.example.com", ("+86",)))
        WorkerRepository(session).beat(LINE_0)
        RegistrationRepository(session).write("carrier", "line-0", 200, "OK")
    with database.transaction() as session:
        (found,) = RegistrationRepository(session).latest()
    assert (found.trunk, found.status) == ("carrier", 200)
    assert abs(found.at - datetime.now(UTC)) < NEAR
