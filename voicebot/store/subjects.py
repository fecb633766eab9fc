"""Everything that is kept about one person, found by the number: read whole, or erased."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, case, delete, func, literal, select, update
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session

from voicebot.domain.campaign import ContactStatus
from voicebot.store.crypto import NumberVault
from voicebot.store.samples import SampleRepository
from voicebot.store.tables import (
    AttemptRow,
    Base,
    CallRow,
    ContactRow,
    CorrectionRow,
    DoNotCallRow,
    FeedbackRow,
    OutcomeRow,
    RefusalRow,
    SampleRow,
    TakeoverRow,
    TurnRow,
    WorkerRow,
)

ERASED = "已删除"
LONGEST = timedelta(days=1)  # no call lasts that long: whoever conducted it is gone
_EMPTY = literal({}, JSONB)
_NUMBER_COLUMNS = {"number_sealed", "number_lookup", "caller_sealed", "caller_lookups"}


@dataclass(frozen=True, slots=True)
class Erased:
    """What was erased of a person."""

    contacts: int
    calls: int
    turns: int
    recordings: tuple[str, ...]  # blob keys, to be deleted by whoever keeps them
    models: tuple[str, ...] = ()  # that learnt from this person's calls; marked


class SubjectRepository:
    """A person (数据主体)."""

    def __init__(self, session: Session, vault: NumberVault) -> None:
        self._session = session
        self._vault = vault

    def export(self, number: str) -> dict[str, list[dict[str, Any]]]:
        """Return every row about a person, by table; the number is left out, whoever asks has it."""
        contacts, calls = self._ids(number)
        lookup = self._vault.lookup(number)
        return {
            "contacts": self._rows(ContactRow, ContactRow.id.in_(contacts)),
            "call_attempts": self._rows(AttemptRow, AttemptRow.contact_id.in_(contacts)),
            "calls": self._rows(CallRow, CallRow.id.in_(calls)),
            "turns": self._rows(TurnRow, TurnRow.call_id.in_(calls)),
            "outcomes": self._rows(OutcomeRow, OutcomeRow.call_id.in_(calls)),
            "corrections": self._rows(CorrectionRow, CorrectionRow.call_id.in_(calls)),
            "feedback": self._rows(FeedbackRow, FeedbackRow.call_id.in_(calls)),
            "samples": self._rows(SampleRow, SampleRow.call_id.in_(calls)),
            "takeovers": self._rows(TakeoverRow, TakeoverRow.call_id.in_(calls)),
            "refusals": self._rows(RefusalRow, RefusalRow.contact_id.in_(contacts)),
            "do_not_call": self._rows(DoNotCallRow, DoNotCallRow.number_lookup == lookup),
        }

    def busy(self, number: str) -> bool:
        """Return whether a call with the person goes on, or a worker still holds unwritten events of one."""
        query = (
            select(AttemptRow.id)
            .outerjoin(WorkerRow, WorkerRow.id == AttemptRow.worker)
            .where(AttemptRow.number_lookup == self._vault.lookup(number))
            .where((AttemptRow.status != "ended") | (WorkerRow.spool_pending > 0))
        )
        going_on = CallRow.ended_at.is_(None) & (WorkerRow.started_at <= CallRow.started_at)
        calls_in = (  # a caller on no list has no attempt
            select(CallRow.id)
            .join(WorkerRow, WorkerRow.id == CallRow.worker)
            .where(_called_in(self._vault.lookup(number)))
            .where((going_on & (CallRow.started_at > func.now() - LONGEST)) | (WorkerRow.spool_pending > 0))
        )
        return any(self._session.scalar(one.limit(1)) is not None for one in (query, calls_in))

    def erase(self, number: str, now: datetime) -> Erased:
        """Erase what is kept about a person: what was said, names, number, recordings, samples.

        The rows stay, emptied, so that sums of campaigns stay true. An entry on the do-not-call list stays:
        without it the person could be called again; it holds no number, only what recognises it.
        """
        contacts, calls = self._ids(number)
        recordings = self._session.scalars(
            select(CallRow.recording).where(CallRow.id.in_(calls), CallRow.recording != "")
        ).all()
        turns = self._session.execute(
            update(TurnRow)
            .where(TurnRow.call_id.in_(calls))
            .values(
                customer_text="",
                script_text="",
                # NULL tells a bot's turn from an agent's: that stays, for sums of the reports
                delivered_text=case((TurnRow.delivered_text.is_(None), None), else_=""),
                understanding=_EMPTY,
                decision=_EMPTY,
            )
            .returning(TurnRow.seq)
        ).all()
        self._session.execute(
            update(OutcomeRow)
            .where(OutcomeRow.call_id.in_(calls))
            .values(facts=_EMPTY, reasons=literal([], JSONB))
        )
        self._session.execute(
            update(CallRow)
            .where(CallRow.id.in_(calls))
            .values(
                recording="",
                sip_reason=None,
                caller_sealed=None,
                caller_lookups=None,
                caller_masked=case((CallRow.caller_masked.is_(None), None), else_=ERASED),
            )
        )
        models = SampleRepository(self._session).erase([str(call) for call in calls], now)
        for table in (CorrectionRow, FeedbackRow):
            self._session.execute(delete(table).where(table.call_id.in_(calls)))
        self._session.execute(update(TakeoverRow).where(TakeoverRow.call_id.in_(calls)).values(detail=""))
        for contact_id in contacts:
            self._forget(contact_id)
        return Erased(len(contacts), len(calls), len(turns), tuple(recordings), models)

    def _forget(self, contact_id: UUID) -> None:
        nobody = os.urandom(32)  # finds nobody, and never equals another's
        self._session.execute(
            update(AttemptRow)
            .where(AttemptRow.contact_id == contact_id)
            .values(number_lookup=nobody, sip_reason=None)
        )
        self._session.execute(
            update(ContactRow)
            .where(ContactRow.id == contact_id)
            .values(
                number_sealed=self._vault.seal(""),
                number_lookup=nobody,
                number_masked=ERASED,
                zone="",
                slots=_EMPTY,
                consent_scope=None,
                consent_evidence=None,
                consent_given_at=None,
                consent_expires_at=None,
                status=ContactStatus.DONE.value,
                callback_at=None,
                lease_until=None,
                leased_by=None,
            )
        )

    def _ids(self, number: str) -> tuple[list[UUID], list[UUID]]:
        lookup = self._vault.lookup(number)
        contacts = list(
            self._session.scalars(select(ContactRow.id).where(ContactRow.number_lookup == lookup))
        )
        by_contact = select(CallRow.id).where(CallRow.contact_id.in_(contacts))
        by_attempt = select(AttemptRow.call_id).where(AttemptRow.number_lookup == lookup)
        by_caller = select(CallRow.id).where(_called_in(lookup))
        return contacts, list(self._session.scalars(by_contact.union(by_attempt, by_caller)))

    def _rows(self, table: type[Base], where: Any) -> list[dict[str, Any]]:
        columns = [column.name for column in table.__table__.columns if column.name not in _NUMBER_COLUMNS]
        return [
            {name: getattr(row, name) for name in columns}
            for row in self._session.scalars(select(table).where(where))
        ]


def _called_in(lookup: bytes) -> ColumnElement[bool]:
    return CallRow.caller_lookups.contains([lookup])
