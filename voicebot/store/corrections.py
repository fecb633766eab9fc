"""Corrected outcomes, with their history."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from voicebot.domain.call import Disposition, IntentLevel
from voicebot.domain.errors import DataError
from voicebot.domain.ids import uuid7
from voicebot.domain.webhook import Event
from voicebot.store.calls import row_id
from voicebot.store.tables import AttemptRow, CorrectionRow, OutcomeRow
from voicebot.store.webhook_events import tell

PERSON = "person"  # origin of an outcome that a person corrected; a replayed journal leaves it alone


@dataclass(frozen=True, slots=True)
class Correction:
    """One correction."""

    call_id: str
    contact_id: str  # "" = nobody on a list
    at: datetime
    actor: str
    why: str
    before: dict[str, Any]  # disposition, intent_level, facts, origin
    after: dict[str, Any]

    @property
    def told_before(self) -> dict[str, str]:
        """What was before, as the audit log keeps it: without facts, which may be personal."""
        return {key: str(self.before[key]) for key in ("disposition", "intent_level")}

    @property
    def told_after(self) -> dict[str, str]:
        """What is now, likewise."""
        return {key: str(self.after[key]) for key in ("disposition", "intent_level")}


class CorrectionRepository:
    """Corrections (更正)."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def correct(
        self,
        call_id: str,
        actor: str,
        why: str,
        now: datetime,
        disposition: Disposition | None,
        intent_level: IntentLevel | None,
        facts: dict[str, str],
    ) -> Correction:
        """Change an outcome and keep what it was. Raises DataError."""
        row = self._session.scalar(
            select(OutcomeRow).where(OutcomeRow.call_id == row_id(call_id)).with_for_update()
        )
        if row is None:
            raise DataError(f"call {call_id} has no outcome", hint="voicebot outcomes lists them")
        before = _told(row)
        merged = {name: value for name, value in {**row.facts, **facts}.items() if value != ""}
        row.disposition = disposition.value if disposition else row.disposition
        row.intent_level = intent_level.value if intent_level else row.intent_level
        row.facts, row.origin = merged, PERSON
        row.opted_out = row.opted_out or disposition is Disposition.DO_NOT_CALL
        after = _told(row)
        if {**before, "origin": PERSON} == after:
            raise DataError("nothing would change", hint="give a disposition, an intent level or a fact")
        self._session.add(
            CorrectionRow(
                id=uuid7(), call_id=row.call_id, at=now, actor=actor, why=why, before=before, after=after
            )
        )
        self._session.execute(
            update(AttemptRow).where(AttemptRow.call_id == row.call_id).values(disposition=row.disposition)
        )
        tell(self._session, Event.OUTCOME, row.call_id, now)
        contact = str(row.contact_id) if row.contact_id else ""
        return Correction(str(row.call_id), contact, now, actor, why, before, after)

    def history(self, call_id: str) -> tuple[Correction, ...]:
        """Return the corrections of an outcome, oldest first."""
        query = (
            select(CorrectionRow).where(CorrectionRow.call_id == row_id(call_id)).order_by(CorrectionRow.at)
        )
        return tuple(
            Correction(str(row.call_id), "", row.at, row.actor, row.why, dict(row.before), dict(row.after))
            for row in self._session.scalars(query)
        )


def _told(row: OutcomeRow) -> dict[str, Any]:
    return {
        "disposition": row.disposition,
        "intent_level": row.intent_level,
        "facts": dict(row.facts),
        "origin": row.origin,
    }
