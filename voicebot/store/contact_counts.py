"""Contacts counted by status and refusal, without reading them.

Triggers of the database note every change as a row of plus or minus so many (m0019): two writers never wait
for one another, and the sum is what stands in the table. A job folds the rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import BigInteger, cast, func, select, text
from sqlalchemy.orm import Session

from voicebot.store.calls import row_id
from voicebot.store.rehearsals import of_customers
from voicebot.store.tables import ContactCountRow

FOLD_FROM = 500  # rows; reading fewer costs next to nothing

_FOLD = text(
    """
    WITH noted AS (DELETE FROM contact_counts RETURNING campaign_id, status, refusal, contacts)
    INSERT INTO contact_counts (campaign_id, status, refusal, contacts)
    SELECT campaign_id, status, refusal, sum(contacts) FROM noted GROUP BY 1, 2, 3 HAVING sum(contacts) <> 0
    """
)


@dataclass(frozen=True, slots=True)
class ContactCount:
    """Contacts of a campaign that are alike."""

    campaign_id: UUID
    status: str
    refusal: str  # "" = not refused
    contacts: int


def contact_counts(session: Session, campaign_ids: Sequence[str] | None = None) -> list[ContactCount]:
    """Return how many contacts these campaigns have; None = all that are no rehearsals."""
    row = ContactCountRow
    total = cast(func.sum(row.contacts), BigInteger)
    query = select(row.campaign_id, row.status, row.refusal, total)
    query = query.group_by(row.campaign_id, row.status, row.refusal).having(total != 0)
    if campaign_ids is None:
        query = query.where(of_customers(row.campaign_id))
    else:
        query = query.where(row.campaign_id.in_([row_id(one) for one in campaign_ids]))
    return [
        ContactCount(campaign, status, refusal, contacts)
        for campaign, status, refusal, contacts in session.execute(query)
    ]


def fold(session: Session) -> bool:
    """Add up what was noted, if that is much; return whether it was."""
    noted = session.scalar(select(func.count()).select_from(ContactCountRow)) or 0
    if noted < FOLD_FROM:
        return False
    session.execute(_FOLD)
    return True
