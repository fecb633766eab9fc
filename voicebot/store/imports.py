"""Imports of contacts: how far they are and what became of the rows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from voicebot.domain.errors import DataError
from voicebot.store.calls import row_id
from voicebot.store.tables import ImportRow

RUNNING, DONE, FAILED = "running", "done", "failed"


@dataclass(frozen=True, slots=True)
class ImportState:
    """One import."""

    id: str
    campaign_id: str
    file_name: str
    actor: str
    status: str  # RUNNING, DONE, FAILED
    rows: int  # read so far
    added: int
    duplicates: int
    errors: int
    errors_file: str  # path of the rows that are not usable, with reasons; "" = none
    failure: str
    started_at: datetime
    finished_at: datetime | None


class ImportRepository:
    """Imports of contacts (导入)."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def begin(self, import_id: str, campaign_id: str, file_name: str, actor: str, now: datetime) -> None:
        """Write that an import begins, or begins again."""
        values = {
            "campaign_id": row_id(campaign_id),
            "file_name": file_name,
            "actor": actor,
            "status": RUNNING,
            "failure": "",
            "started_at": now,
            "finished_at": None,
        }
        self._session.execute(
            insert(ImportRow)
            .values(id=row_id(import_id), **values)
            .on_conflict_do_update(index_elements=[ImportRow.id], set_=values)
        )

    def progress(self, import_id: str, rows: int, added: int, duplicates: int, errors: int) -> None:
        """Write how far an import is."""
        self._update(import_id, {"rows": rows, "added": added, "duplicates": duplicates, "errors": errors})

    def finish(self, import_id: str, errors_file: str, now: datetime) -> None:
        """Write that an import is done."""
        self._update(import_id, {"status": DONE, "errors_file": errors_file, "finished_at": now})

    def fail(self, import_id: str, failure: str, now: datetime) -> None:
        """Write why an import broke off."""
        self._update(import_id, {"status": FAILED, "failure": failure, "finished_at": now})

    def get(self, import_id: str) -> ImportState:
        """Return an import. Raises DataError."""
        row = self._session.get(ImportRow, row_id(import_id), populate_existing=True)
        if row is None:
            raise DataError(f"there is no import {import_id}")
        return _state(row)

    def of_campaign(self, campaign_id: str) -> tuple[ImportState, ...]:
        """Return a campaign's imports, the newest first."""
        query = select(ImportRow).where(ImportRow.campaign_id == row_id(campaign_id))
        return tuple(
            _state(row) for row in self._session.scalars(query.order_by(ImportRow.started_at.desc()))
        )

    def _update(self, import_id: str, values: dict[str, Any]) -> None:
        self._session.execute(update(ImportRow).where(ImportRow.id == row_id(import_id)).values(values))


def _state(row: ImportRow) -> ImportState:
    return ImportState(
        str(row.id),
        str(row.campaign_id),
        row.file_name,
        row.actor,
        row.status,
        row.rows,
        row.added,
        row.duplicates,
        row.errors,
        row.errors_file,
        row.failure,
        row.started_at,
        row.finished_at,
    )
