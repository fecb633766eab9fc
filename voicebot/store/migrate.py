"""Brings a database to the newest schema."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

import structlog
from alembic import command
from alembic.config import Config
from alembic.util.exc import CommandError
from sqlalchemy import Connection, text

from voicebot.domain.errors import StoreError
from voicebot.registry.resources import migrations_dir
from voicebot.store.partitions import ensure_partitions
from voicebot.store.session import Database, translated

log = structlog.get_logger()

_LOCK = 7233_0001  # advisory lock: of several starters, one migrates and the others wait
_PARTITION = re.compile(r"turns_(\d{4}_\d{2}|default)")


def migrate(database: Database, now: datetime) -> None:
    """Run what is missing of the migrations, make partitions ahead. Raises StoreError."""
    with translated(), database.engine.begin() as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        try:
            command.upgrade(config(connection), "head")
        except CommandError as error:
            raise StoreError(
                f"the database can not be migrated: {error}",
                hint="it was used by a newer voicebot: upgrade this one",
            ) from error
        for name in ensure_partitions(connection, now):
            log.info("partition made", partition=name)


def check(database: Database) -> None:
    """Raise StoreError if the tables in code and in the database differ."""
    with translated(), database.engine.begin() as connection:
        try:
            command.check(config(connection))
        except CommandError as error:
            raise StoreError(f"the schema differs from the code: {error}") from error


def config(connection: Connection) -> Config:
    """Return alembic's configuration on an open connection."""
    settings = Config(attributes={"connection": connection, "include_name": _include_name})
    settings.set_main_option("script_location", str(migrations_dir()).replace("%", "%%"))
    settings.set_main_option("path_separator", "os")
    return settings


def _include_name(name: str | None, kind: str, parents: Any) -> bool:
    # Partitions are made at run time, by month; the job queue's tables are procrastinate's.
    return not (
        kind == "table" and name and (_PARTITION.fullmatch(name) or name.startswith("procrastinate_"))
    )
