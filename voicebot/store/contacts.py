"""Contacts in the database."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from voicebot.domain.campaign import Consent, Contact, ContactStatus
from voicebot.domain.errors import CampaignError
from voicebot.domain.ids import uuid7
from voicebot.store.calls import row_id
from voicebot.store.crypto import NumberVault
from voicebot.store.tables import CampaignRow, ContactRow, RefusalRow
from voicebot.text.redaction import mask_number

CALLBACK_PRIORITY = 100  # of a call that was agreed: before all that have less


@dataclass(frozen=True, slots=True)
class Refused:
    """One refusal to dial, as it was stored."""

    at: datetime
    code: str  # campaign.compliance.Reason
    words: str
    until: datetime | None  # None = for good


@dataclass(frozen=True, slots=True)
class ContactState:
    """Where a contact stands on its list."""

    status: ContactStatus
    number_masked: str
    attempts: int
    next_at: datetime
    callback_at: datetime | None
    refusal: str  # code of the last refusal to dial; "" = none since the last call
    refusal_words: str
    refused_at: datetime | None


class ContactRepository:
    """Contacts (客户名单). Numbers are sealed on the way in and opened on the way out."""

    def __init__(self, session: Session, vault: NumberVault) -> None:
        self._session = session
        self._vault = vault

    def add(self, contacts: Iterable[Contact], now: datetime) -> set[str]:
        """Add contacts, callable from now; return the ids added.

        One whose number is on its campaign's list already is left out.
        """
        values = [self._columns(contact, now) for contact in contacts]
        if not values:
            return set()
        added = self._session.execute(
            insert(ContactRow).on_conflict_do_nothing().returning(ContactRow.id), values
        )
        return {str(row.id) for row in added}

    def get(self, contact_id: str) -> Contact:
        """Return a contact with its number in clear. Raises CampaignError."""
        row = self._session.get(ContactRow, row_id(contact_id))
        if row is None:
            raise CampaignError("there is no contact {contact_id}", contact_id=contact_id)
        return contact_of(row, self._vault)

    def refuse(self, contact: Contact, code: str, words: str, until: datetime | None, now: datetime) -> None:
        """Write why a contact is not called now: until a time, or for good (None). Ends its lease.

        Every refusal is kept, except one that only repeats the last.
        """
        self._record(contact, code, words, until, now)
        values: dict[str, object] = {
            "refusal": code,
            "refusal_words": words,
            "refused_at": now,
            "lease_until": None,
            "leased_by": None,
        }
        values |= {"status": ContactStatus.DONE.value} if until is None else {"next_at": until}
        self._update(contact.id, values)

    def refusals(self, contact_id: str) -> tuple[Refused, ...]:
        """Return every refusal to dial a contact, oldest first."""
        rows = self._session.scalars(
            select(RefusalRow).where(RefusalRow.contact_id == row_id(contact_id)).order_by(RefusalRow.at)
        )
        return tuple(Refused(row.at, row.code, row.words, row.until) for row in rows)

    def settle(
        self, contact_id: str, next_at: datetime | None, *, agreed: bool = False, agent_id: str = ""
    ) -> None:
        """Take a contact off the calls in progress: to be called again at a time, or done (None).

        What was agreed with the customer is called before the rest of the list; by `agent_id`, if named.
        """
        values: dict[str, object] = {"status": ContactStatus.DONE.value, "callback_at": None, "agent_id": ""}
        if next_at is not None:
            values |= {"status": ContactStatus.PENDING.value, "next_at": next_at}
        if next_at is not None and agreed:
            values |= {"callback_at": next_at, "priority": _callback_priority(), "agent_id": agent_id}
        self._update(contact_id, values)

    def schedule(self, contact_id: str, at: datetime) -> bool:
        """Have a contact called at a time, as a person wishes; False while a call is under way."""
        changed = self._session.execute(
            update(ContactRow)
            .where(ContactRow.id == row_id(contact_id), ContactRow.status != ContactStatus.CALLING.value)
            .values(
                status=ContactStatus.PENDING.value,
                next_at=at,
                callback_at=at,
                priority=_callback_priority(),
                lease_until=None,
                leased_by=None,
                refusal=None,
                refusal_words=None,
                refused_at=None,
            )
            .returning(ContactRow.id)
        )
        return changed.first() is not None

    def hand_to(self, contact_id: str, agent_id: str, at: datetime) -> bool:
        """Have a contact called for an agent who has seen it (preview), or for nobody in particular ("").

        False if it is not to be called.
        """
        changed = self._session.execute(
            update(ContactRow)
            .where(ContactRow.id == row_id(contact_id), ContactRow.status == ContactStatus.PENDING.value)
            .values(agent_id=agent_id, next_at=at, lease_until=None, leased_by=None)
            .returning(ContactRow.id)
        )
        return changed.first() is not None

    def leased(self, campaign_id: str, claimer: str, now: datetime) -> str:
        """Return the id of the contact that a claimer holds and that waits; "" if there is none."""
        found = self._session.scalar(
            select(ContactRow.id)
            .where(ContactRow.campaign_id == row_id(campaign_id), ContactRow.leased_by == claimer)
            .where(ContactRow.status == ContactStatus.PENDING.value, ContactRow.lease_until >= now)
            .limit(1)
        )
        return str(found) if found else ""

    def lease(self, contact_id: str, claimer: str, until: datetime) -> None:
        """Hold a contact for a claimer until a time."""
        self._update(contact_id, {"leased_by": claimer, "lease_until": until})

    def by_number(self, number: str, campaign_id: str = "") -> tuple[str, ...]:
        """Return the ids of the contacts with a number, the newest first."""
        query = select(ContactRow.id).where(ContactRow.number_lookup == self._vault.lookup(number))
        if campaign_id:
            query = query.where(ContactRow.campaign_id == row_id(campaign_id))
        return tuple(str(found) for found in self._session.scalars(query.order_by(ContactRow.id.desc())))

    def state(self, contact_id: str) -> ContactState:
        """Return where a contact stands on its list. Raises CampaignError."""
        row = self._session.get(ContactRow, row_id(contact_id), populate_existing=True)
        if row is None:
            raise CampaignError("there is no contact {contact_id}", contact_id=contact_id)
        return _state(row)

    def listed(self, campaign_id: str) -> Iterator[tuple[Contact, ContactState]]:
        """Yield a campaign's whole list as it stands, in the order of import."""
        query = select(ContactRow).where(ContactRow.campaign_id == row_id(campaign_id))
        query = query.order_by(ContactRow.id).execution_options(yield_per=1000)
        for row in self._session.scalars(query):
            yield contact_of(row, self._vault), _state(row)

    def page(self, campaign_id: str, after: str, size: int) -> list[tuple[str, ContactState]]:
        """Return ids and standings of a campaign's list in the order of import, after an id ("" = first)."""
        query = select(ContactRow).where(ContactRow.campaign_id == row_id(campaign_id))
        if after:
            query = query.where(ContactRow.id > row_id(after))
        rows = self._session.scalars(query.order_by(ContactRow.id).limit(size))
        return [(str(row.id), _state(row)) for row in rows]

    def unsettled(self, campaign_id: str) -> int:
        """Count the contacts that are not done."""
        query = (
            select(func.count())
            .select_from(ContactRow)
            .where(ContactRow.campaign_id == row_id(campaign_id))
            .where(ContactRow.status != ContactStatus.DONE.value)
        )
        return self._session.scalar(query) or 0

    def _record(self, contact: Contact, code: str, words: str, until: datetime | None, now: datetime) -> None:
        last = self._session.execute(
            select(RefusalRow.code, RefusalRow.words)
            .where(RefusalRow.contact_id == row_id(contact.id))
            .order_by(RefusalRow.at.desc())
            .limit(1)
        ).first()
        if last is None or (last.code, last.words) != (code, words):
            self._session.add(
                RefusalRow(
                    id=uuid7(),
                    campaign_id=row_id(contact.campaign_id),
                    contact_id=row_id(contact.id),
                    at=now,
                    code=code,
                    words=words,
                    until=until,
                )
            )

    def _update(self, contact_id: str, values: dict[str, object]) -> None:
        self._session.execute(update(ContactRow).where(ContactRow.id == row_id(contact_id)).values(values))

    def _columns(self, contact: Contact, now: datetime) -> dict[str, object]:
        consent = contact.consent
        return {
            "id": row_id(contact.id),
            "campaign_id": row_id(contact.campaign_id),
            "number_sealed": self._vault.seal(contact.number),
            "number_lookup": self._vault.lookup(contact.number),
            "number_masked": mask_number(contact.number),
            "zone": contact.zone,
            "slots": dict(contact.slots),
            "consent_scope": consent.scope if consent else None,
            "consent_evidence": consent.evidence if consent else None,
            "consent_given_at": consent.given_at if consent else None,
            "consent_expires_at": consent.expires_at if consent else None,
            "priority": contact.priority,
            "next_at": now,
        }


