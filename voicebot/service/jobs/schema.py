"""Brings the queue's tables to what the installed procrastinate expects."""

from __future__ import annotations

import re
from pathlib import Path

import psycopg
import structlog
from procrastinate.schema import migrations_path

from voicebot.domain.errors import StoreError

_LOCK = 7233_0003  # advisory lock: of several starters, one upgrades
_MIGRATION = re.compile(r"\d\d\.\d\d\.\d\d_\d\d_\w+\.sql")
log = structlog.get_logger()


def upgrade(conninfo: str, migrations: Path = migrations_path) -> list[str]:
    """Apply what a newer package brought since the schema was made; return the names. Raises StoreError."""
    try:
        with psycopg.connect(conninfo) as connection:
            return _upgrade(connection, sorted(path for path in migrations.glob("*.sql")))
    except psycopg.Error as error:
        raise StoreError(
            f"the job queue's tables can not be brought up to date ({type(error).__name__})",
            hint="voicebot serve migrates the database at its start: let it run once",
        ) from error


def _upgrade(connection: psycopg.Connection, files: list[Path]) -> list[str]:
    connection.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
    row = connection.execute("SELECT obj_description('procrastinate_jobs'::regclass)").fetchone()
    reached = str(row[0]) if row and row[0] else ""
    if not _MIGRATION.fullmatch(reached):
        raise StoreError("nothing tells which procrastinate made the job queue", hint="see m0005_jobs.py")
    newer = [path for path in files if path.name > reached]
    for path in newer:
        connection.execute(path.read_bytes())
        log.info("job queue upgraded", migration=path.name)
    if newer:
        connection.execute(
            psycopg.sql.SQL("COMMENT ON TABLE procrastinate_jobs IS {}").format(newer[-1].name)
        )
    return [path.name for path in newer]
