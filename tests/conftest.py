"""Shared fixtures: PostgreSQL, and the folder of evaluation data."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import create_engine, text

from voicebot.store.embedded import EmbeddedPostgres
from voicebot.store.migrate import migrate
from voicebot.store.session import Database

TEMPLATE = "voicebot"  # the server's own database, migrated and never written to


@pytest.fixture(scope="session")
def postgres_directory() -> Iterator[Path]:
    """A directory with a short path, which an account other than root may pass: pytest's own may not."""
    directory = Path(tempfile.mkdtemp(prefix="voicebot-test-"))
    directory.chmod(0o755)
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres(postgres_directory: Path) -> Iterator[str]:
    """One embedded server for the session; the URL of its migrated template database."""
    server = EmbeddedPostgres(postgres_directory / "shared", durable=False)
    with server as url:
        database = Database(url)
        migrate(database, datetime.now(UTC))
        database.dispose()
        yield url


@pytest.fixture
def database_url(postgres: str) -> Iterator[str]:
    """The URL of a fresh, migrated, empty database."""
    name = f"test_{uuid4().hex}"
    admin = create_engine(postgres.replace(f"/{TEMPLATE}?", "/postgres?"), isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}"))
    yield postgres.replace(f"/{TEMPLATE}?", f"/{name}?")
    with admin.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    admin.dispose()


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A fresh, migrated, empty database, opened."""
    opened = Database(database_url)
    yield opened
    opened.dispose()


@pytest.fixture(scope="session")
def test_data() -> Path:
    """The folder of evaluation data; skips where it is absent."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("VOICEBOT_TEST_DATA", beside))
    if not folder.is_dir():
        pytest.skip(f"no evaluation data in {folder}: set VOICEBOT_TEST_DATA")
    return folder
