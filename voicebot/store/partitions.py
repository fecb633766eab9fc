"""Monthly partitions of `turns`, made ahead. Rows of no month's partition go to `turns_default`."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import Connection, text

MONTHS_BEHIND = 1
MONTHS_AHEAD = 3
DEFAULT = "turns_default"
_LOCK = 7233_0002  # advisory lock: one maker at a time


def partition_name(month: datetime) -> str:
    """Return the partition that holds a month: turns_2026_11."""
    return f"turns_{month.year:04d}_{month.month:02d}"


def month_start(at: datetime, months: int = 0) -> datetime:
    """Return the first instant (UTC) of the month `months` after the one of a time."""
    index = at.year * 12 + at.month - 1 + months
    return datetime(index // 12, index % 12 + 1, 1, tzinfo=UTC)


def ensure_partitions(connection: Connection, now: datetime) -> list[str]:
    """Make the partitions around `now` that are missing; return their names.

    Rows of such a month that went to the default partition meanwhile move into the new one.
    """
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    made = []
    for months in range(-MONTHS_BEHIND, MONTHS_AHEAD + 1):
        start, end = month_start(now, months), month_start(now, months + 1)
        name = partition_name(start)
        if connection.execute(text("SELECT to_regclass(:name)"), {"name": name}).scalar():
            continue
        bounds = {"start": start, "end": end}
        connection.execute(text(f"CREATE TABLE {name} (LIKE turns INCLUDING DEFAULTS INCLUDING CONSTRAINTS)"))
        connection.execute(
            text(
                f"WITH moved AS (DELETE FROM {DEFAULT} WHERE at >= :start AND at < :end RETURNING *) "  # noqa: S608
                f"INSERT INTO {name} SELECT * FROM moved"
            ),
            bounds,
        )
        connection.execute(
            text(
                f"ALTER TABLE turns ATTACH PARTITION {name} "
                f"FOR VALUES FROM ('{start.isoformat()}') TO ('{end.isoformat()}')"
            )
        )
        made.append(name)
    return made
