"""The database, for the time of a command."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from voicebot import bootstrap
from voicebot.service import logs
from voicebot.settings import Settings
from voicebot.store.session import Database, DatabaseClock


@contextmanager
def stored(settings: Settings) -> Iterator[Database]:
    """Yield the database. Only warnings are logged: what a command prints is its answer."""
    logs.configure("cli", "warning")
    with bootstrap.store(settings) as database:
        yield database


def clock(database: Database) -> DatabaseClock:
    """Return the database's clock, by which agents and workers are there or not: ours may differ."""
    told = DatabaseClock(database)
    told.set()
    return told
