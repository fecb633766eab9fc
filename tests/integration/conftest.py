"""The console's API on an empty database, and a user agent of ours."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from voicebot.console.api.app import api
from voicebot.console.house import House
from voicebot.settings import Settings
from voicebot.store.session import Database
from voicebot.telephony import UserAgent, UserAgentConfig


@pytest.fixture
def house(database: Database, tmp_path: Path) -> House:
    """The console's parts on an empty database."""
    return House(Settings(home=tmp_path), database)


@pytest.fixture
def client(house: House) -> Iterator[TestClient]:
    """A client without a token."""
    with TestClient(api(house), raise_server_exceptions=False) as opened:
        yield opened


@pytest.fixture
def agent() -> Iterator[UserAgent]:
    """A user agent on free ports."""
    made = UserAgent(UserAgentConfig(sip_port=0, rtp_port=0))
    made.start()
    yield made
    made.stop()
