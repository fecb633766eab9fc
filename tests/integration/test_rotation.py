"""Rotating the key: numbers, passwords and secrets of a real database, by the commands an operator types."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from voicebot.cli.main import app
from voicebot.domain.campaign import Campaign, CampaignStatus, Contact
from voicebot.domain.errors import StoreError
from voicebot.domain.ids import uuid7
from voicebot.domain.trunk import Trunk
from voicebot.store.campaigns import CampaignRepository
from voicebot.store.contacts import ContactRepository
from voicebot.store.crypto import NumberVault, load_or_create_key, parse_ring
from voicebot.store.session import Database
from voicebot.store.trunks import TrunkRepository

pytestmark = pytest.mark.integration

NUMBERS = [f"+861390000{n:04}" for n in range(5)]


@pytest.fixture
def filled(database: Database, tmp_path: Path) -> NumberVault:
    """Five contacts and a trunk with a password, sealed with the key under tmp_path."""
    vault = NumberVault(load_or_create_key(tmp_path / "number.key"))
    campaign = Campaign(str(uuid7()), "spring", "consumer_loan", CampaignStatus.DRAFT, "CN")
    contacts = [Contact(str(uuid7()), campaign.id, number, "Asia/Shanghai") for number in NUMBERS]
    with database.transaction() as session:
        CampaignRepository(session).add(campaign)
        ContactRepository(session, vault).add(contacts, datetime.now(UTC))
        TrunkRepository(session, vault).save(
            Trunk("carrier", "sip.invalid", ("+86",), user="u", password="pw")
        )
    return vault


@pytest.fixture
def command(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    monkeypatch.setenv("VOICEBOT_HOME", str(tmp_path))
    monkeypatch.setenv("VOICEBOT_DATABASE_URL", database_url)

    def run(*words: str) -> str:
        done = CliRunner().invoke(app, ["keys", *words], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.output

    return run


def sealed(database: Database) -> list[bytes]:
    with database.transaction() as session:
        return [bytes(row) for row in session.execute(text("SELECT number_sealed FROM contacts")).scalars()]


def test_a_key_is_exchanged_step_by_step_and_the_old_one_opens_nothing_any_more(
    database: Database, filled: NumberVault, command: Callable[..., str], tmp_path: Path
) -> None:
    key_file = tmp_path / "number.key"
    before = sealed(database)
    command("add")
    assert "2 in" in command("show")
    running = NumberVault(load_or_create_key(key_file))  # a process that was restarted between
    assert running.unseal(before[0]) in NUMBERS
    assert "numbers: 5 of 5" in command("rotate")
    assert "passwords of trunks: 0 of 1" in command("rotate"), "again does no harm"
    late = running.seal(NUMBERS[0])  # by a process that still seals with the old key
    assert NumberVault(load_or_create_key(key_file)).unseal(late) == NUMBERS[0]
    command("retire")
    assert len(parse_ring(key_file.read_text()).keys) == 1
    after = NumberVault(load_or_create_key(key_file))
    assert sorted(after.unseal(one) for one in sealed(database)) == NUMBERS
    assert after.lookup(NUMBERS[0]) == filled.lookup(NUMBERS[0]), "do-not-call entries are found as before"
    with database.transaction() as session:
        assert TrunkRepository(session, after).find("carrier").password == "pw"
        actions = session.execute(text("SELECT action FROM audit_log ORDER BY id")).scalars().all()
    assert actions == ["keys_rotate", "keys_rotate", "keys_retire"]
    with pytest.raises(StoreError):
        filled.unseal(sealed(database)[0])


def test_a_key_of_the_environment_is_told_and_not_written(
    database: Database, command: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VOICEBOT_NUMBER_KEY", load_or_create_key(tmp_path / "other.key").text(","))
    told = command("add").splitlines()[1]
    assert len(parse_ring(told).openers) == 2
    assert not (tmp_path / "number.key").exists()
