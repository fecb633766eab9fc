"""The registry of models in the database: what lies in its directories, who moved it and why."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from voicebot.domain.learning import ModelState, ModelVersion
from voicebot.store.tables import ModelVersionRow


class ModelVersionRepository:
    """Versions of models, by name and version."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def sync(self, found: Sequence[ModelVersion], now: datetime) -> list[str]:
        """Bring the table to what lies in the directories; return the labels that are new or moved.

        A version that lies nowhere any more is kept as gone: turns name it.
        """
        rows = {(row.name, row.version): row for row in self._session.scalars(select(ModelVersionRow))}
        changed = []
        for one in found:
            row = rows.pop((one.name, one.version), None)
            if row is not None and row.state == one.state.value and row.manifest == dict(one.manifest):
                continue
            changed.append(f"{one.name}-{one.version}")
            if row is None:
                self._session.add(_row(one))
            else:
                row.state, row.manifest, row.changed_at = one.state.value, dict(one.manifest), now
                row.actor, row.why = one.actor, one.why
        for row in rows.values():
            if row.state != ModelState.GONE.value:
                row.state, row.changed_at, row.actor, row.why = ModelState.GONE.value, now, "", ""
                changed.append(f"{row.name}-{row.version}")
        self._session.flush()
        return changed

    def set(self, one: ModelVersion) -> None:
        """Write where a version stands now, and who moved it."""
        row = self._session.get(ModelVersionRow, (one.name, one.version))
        if row is None:
            self._session.add(_row(one))
        else:
            row.state, row.manifest, row.changed_at = one.state.value, dict(one.manifest), one.changed_at
            row.actor, row.why = one.actor, one.why
        self._session.flush()

    def find(self, name: str, version: str) -> ModelVersion | None:
        """Return one; None if it was never registered."""
        row = self._session.get(ModelVersionRow, (name, version))
        return _version(row) if row else None

    def all(self, name: str = "", states: Sequence[ModelState] = ()) -> list[ModelVersion]:
        """Return versions, those that changed last first."""
        query = select(ModelVersionRow).order_by(
            ModelVersionRow.changed_at.desc(), ModelVersionRow.name, ModelVersionRow.version
        )
        if name:
            query = query.where(ModelVersionRow.name == name)
        if states:
            query = query.where(ModelVersionRow.state.in_([state.value for state in states]))
        return [_version(row) for row in self._session.scalars(query)]


def _row(one: ModelVersion) -> ModelVersionRow:
    return ModelVersionRow(
        name=one.name,
        version=one.version,
        state=one.state.value,
        manifest=dict(one.manifest),
        registered_at=one.registered_at,
        changed_at=one.changed_at,
        actor=one.actor,
        why=one.why,
    )


def _version(row: ModelVersionRow) -> ModelVersion:
    return ModelVersion(
        row.name,
        row.version,
        ModelState(row.state),
        row.manifest,
        row.registered_at,
        row.changed_at,
        row.actor,
        row.why,
    )
