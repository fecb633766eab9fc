"""The call journal: whatever happens to Postgres or to us, nothing is lost and nothing is doubled."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text

from voicebot.call.journal import PostgresJournal, replay_left_over
from voicebot.call.spool import Spool
from voicebot.domain.call import Disposition, IntentLevel
from voicebot.domain.errors import StoreError
from voicebot.store.embedded import EmbeddedPostgres
from voicebot.store.migrate import migrate
from voicebot.store.session import Database

pytestmark = pytest.mark.integration

AWAY = "postgresql://voicebot@/voicebot?host=/nonexistent"


def rows(database: Database, query: str) -> list[tuple[Any, ...]]:
    with database.transaction() as session:
        return [tuple(row) for row in session.execute(text(query))]


def test_a_call_stands_in_the_database_with_everything_said(
    database: Database, tmp_path: Path, make: Any
) -> None:
    journal = PostgresJournal(database, tmp_path, "line-0")
    request = make.request()
    journal.answered(request, "line-0")
    journal.turn(make.turn(request.call_id, 1))
    journal.ended(make.record(request))
    assert journal.flush(10)
    journal.close()
    assert rows(database, "SELECT customer_text, emotion, script_id FROM turns") == [
        ("现在有事不要说了", "calm", "callback_offer")
    ]
    query = "SELECT decision->'candidates'->0->>'probability', timings_ms->>'asr' FROM turns"
    assert rows(database, query) == [("0.7", "310.0")]
    assert rows(database, "SELECT disposition, intent_level, facts->>'callback' FROM outcomes") == [
        ("callback", "C", "明天下午三点")
    ]
    assert rows(database, "SELECT cause, sip_status FROM calls") == [("bot_hung_up", 200)]
    assert (tmp_path / "line-0.spool").read_bytes() == b""


@pytest.fixture
def own_server(postgres_directory: Path) -> Iterator[EmbeddedPostgres]:
    """A server that a test may stop."""
    place = postgres_directory / uuid4().hex[:8]
    server = EmbeddedPostgres(place, durable=False)
    database = Database(server.start())
    migrate(database, datetime.now(UTC))
    database.dispose()
    yield server
    server.stop()
    shutil.rmtree(place, ignore_errors=True)


def test_postgres_stopped_in_mid_call_loses_and_doubles_nothing(
    own_server: EmbeddedPostgres, tmp_path: Path, make: Any
) -> None:
    database = Database(own_server.url)
    journal = PostgresJournal(database, tmp_path, "line-0")
    request = make.request()
    journal.answered(request, "line-0")
    for seq in range(1, 4):
        journal.turn(make.turn(request.call_id, seq))
    assert journal.flush(10)
    own_server.stop()
    for seq in range(4, 30):
        journal.turn(make.turn(request.call_id, seq))
    journal.ended(make.record(request))
    assert not journal.flush(0.5)
    assert journal.spool_pending == 27
    own_server.start()
    assert journal.flush(20)
    assert journal.spool_pending == 0
    journal.close()
    assert rows(database, "SELECT count(*), count(DISTINCT seq), max(seq) FROM turns") == [(29, 29, 29)]
    assert rows(database, "SELECT count(*) FROM outcomes") == [(1,)]
    database.dispose()


def test_a_worker_killed_while_postgres_is_away_loses_nothing(
    database: Database, tmp_path: Path, make: Any
) -> None:
    code = (
        "import sys,time;from pathlib import Path;sys.path.insert(0,'tests');import conftest as c;"
        "from voicebot.call.journal import PostgresJournal;from voicebot.store.session import Database;"
        "j=PostgresJournal(Database(sys.argv[1]),Path(sys.argv[2]),'line-0');r=c.make_request();"
        "j.answered(r,'line-0');[j.turn(c.make_turn(r.call_id,s)) for s in range(1,6)];"
        "j.ended(c.make_record(r));print('said',flush=True);time.sleep(60)"
    )
    command = [sys.executable, "-c", code, AWAY, str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, env=environment, cwd=Path(__file__).parents[2]
    ) as worker:
        assert worker.stdout is not None
        while b"said" not in worker.stdout.readline():
            assert worker.poll() is None
        worker.send_signal(signal.SIGKILL)
    assert replay_left_over(database, tmp_path) == 7
    assert rows(database, "SELECT count(*) FROM turns") == [(5,)]
    assert rows(database, "SELECT disposition FROM outcomes") == [("callback",)]
    assert replay_left_over(database, tmp_path) == 0


def test_replaying_what_the_database_has_changes_nothing(
    database: Database, tmp_path: Path, make: Any
) -> None:
    request = make.request()
    away = PostgresJournal(Database(AWAY), tmp_path, "line-0")
    away.answered(request, "line-0")
    away.turn(make.turn(request.call_id, 1))
    away.ended(make.record(request))
    away.close()
    spooled = (tmp_path / "line-0.spool").read_bytes()
    for _ in range(2):
        (tmp_path / "line-0.spool").write_bytes(spooled)
        assert replay_left_over(database, tmp_path) == 3
    counts = (
        "SELECT (SELECT count(*) FROM calls), (SELECT count(*) FROM turns), (SELECT count(*) FROM outcomes)"
    )
    assert rows(database, counts) == [(1, 1, 1)]


def test_a_replay_does_not_undo_what_a_person_corrected(
    database: Database, tmp_path: Path, make: Any
) -> None:
    request = make.request()
    journal = PostgresJournal(database, tmp_path, "line-0")
    journal.ended(make.record(request))
    assert journal.flush(10)
    with database.transaction() as session:
        session.execute(text("UPDATE outcomes SET disposition = 'interested', origin = 'person'"))
    journal.ended(make.record(request, Disposition.REFUSED, IntentLevel.E))
    assert journal.flush(10)
    journal.close()
    assert rows(database, "SELECT disposition FROM outcomes") == [("interested",)]


def test_a_torn_last_line_and_a_damaged_line_do_not_stop_the_rest(
    database: Database, tmp_path: Path, make: Any
) -> None:
    request = make.request()
    away = PostgresJournal(Database(AWAY), tmp_path, "line-0")
    away.answered(request, "line-0")
    away.turn(make.turn(request.call_id, 1))
    away.close()
    with (tmp_path / "line-0.spool").open("ab") as file:
        file.write(b'{"turn": "nonsense"}\n{"ended": {"requ')
    assert replay_left_over(database, tmp_path) == 2
    assert rows(database, "SELECT count(*) FROM turns") == [(1,)]
    assert (tmp_path / "line-0.rejected").read_bytes() == b'{"turn": "nonsense"}\n'


def test_an_event_the_database_refuses_is_kept_aside_and_the_others_go_on(
    database: Database, tmp_path: Path, make: Any
) -> None:
    journal = PostgresJournal(database, tmp_path, "line-0")
    request = make.request()
    journal.answered(request, "line-0")
    journal.turn(make.turn("no-uuid", 1))
    journal.turn(make.turn(request.call_id, 2))
    assert journal.flush(10)
    journal.close()
    assert rows(database, "SELECT seq FROM turns") == [(2,)]
    assert b"no-uuid" in (tmp_path / "line-0.rejected").read_bytes()


def test_two_workers_of_one_name_are_refused(tmp_path: Path) -> None:
    held = Spool(tmp_path / "line-0.spool")
    with pytest.raises(StoreError, match="another process"):
        PostgresJournal(Database(AWAY), tmp_path, "line-0")
    held.close()
