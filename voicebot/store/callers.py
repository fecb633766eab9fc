"""Who calls in: whose number it is, and what such a call means for the list."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session, aliased

from voicebot.domain.call import Direction, Disposition
from voicebot.domain.campaign import AttemptStatus, CampaignStatus, ContactStatus
from voicebot.domain.errors import DataError
from voicebot.store.attempts import NOT_DIALLED, Finished
from voicebot.store.calls import row_id
from voicebot.store.crypto import NumberVault
from voicebot.store.tables import AttemptRow, CallRow, CampaignRow, ContactRow, OutcomeRow


class CallerRepository:
    """Finds the contacts of callers, and those whose call settled something."""

    def __init__(self, session: Session, vault: NumberVault) -> None:
        self._session = session
        self._vault = vault

    def last_called(self, numbers: Iterable[str], since: datetime) -> str:
        """Return the id of the contact with one of these numbers that was called last; "" = none was."""
        query = (
            select(AttemptRow.contact_id)
            .where(AttemptRow.number_lookup.in_([self._vault.lookup(number) for number in numbers]))
            .where(AttemptRow.direction == Direction.OUTBOUND.value, AttemptRow.created_at >= since)
            .where(AttemptRow.cause.is_distinct_from(NOT_DIALLED))
            .order_by(AttemptRow.created_at.desc())
            .limit(1)
        )
        found = self._session.scalar(query)
        return str(found) if found else ""

    def listed(self, numbers: Iterable[str], campaign_ids: Iterable[str] = ()) -> str:
        """Return the id of the newest contact with one of these numbers on a campaign's list; "" = none.

        A campaign that was never started does not count.
        """
        query = (
            select(ContactRow.id)
            .join(CampaignRow, CampaignRow.id == ContactRow.campaign_id)
            .where(ContactRow.number_lookup.in_([self._vault.lookup(number) for number in numbers]))
            .where(CampaignRow.status != CampaignStatus.DRAFT.value)
            .order_by(ContactRow.id.desc())
            .limit(1)
        )
        wanted = [row_id(campaign) for campaign in campaign_ids]
        if wanted:
            query = query.where(ContactRow.campaign_id.in_(wanted))
        found = self._session.scalar(query)
        return str(found) if found else ""

    def number(self, call_id: str) -> str:
        """Return the number that a call was with; "" if none is known. Raises DataError."""
        call = self._session.get(CallRow, row_id(call_id))
        if call is None:
            raise DataError("there is no call {call}", call=call_id)
        contact = self._session.get(ContactRow, call.contact_id) if call.contact_id else None
        sealed = contact.number_sealed if contact is not None else call.caller_sealed
        return self._vault.unseal(sealed) if sealed else ""

    def agreed(self, campaign_id: str) -> tuple[Finished, ...]:
        """Return the contacts who called in last of all, and asked for a call that is not planned yet.

        A time that is agreed, or set by a person, already stays.
        """
        later = aliased(AttemptRow)
        query = (
            select(AttemptRow, ContactRow.zone, ContactRow.attempts, OutcomeRow.facts)
            .join(ContactRow, ContactRow.id == AttemptRow.contact_id)
            .join(OutcomeRow, OutcomeRow.call_id == AttemptRow.call_id)
            .where(AttemptRow.campaign_id == row_id(campaign_id))
            .where(AttemptRow.direction == Direction.INBOUND.value)
            .where(AttemptRow.status == AttemptStatus.ENDED.value)
            .where(AttemptRow.disposition == Disposition.CALLBACK.value)
            .where(ContactRow.status != ContactStatus.CALLING.value, ContactRow.callback_at.is_(None))
            .where(
                ~select(later.id)
                .where(later.contact_id == AttemptRow.contact_id, later.created_at > AttemptRow.created_at)
                .exists()
            )
        )
        return tuple(
            Finished(
                str(attempt.contact_id),
                zone,
                attempts,
                attempt.cause or "",
                attempt.disposition or "",
                facts or {},
                attempt.ended_at,
            )
            for attempt, zone, attempts, facts in self._session.execute(query)
        )

    def settle(self, campaign_id: str, final: Iterable[str]) -> int:
        """Take contacts off the list who called in themselves and came to a final disposition."""
        called = (
            select(AttemptRow.id)
            .where(AttemptRow.campaign_id == row_id(campaign_id), AttemptRow.contact_id == ContactRow.id)
            .where(AttemptRow.direction == Direction.INBOUND.value)
            .where(AttemptRow.status == AttemptStatus.ENDED.value, AttemptRow.disposition.in_(list(final)))
            .exists()
        )
        settled = self._session.execute(
            update(ContactRow)
            .where(ContactRow.campaign_id == row_id(campaign_id))
            .where(ContactRow.status == ContactStatus.PENDING.value, ContactRow.callback_at.is_(None), called)
            .values(status=ContactStatus.DONE.value, lease_until=None, leased_by=None)
            .returning(ContactRow.id)
        )
        return len(settled.all())
