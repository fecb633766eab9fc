"""What is known of a number: whether it may be called, and on which proof."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from voicebot.store.do_not_call import counts
from voicebot.store.tables import (
    CampaignRow,
    ContactRow,
    DoNotCallListRow,
    DoNotCallNumberRow,
    DoNotCallRow,
)

MOST = 50


@dataclass(frozen=True, slots=True)
class ConsentRecord:
    """The consent of a number on one campaign's list."""

    contact_id: str
    campaign: str
    scope: str
    evidence: str
    given_at: datetime | None
    expires_at: datetime | None
    refusal_words: str  # why it was not called of late; "" = nothing stood against it


@dataclass(frozen=True, slots=True)
class NumberRecord:
    """All that is known of a number."""

    forbidden: tuple[tuple[str, str, datetime], ...]  # (scope, origin, since)
    lists: tuple[str, ...]  # from files, on which it stands: nobody calls it either
    consents: tuple[ConsentRecord, ...]


class ConsentRepository:
    """Consent and do-not-call by number."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def counts(self) -> dict[str, int]:
        """Return how many numbers are forbidden, by where that came from."""
        query = select(DoNotCallRow.origin, func.count()).group_by(DoNotCallRow.origin)
        return dict(self._session.execute(query).all())

    def of_number(self, lookup: bytes) -> NumberRecord:
        """Return what is known of a number, by its HMAC."""
        forbidden = self._session.scalars(select(DoNotCallRow).where(DoNotCallRow.number_lookup == lookup))
        lists = self._session.scalars(
            select(DoNotCallListRow.name)
            .join(DoNotCallNumberRow, DoNotCallNumberRow.list_id == DoNotCallListRow.id)
            .where(DoNotCallNumberRow.number_lookup == lookup, counts())
            .order_by(DoNotCallListRow.name)
        )
        rows = self._session.execute(
            select(ContactRow, CampaignRow.name)
            .join(CampaignRow, CampaignRow.id == ContactRow.campaign_id)
            .where(ContactRow.number_lookup == lookup)
            .order_by(ContactRow.id.desc())
            .limit(MOST)
        )
        return NumberRecord(
            tuple((row.scope, row.origin, row.at) for row in forbidden),
            tuple(lists),
            tuple(
                ConsentRecord(
                    str(row.id),
                    campaign,
                    row.consent_scope or "",
                    row.consent_evidence or "",
                    row.consent_given_at,
                    row.consent_expires_at,
                    row.refusal_words or "",
                )
                for row, campaign in rows
            ),
        )
