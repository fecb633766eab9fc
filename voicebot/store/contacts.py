"""Contacts in the database, and the numbers that must not be called."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from voicebot.domain.campaign import Consent, Contact, ContactStatus
from voicebot.domain.errors import CampaignError
from voicebot.store.calls import EVERY_SCOPE, row_id
from voicebot.store.crypto import NumberVault
from voicebot.store.tables import ContactRow, DoNotCallRow
from voicebot.text.redaction import mask_number


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
            raise CampaignError(f"there is no contact {contact_id}")
        return contact_of(row, self._vault)

    def refuse(self, contact_id: str, code: str, words: str, until: datetime | None, now: datetime) -> None:
        """Write why a contact is not called now: until a time, or for good (None). Ends its lease."""
        values: dict[str, object] = {
            "refusal": code,
            "refusal_words": words,
            "refused_at": now,
            "lease_until": None,
            "leased_by": None,
        }
        values |= {"status": ContactStatus.DONE.value} if until is None else {"next_at": until}
        self._update(contact_id, values)

    def settle(self, contact_id: str, next_at: datetime | None) -> None:
        """Take a contact off the calls in progress: to be called again at a time, or done (None)."""
        if next_at is None:
            self._update(contact_id, {"status": ContactStatus.DONE.value})
        else:
            self._update(contact_id, {"status": ContactStatus.PENDING.value, "next_at": next_at})

    def unsettled(self, campaign_id: str) -> int:
        """Count the contacts that are not done."""
        query = (
            select(func.count())
            .select_from(ContactRow)
            .where(ContactRow.campaign_id == row_id(campaign_id))
            .where(ContactRow.status != ContactStatus.DONE.value)
        )
        return self._session.scalar(query) or 0

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
            "next_at": now,
        }


class DoNotCallRepository:
    """Numbers that must not be called."""

    def __init__(self, session: Session, vault: NumberVault) -> None:
        self._session = session
        self._vault = vault

    def add(
        self, numbers: Sequence[str], origin: str, origin_id: str, at: datetime, scope: str = EVERY_SCOPE
    ) -> None:
        """Add numbers for one consent scope, or for all. Known ones stay as they are."""
        values = [
            {
                "number_lookup": self._vault.lookup(number),
                "scope": scope,
                "origin": origin,
                "origin_id": origin_id,
                "at": at,
            }
            for number in numbers
        ]
        if values:
            self._session.execute(insert(DoNotCallRow).on_conflict_do_nothing(), values)

    def forbids(self, number: str, scope: str) -> bool:
        """Return whether a number must not be called for a scope."""
        query = (
            select(DoNotCallRow.at)
            .where(DoNotCallRow.number_lookup == self._vault.lookup(number))
            .where(DoNotCallRow.scope.in_((EVERY_SCOPE, scope)))
        )
        return self._session.scalar(query.limit(1)) is not None


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
    )
