"""Backup and restore, tried: by the commands that the operations guide names."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from typer.testing import CliRunner

from tests.conftest import Make
from voicebot.cli.main import app
from voicebot.domain.campaign import Campaign, CampaignStatus, Contact
from voicebot.domain.ids import uuid7
from voicebot.store.calls import CallRepository
from voicebot.store.campaigns import CampaignRepository
from voicebot.store.contacts import ContactRepository
from voicebot.store.crypto import NumberVault, load_or_create_key
from voicebot.store.session import Database

pytestmark = pytest.mark.integration

NUMBER = "+8613900000000"


def command(home: Path, url: str, *words: str) -> str:
    environment = {"VOICEBOT_HOME": str(home), "VOICEBOT_DATABASE_URL": url}
    done = CliRunner().invoke(app, list(words), env=environment, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def test_what_was_backed_up_is_there_after_the_machine_is_gone(
    database: Database, database_url: str, make: Make, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    vault = NumberVault(load_or_create_key(home / "number.key"))
    for place in ("playbooks/mine.yaml", "recordings/2026/a.wav"):
        (home / place).parent.mkdir(parents=True)
        (home / place).write_text("kept")
    campaign = Campaign(str(uuid7()), "spring", "consumer_loan", CampaignStatus.DRAFT, "CN")
    request = make.request()
    with database.transaction() as session:
        CampaignRepository(session).add(campaign)
        contacts = [Contact(str(uuid7()), campaign.id, NUMBER, "Asia/Shanghai")]
        ContactRepository(session, vault).add(contacts, datetime.now(UTC))
        CallRepository(session).turn(make.turn(request.call_id, 1))
        CallRepository(session).ended(make.record(request))

    saved = tmp_path / "saved"
    assert "PostgreSQL" in command(home, database_url, "backup", str(saved), "--key", "--recordings")
    assert saved.stat().st_mode & 0o077 == 0

    name = f"restored_{uuid7().hex}"
    admin = create_engine(database_url, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    new_url = database_url.replace(admin.url.database or "", name)
    new_home = tmp_path / "new machine"
    try:
        assert "restored" in command(new_home, new_url, "restore", str(saved), "--yes")
        again = Database(new_url)
        with again.transaction() as session:
            sealed = session.execute(text("SELECT number_sealed FROM contacts")).scalar_one()
            said = session.execute(text("SELECT customer_text FROM turns")).scalars().all()
            outcomes = session.execute(text("SELECT count(*) FROM outcomes")).scalar_one()
        again.dispose()
        key = load_or_create_key(new_home / "number.key")
        assert NumberVault(key).unseal(bytes(sealed)) == NUMBER
        assert said == ["现在有事不要说了"]
        assert outcomes == 1
        assert (new_home / "recordings/2026/a.wav").read_text() == "kept"
        assert "restored" in command(new_home, new_url, "restore", str(saved), "--yes"), "again does no harm"
    finally:
        with admin.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
        admin.dispose()


def test_without_being_asked_for_the_key_stays_where_it_is(database_url: str, tmp_path: Path) -> None:
    load_or_create_key(tmp_path / "home" / "number.key")
    told = command(tmp_path / "home", database_url, "backup", str(tmp_path / "saved"))
    assert "key is not in it" in told
    assert not (tmp_path / "saved" / "number.key").exists()


def test_what_is_no_backup_replaces_nothing(database_url: str, tmp_path: Path) -> None:
    done = CliRunner().invoke(
        app, ["restore", str(tmp_path), "--yes"],
        env={"VOICEBOT_HOME": str(tmp_path), "VOICEBOT_DATABASE_URL": database_url},
    )  # fmt: skip
    assert "no backup" in str(done.exception)
