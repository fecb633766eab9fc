"""The door to the database: one engine, one transaction at a time, our own errors."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from sqlalchemy import create_engine, func, select, text
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, OperationalError
from sqlalchemy.exc import DataError as SqlDataError
from sqlalchemy.orm import Session, sessionmaker

from voicebot.domain.errors import DataError, SettingsError, StoreError

__all__ = ["Database", "DatabaseClock", "Session", "normalised", "time_of", "translated"]

_HINT = "check that PostgreSQL runs and that VOICEBOT_DATABASE_URL names it (voicebot doctor)"

Transaction = Session  # for signatures outside the store
_UNANSWERED_MS = 10_000  # a peer that acknowledges nothing so long is gone
# … and so is one that has acknowledged our query and then says nothing, not even that it lives
_KEEPALIVE = {"keepalives_idle": 10, "keepalives_interval": 3, "keepalives_count": 3}


class Database:
    """One PostgreSQL database. Thread-safe; every transaction has its own connection."""

    def __init__(self, url: str, *, pool_size: int = 5, connect_timeout_s: int = 5) -> None:
        """Take an SQLAlchemy or libpq URL. Connects on first use. Raises SettingsError."""
        try:
            self.engine = create_engine(
                normalised(url),
                pool_size=pool_size,
                pool_pre_ping=True,
                hide_parameters=True,  # what is written must not stand in the message of an error
                connect_args={
                    "connect_timeout": connect_timeout_s,
                    "tcp_user_timeout": _UNANSWERED_MS,
                    **_KEEPALIVE,
                    "options": "-c timezone=UTC",
                },
            )
        except ArgumentError as error:
            raise SettingsError(
                "the database URL can not be read", hint="postgresql://user:password@host/database"
            ) from error
        self._sessions = sessionmaker(self.engine, expire_on_commit=False)

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """Yield a session; commit at the end, roll back on an error.

        Raises StoreError if the database is away, DataError if it refuses the data.
        """
        with translated(), self._sessions.begin() as session:
            yield session

    def check(self) -> str:
        """Return the server's version. Raises StoreError."""
        with self.transaction() as session:
            return str(session.execute(text("SHOW server_version")).scalar_one())

    def dispose(self) -> None:
        """Close every connection."""
        self.engine.dispose()


def time_of(session: Session) -> datetime:
    """Return the database's time, as of the transaction's begin: one clock for all machines."""
    return session.scalars(select(func.now())).one()


class DatabaseClock:
    """The database's time for a process that reckons with it: machines' own clocks may differ by minutes."""

    def __init__(self, database: Database) -> None:
        """Take a database. Until `set` it is this machine's time."""
        self._database = database
        self._base = datetime.now(UTC) - timedelta(seconds=time.monotonic())

    def set(self) -> None:
        """Take the time from the database; blocks. Raises StoreError."""
        with self._database.transaction() as session:
            self._base = time_of(session) - timedelta(seconds=time.monotonic())

    def __call__(self) -> datetime:
        """Return the time: what the database said when it was asked, and what has passed since."""
        return self._base + timedelta(seconds=time.monotonic())


def normalised(url: str) -> str:
    """Return a libpq URL as SQLAlchemy wants it: with the driver named."""
    for prefix in ("postgres://", "postgresql://"):
        if url.startswith(prefix):
            return "postgresql+psycopg://" + url.removeprefix(prefix)
    return url


@contextmanager
def translated() -> Iterator[None]:
    """Turn the driver's errors into ours. Their messages may hold row values, so only the kind is told."""
    try:
        yield
    except (IntegrityError, SqlDataError) as error:
        kind = type(error.orig).__name__ if error.orig else type(error).__name__
        raise DataError("the database refuses a row ({kind})", kind=kind) from error
    except OperationalError as error:
        first_line = str(error.orig).splitlines()[0] if error.orig else ""
        raise StoreError("the database is away: {why}", hint=_HINT, why=first_line) from error
    except DBAPIError as error:
        kind = type(error.orig).__name__ if error.orig else type(error).__name__
        raise StoreError("the database refuses a statement ({kind})", hint=_HINT, kind=kind) from error
