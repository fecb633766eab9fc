"""Bringing everything that is sealed under the newest key."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import InstrumentedAttribute, Session

from voicebot.store.crypto import NumberVault
from voicebot.store.recordings import Recordings
from voicebot.store.session import Database
from voicebot.store.tables import CallRow, ContactRow, TrunkRow, WebhookRow

BATCH = 1000  # rows a transaction: what others wait for at most
_COLUMNS: tuple[tuple[str, InstrumentedAttribute[Any], InstrumentedAttribute[Any]], ...] = (
    ("numbers", ContactRow.id, ContactRow.number_sealed),
    ("numbers of callers", CallRow.id, CallRow.caller_sealed),
    ("passwords of trunks", TrunkRow.name, TrunkRow.password_sealed),
    ("secrets of webhooks", WebhookRow.id, WebhookRow.secret_sealed),
)


@dataclass(frozen=True, slots=True)
class Rotated:
    """How far it went with one kind of thing."""

    what: str
    looked_at: int
    changed: int


def rotate(database: Database, vault: NumberVault, recordings: Recordings) -> Iterator[Rotated]:
    """Seal anew what the newest key did not seal; yield the state after every batch.

    It may be ended and begun again at any time; calls and imports go on meanwhile. Raises StoreError if
    something can not be opened by any key.
    """
    for what, key, column in _COLUMNS:
        yield from _column(database, vault, what, key, column)
    looked = changed = 0
    for _, new in recordings.rewrap():
        looked, changed = looked + 1, changed + new
        if looked % BATCH == 0:
            yield Rotated("recordings", looked, changed)
    yield Rotated("recordings", looked, changed)


def _column(
    database: Database,
    vault: NumberVault,
    what: str,
    key: InstrumentedAttribute[Any],
    column: InstrumentedAttribute[Any],
) -> Iterator[Rotated]:
    looked = changed = 0
    after: Any = None
    while True:
        with database.transaction() as session:
            rows = _next_rows(session, key, column, after)
            for found, sealed in rows:
                new = vault.resealed(sealed)
                if new is not None:
                    # unless somebody wrote another value meanwhile
                    session.execute(
                        update(key.class_).where(key == found, column == sealed).values({column: new})
                    )
                    changed += 1
        looked += len(rows)
        yield Rotated(what, looked, changed)
        if len(rows) < BATCH:
            return
        after = rows[-1][0]


def _next_rows(
    session: Session, key: InstrumentedAttribute[Any], column: InstrumentedAttribute[Any], after: Any
) -> list[tuple[Any, bytes]]:
    query = select(key, column).where(column.is_not(None)).order_by(key).limit(BATCH)
    if after is not None:
        query = query.where(key > after)
    return [(found, sealed) for found, sealed in session.execute(query)]
