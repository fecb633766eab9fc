"""The hopper and call attempts: who may be dialled next, and what became of it.

Double dials are excluded three times: a contact is leased by one claimer (SKIP LOCKED), a number
with a live attempt is not claimable, and a unique index allows one live attempt per number.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Text, cast, func, or_, select, text, true, update
from sqlalchemy.dialects.postgresql import aggregate_order_by, insert
from sqlalchemy.orm import Session

from voicebot.domain.call import CallRequest, Direction, EndCause
from voicebot.domain.campaign import AttemptStatus, Campaign, Contact, ContactStatus, Mode
from voicebot.store.calls import EVERY_SCOPE, give_back, row_id
from voicebot.store.contacts import contact_of
from voicebot.store.crypto import NumberVault
from voicebot.store.do_not_call import counts
from voicebot.store.tables import (
    AttemptRow,
    ContactRow,
    DoNotCallListRow,
    DoNotCallNumberRow,
    DoNotCallRow,
    OutcomeRow,
    WorkerRow,
)

NOT_DIALLED = EndCause.NOT_DIALLED.value
HISTORY = timedelta(days=7)

_CLAIM = text(
    """
    WITH picked AS (
        SELECT c.id FROM contacts c
        WHERE c.campaign_id = :campaign AND c.status = 'pending' AND c.next_at <= :now
          AND (:whose = 'all' OR (c.agent_id <> '') = (:whose = 'asked_for'))
          AND (c.lease_until IS NULL OR c.lease_until < :now)
          AND NOT EXISTS (
            SELECT FROM call_attempts a LEFT JOIN workers w ON w.id = a.worker
            WHERE a.number_lookup = c.number_lookup
              AND (a.status IN ('open', 'unknown') OR w.spool_pending > 0))
        ORDER BY c.priority DESC, c.next_at, c.id LIMIT :limit FOR UPDATE OF c SKIP LOCKED)
    UPDATE contacts SET lease_until = :lease_until, leased_by = :claimer
    FROM picked WHERE contacts.id = picked.id RETURNING contacts.id
    """
)


@dataclass(frozen=True, slots=True)
class PastAttempt:
    """One earlier dialling of a number, by any campaign."""

    at: datetime
    answered: bool


@dataclass(frozen=True, slots=True)
class PastCall:
    """One attempt to reach a number, with what came of it."""

    attempt_id: str
    campaign_id: str
    at: datetime
    direction: str
    status: str  # domain.campaign.AttemptStatus
    cause: str
    disposition: str
    sip_status: int


@dataclass(frozen=True, slots=True)
class Claimed:
    """A contact leased to a claimer, with what compliance must know."""

    contact: Contact
    attempts: int  # on this campaign
    forbidden: bool  # its number must not be called
    history: tuple[PastAttempt, ...]  # of the number, the last seven days
    agreed: bool = False  # a call was agreed with the customer, or asked for by a person


@dataclass(frozen=True, slots=True)
class Finished:
    """An attempt that ended while its contact waits to be settled."""

    contact_id: str
    zone: str
    attempts: int
    cause: str  # domain.call.EndCause, or NOT_DIALLED
    disposition: str  # domain.call.Disposition; "" = none
    facts: dict[str, str]
    ended_at: datetime
    sip_status: int = 0  # final status of the INVITE; 0 = none came
    tried: tuple[datetime, ...] = ()  # when the contact was called by this campaign, oldest first


class AttemptRepository:
    """Claims and call attempts (呼叫尝试)."""

    def __init__(self, session: Session, vault: NumberVault) -> None:
        self._session = session
        self._vault = vault

    def claim(
        self,
        campaign: Campaign,
        claimer: str,
        limit: int,
        now: datetime,
        lease: timedelta,
        *,
        offered: bool = False,
    ) -> tuple[Claimed, ...]:
        """Lease up to `limit` contacts that are due. A claimer that dies loses its leases with time.

        Of a preview campaign those that an agent asked for; with `offered` those nobody asked for yet.
        """
        whose = "asked_for" if campaign.mode is Mode.PREVIEW else "all"
        parameters = {
            "campaign": row_id(campaign.id),
            "now": now,
            "limit": limit,
            "lease_until": now + lease,
            "claimer": claimer,
            "whose": "not_asked_for" if offered else whose,
        }
        ids = [row.id for row in self._session.execute(_CLAIM, parameters)]
        return self._claimed(ids, campaign.scope, now)

    def release(self, claimer: str) -> None:
        """Give back what a claimer has leased and not opened."""
        self._session.execute(
            update(ContactRow).where(ContactRow.leased_by == claimer).values(lease_until=None, leased_by=None)
        )

    def look(self, contact_id: str, scope: str, now: datetime) -> Claimed | None:
        """Read one contact anew, as it is before the INVITE; None if it is gone."""
        found = self._claimed([row_id(contact_id)], scope, now)
        return found[0] if found else None

    def open(self, request: CallRequest, claimer: str, worker: str, now: datetime) -> bool:
        """Open an attempt for a leased contact, to be committed before the INVITE.

        Returns False, and changes nothing, if the lease is lost or the number is being called.
        """
        contact = select(ContactRow).where(
            ContactRow.id == row_id(request.contact_id),
            ContactRow.status == ContactStatus.PENDING.value,
            ContactRow.leased_by == claimer,
            ContactRow.lease_until >= now,
        )
        row = self._session.scalar(contact.with_for_update())
        if row is None or not self._insert(request, row, worker, now):
            return False
        row.status = ContactStatus.CALLING.value
        row.attempts += 1
        row.lease_until = row.leased_by = None
        row.refusal = row.refusal_words = row.refused_at = None
        return True

    def open_inbound(self, request: CallRequest, worker: str, now: datetime) -> bool:
        """Open an attempt for a call that came in; False if the number is in another call.

        Where the contact stands on its list stays as it is.
        """
        contact = select(ContactRow).where(ContactRow.id == row_id(request.contact_id))
        row = self._session.scalar(contact.with_for_update())
        return row is not None and self._insert(request, row, worker, now)

    def is_open(self, attempt_id: str, contact_id: str) -> str:
        """Return the call id of an open attempt of a contact; "" if there is none such."""
        found = self._session.scalar(
            select(AttemptRow.call_id).where(
                AttemptRow.id == row_id(attempt_id),
                AttemptRow.contact_id == row_id(contact_id),
                AttemptRow.status == AttemptStatus.OPEN.value,
            )
        )
        return str(found) if found else ""

    def give_back(self, attempt_id: str, now: datetime, next_at: datetime) -> None:
        """End an attempt whose INVITE was certainly not sent. It counts as no attempt."""
        give_back(self._session, attempt_id, now, next_at)

    def finished(self, campaign_id: str) -> tuple[Finished, ...]:
        """Return the contacts in progress whose latest attempt has ended."""
        latest = (
            select(AttemptRow)
            .where(AttemptRow.contact_id == ContactRow.id)
            .where(AttemptRow.direction == Direction.OUTBOUND.value)
            .order_by(AttemptRow.created_at.desc())
            .limit(1)
            .lateral()
        )
        tried = (
            select(func.array_agg(aggregate_order_by(AttemptRow.created_at, AttemptRow.created_at)))
            .where(AttemptRow.contact_id == ContactRow.id)
            .where(AttemptRow.direction == Direction.OUTBOUND.value)
            .scalar_subquery()
        )
        query = (
            select(
                ContactRow.id,
                ContactRow.zone,
                ContactRow.attempts,
                latest.c.cause,
                latest.c.disposition,
                latest.c.ended_at,
                latest.c.sip_status,
                OutcomeRow.facts,
                tried.label("tried"),
            )
            .select_from(ContactRow)
            .join(latest, true())
            .outerjoin(OutcomeRow, OutcomeRow.call_id == latest.c.call_id)
            .where(ContactRow.campaign_id == row_id(campaign_id))
            .where(ContactRow.status == ContactStatus.CALLING.value)
            .where(latest.c.status == AttemptStatus.ENDED.value)
        )
        return tuple(
            Finished(
                str(row.id),
                row.zone,
                row.attempts,
                row.cause,
                row.disposition or "",
                row.facts or {},
                row.ended_at,
                row.sip_status or 0,
                tuple(row.tried or ()),
            )
            for row in self._session.execute(query)
        )

    def calls(self, number: str) -> tuple[PastCall, ...]:
        """Return every attempt with a number by any campaign, oldest first."""
        query = (
            select(AttemptRow)
            .where(AttemptRow.number_lookup == self._vault.lookup(number))
            .order_by(AttemptRow.created_at)
        )
        return tuple(
            PastCall(
                str(row.id),
                str(row.campaign_id),
                row.created_at,
                row.direction,
                row.status,
                row.cause or "",
                row.disposition or "",
                row.sip_status or 0,
            )
            for row in self._session.scalars(query)
        )

    def unreplayed(self, number: str) -> tuple[str, ...]:
        """Return the line workers that called a number and hold events not yet in the database."""
        query = (
            select(WorkerRow.id)
            .join(AttemptRow, AttemptRow.worker == WorkerRow.id)
            .where(AttemptRow.number_lookup == self._vault.lookup(number), WorkerRow.spool_pending > 0)
            .distinct()
        )
        return tuple(self._session.scalars(query.order_by(WorkerRow.id)))

    def live(self, campaign_id: str) -> int:
        """Count a campaign's open attempts."""
        query = select(func.count()).select_from(AttemptRow)
        query = query.where(AttemptRow.campaign_id == row_id(campaign_id))
        return self._session.scalar(query.where(AttemptRow.status == AttemptStatus.OPEN.value)) or 0

    def _insert(self, request: CallRequest, contact: ContactRow, worker: str, now: datetime) -> bool:
        added = self._session.execute(
            insert(AttemptRow)
            .values(
                id=row_id(request.attempt_id),
                campaign_id=contact.campaign_id,
                contact_id=contact.id,
                call_id=row_id(request.call_id),
                number_lookup=contact.number_lookup,
                direction=request.direction.value,
                status=AttemptStatus.OPEN.value,
                worker=worker,
                trunk=request.trunk or request.to_uri.partition("@")[2],
                created_at=now,
            )
            .on_conflict_do_nothing()
            .returning(AttemptRow.id)
        )
        return added.first() is not None

    def _claimed(self, ids: list[UUID], scope: str, now: datetime) -> tuple[Claimed, ...]:
        if not ids:
            return ()
        forbidden = (
            select(DoNotCallRow.at)
            .where(DoNotCallRow.number_lookup == ContactRow.number_lookup)
            .where(
                or_(
                    DoNotCallRow.scope.in_((EVERY_SCOPE, scope)),
                    DoNotCallRow.scope == func.concat("campaign:", cast(ContactRow.campaign_id, Text)),
                )
            )
            .exists()
        )
        listed = (
            select(DoNotCallNumberRow.edition)
            .join(DoNotCallListRow, DoNotCallListRow.id == DoNotCallNumberRow.list_id)
            .where(DoNotCallNumberRow.number_lookup == ContactRow.number_lookup, counts())
            .exists()
        )
        rows = self._session.execute(
            select(ContactRow, or_(forbidden, listed).label("forbidden"))
            .where(ContactRow.id.in_(ids))
            .execution_options(populate_existing=True)
        ).all()
        past = self._history((row[0].number_lookup for row in rows), now)
        return tuple(
            Claimed(
                contact_of(contact, self._vault),
                contact.attempts,
                is_forbidden,
                past.get(contact.number_lookup, ()),
                contact.callback_at is not None,
            )
            for contact, is_forbidden in sorted(rows, key=_due)
        )

    def _history(self, lookups: Iterable[bytes], now: datetime) -> dict[bytes, tuple[PastAttempt, ...]]:
        query = (
            select(AttemptRow.number_lookup, AttemptRow.created_at, AttemptRow.answered_at)
            .where(AttemptRow.number_lookup.in_(list(lookups)))
            .where(AttemptRow.created_at > now - HISTORY, AttemptRow.created_at < now)
            .where(AttemptRow.direction == Direction.OUTBOUND.value)
            .where(or_(AttemptRow.cause.is_(None), AttemptRow.cause != NOT_DIALLED))
            .order_by(AttemptRow.created_at)
        )
        past: dict[bytes, tuple[PastAttempt, ...]] = {}
        for lookup, created_at, answered_at in self._session.execute(query):
            past[lookup] = (*past.get(lookup, ()), PastAttempt(created_at, answered_at is not None))
        return past


def _due(row: Any) -> tuple[int, datetime, UUID]:
    return -row[0].priority, row[0].next_at, row[0].id
