"""Whom a number that calls in belongs to."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from voicebot.domain.call import Direction
from voicebot.domain.campaign import CampaignStatus
from voicebot.store.attempts import NOT_DIALLED
from voicebot.store.calls import row_id
from voicebot.store.crypto import NumberVault
from voicebot.store.tables import AttemptRow, CampaignRow, ContactRow


class CallerRepository:
    """Finds the contact of a caller."""

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
