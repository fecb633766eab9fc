"""Versions of playbooks as calls were conducted with them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import structlog
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from voicebot.domain.errors import VoicebotError
from voicebot.store.session import Database
from voicebot.store.tables import PlaybookVersionRow

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class KeptVersion:
    """A version of a playbook, and since when it is known."""

    version: str
    at: datetime


class PlaybookRepository:
    """Playbook versions."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def keep(self, playbook_id: str, version: str, text: str) -> None:
        """Note a version with the text of its file; a known one stays as it is."""
        row = {"playbook_id": playbook_id, "version": version, "content": {"yaml": text}}
        self._session.execute(insert(PlaybookVersionRow).values(row).on_conflict_do_nothing())

    def text(self, playbook_id: str, version: str) -> str:
        """Return the text of a version's file; "" if it is not known."""
        row = self._session.get(PlaybookVersionRow, (playbook_id, version))
        return str(row.content.get("yaml", "")) if row else ""

    def versions(self, playbook_id: str) -> tuple[KeptVersion, ...]:
        """Return the known versions, newest first."""
        asked = (
            select(PlaybookVersionRow.version, PlaybookVersionRow.at)
            .where(PlaybookVersionRow.playbook_id == playbook_id)
            .order_by(PlaybookVersionRow.at.desc())
        )
        return tuple(KeptVersion(version, at) for version, at in self._session.execute(asked))


class PostgresPlaybookArchive:
    """PlaybookArchive in Postgres. Never fails a call: without the database a version is just not kept."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def keep(self, playbook_id: str, version: str, text: str) -> None:
        """Note a version."""
        try:
            with self._database.transaction() as session:
                PlaybookRepository(session).keep(playbook_id, version, text)
        except VoicebotError as away:
            log.warning("the version of a playbook was not kept", playbook=playbook_id, why=str(away))

    def text(self, playbook_id: str, version: str) -> str:
        """Return the text of a version's file; "" if it is not known or the database is away."""
        try:
            with self._database.transaction() as session:
                return PlaybookRepository(session).text(playbook_id, version)
        except VoicebotError as away:
            log.warning("an older playbook was not found", playbook=playbook_id, why=str(away))
            return ""
