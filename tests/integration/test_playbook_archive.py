"""Versions of playbooks, in Postgres."""

from __future__ import annotations

from pathlib import Path

import pytest

from voicebot.dialogue import playbook
from voicebot.registry.playbooks import PlaybookDirectories
from voicebot.registry.resources import playbooks_dir
from voicebot.store.playbooks import PlaybookRepository, PostgresPlaybookArchive
from voicebot.store.session import Database

pytestmark = pytest.mark.integration


def test_every_version_that_was_used_can_be_had_again(database: Database, tmp_path: Path) -> None:
    archive = PostgresPlaybookArchive(database)
    file = tmp_path / "after_sales.yaml"
    text = (playbooks_dir() / "after_sales.yaml").read_text("utf-8")
    file.write_text(text, "utf-8")
    old = PlaybookDirectories([tmp_path], playbook.load, playbook.parse, archive).get("after_sales")
    file.write_text(text + "\n# another\n", "utf-8")
    source = PlaybookDirectories([tmp_path], playbook.load, playbook.parse, archive)
    new = source.get("after_sales")
    assert source.get("after_sales", old.version) == old
    with database.transaction() as session:
        kept = [one.version for one in PlaybookRepository(session).versions("after_sales")]
        assert PlaybookRepository(session).text("after_sales", old.version) == text
    assert set(kept) == {new.version, old.version}


def test_a_database_that_is_away_fails_no_call() -> None:
    archive = PostgresPlaybookArchive(Database("postgresql://nobody@127.0.0.1:1/none", pool_size=1))
    archive.keep("after_sales", "1", "id: x")
    assert archive.text("after_sales", "1") == ""