def contact_of(row: ContactRow, vault: NumberVault) -> Contact:
    """Return a row as a contact with its number in clear."""
    consent = None
    if row.consent_scope and row.consent_evidence and row.consent_given_at:
        consent = Consent(
            row.consent_scope, row.consent_evidence, row.consent_given_at, row.consent_expires_at
        )
    return Contact(
        id=str(row.id),
        campaign_id=str(row.campaign_id),
        number=vault.unseal(row.number_sealed),
        zone=row.zone,
        slots={name: str(value) for name, value in row.slots.items()},
        consent=consent,
        priority=row.priority,
        agent_id=row.agent_id,
    )


def _state(row: ContactRow) -> ContactState:
    return ContactState(
        ContactStatus(row.status),
        row.number_masked,
        row.attempts,
        row.next_at,
        row.callback_at,
        row.refusal or "",
        row.refusal_words or "",
        row.refused_at,
    )


def _callback_priority() -> ColumnElement[int]:
    return func.greatest(ContactRow.priority, CALLBACK_PRIORITY)


def shown(session: Session, contact_id: str) -> str:
    """Return a contact's masked number and campaign, as people see them; "" if there is no such contact."""
    found = session.execute(
        select(ContactRow.number_masked, CampaignRow.name)
        .join(CampaignRow, CampaignRow.id == ContactRow.campaign_id)
        .where(ContactRow.id == row_id(contact_id))
    ).first()
    return f"{found[0]} · {found[1]}" if found else ""
