"""The schema: migrations make what the code says, partitions hold the months, the audit log stays."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import text

from voicebot.domain.errors import StoreError
from voicebot.store.migrate import check, migrate
from voicebot.store.partitions import ensure_partitions
from voicebot.store.session import Database

pytestmark = pytest.mark.integration


def test_migrations_make_what_the_code_says(database: Database) -> None:
    check(database)
    with database.transaction() as session:
        session.execute(text("ALTER TABLE campaigns DROP COLUMN caller_id"))
    with pytest.raises(StoreError, match="differs"):
        check(database)


def test_migrating_again_changes_nothing(database: Database) -> None:
    migrate(database, datetime.now(UTC))
    check(database)


def test_rows_without_a_partition_are_kept_and_move_into_it_later(database: Database) -> None:
    at = datetime(2031, 5, 17, tzinfo=UTC)
    columns = (
        "call_id, seq, at, kind, start_s, end_s, customer_text, emotion, situation, relation, scene, action, "
        "script_id, script_text, propensity, model_version, playbook_version, barged_in, delivery, "
        "prompt_engine, understanding, decision, timings_ms"
    )
    with database.transaction() as session:
        session.execute(
            text(
                f"INSERT INTO turns ({columns}) VALUES (gen_random_uuid(), 1, :at, 'speech', 0, 1, '喂', "
                "'calm', 'free', 'answers', 's', 'say', 'x', 'y', 1, '', '', false, 'speak', '', "
                "'{}', '{}', '{}')"
            ),
            {"at": at},
        )
        assert session.execute(text("SELECT count(*) FROM turns_default")).scalar() == 1
    with database.engine.begin() as connection:
        assert "turns_2031_05" in ensure_partitions(connection, at)
        assert connection.execute(text("SELECT count(*) FROM turns_2031_05")).scalar() == 1
        assert ensure_partitions(connection, at) == []
    check(database)


def test_the_audit_log_refuses_changes(database: Database) -> None:
    with database.transaction() as session:
        session.execute(
            text("INSERT INTO audit_log (actor, action, subject, detail) VALUES ('a', 'b', 'c', '{}')")
        )
    with pytest.raises(StoreError), database.transaction() as session:
        session.execute(text("DELETE FROM audit_log"))
