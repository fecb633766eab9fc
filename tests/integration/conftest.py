"""The console's API on an empty database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from voicebot.console.api.app import api
from voicebot.console.house import House
from voicebot.settings import Settings
from voicebot.store.session import Database


@pytest.fixture
def house(database: Database, tmp_path: Path) -> House:
    """The console's parts on an empty database."""
    return House(Settings(home=tmp_path), database)


@pytest.fixture
def client(house: House) -> Iterator[TestClient]:
    """A client without a token."""
    with TestClient(api(house), raise_server_exceptions=False) as opened:
        yield opened
