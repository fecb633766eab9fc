"""How an operator gives a trunk's password: never where others can read it."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from voicebot.cli.trunk import trunk_app
from voicebot.domain.errors import SettingsError
from voicebot.store.crypto import NumberVault, load_or_create_key
from voicebot.store.session import Database
from voicebot.store.trunks import TrunkRepository

pytestmark = pytest.mark.integration

ADD = ("add", "carrier", "sip.example.com", "--user", "4008", "--allow", "+86")
SECRET = "s3cret word"


@pytest.fixture(autouse=True)
def settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, database_url: str) -> None:
    monkeypatch.setenv("VOICEBOT_HOME", str(tmp_path))
    monkeypatch.setenv("VOICEBOT_DATABASE_URL", database_url)


def run(*arguments: str, typed: str | None = None) -> Result:
    return CliRunner().invoke(trunk_app, [*ADD, *arguments], input=typed)


def kept(database: Database, home: Path) -> list[str]:
    with database.transaction() as session:
        vault = NumberVault(load_or_create_key(home / "number.key"))
        return [trunk.password for trunk in TrunkRepository(session, vault).all()]


def test_a_password_on_the_command_line_is_refused_and_not_repeated(
    database: Database, tmp_path: Path
) -> None:
    result = run("--password", SECRET)
    assert isinstance(result.exception, SettingsError)
    assert "list of processes" in str(result.exception)
    assert "--password-stdin" in result.exception.hint
    assert SECRET not in f"{result.output}{result.exception}{result.exception.hint}"
    assert kept(database, tmp_path) == []


def test_it_is_read_from_standard_input(database: Database, tmp_path: Path) -> None:
    result = run("--password-stdin", typed=f"{SECRET}\n")
    assert result.exit_code == 0, result.exception
    assert SECRET not in result.output
    assert kept(database, tmp_path) == [SECRET]


def test_standard_input_without_a_line_is_an_error(database: Database, tmp_path: Path) -> None:
    assert isinstance(run("--password-stdin", typed="").exception, SettingsError)
    assert kept(database, tmp_path) == []


def test_it_is_asked_for_and_not_shown(database: Database, tmp_path: Path) -> None:
    result = run(typed=f"{SECRET}\n")
    assert result.exit_code == 0, result.exception
    assert SECRET not in result.output
    assert kept(database, tmp_path) == [SECRET]


def test_it_comes_from_the_environment(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VOICEBOT_TRUNK_PASSWORD", SECRET)
    assert run().exit_code == 0
    assert kept(database, tmp_path) == [SECRET]


def test_help_does_not_offer_the_dangerous_way() -> None:
    shown = CliRunner().invoke(trunk_app, ["add", "--help"], env={"COLUMNS": "200"}).output
    assert "--password-stdin" in shown
    assert "--password " not in shown
