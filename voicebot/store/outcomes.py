"""Questions about calls: outcomes by filter, one call in every detail."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, Text, cast, func, select
from sqlalchemy.orm import Session

from voicebot.domain.call import Disposition, IntentLevel
from voicebot.domain.errors import DataError
from voicebot.store.calls import row_id
from voicebot.store.rehearsals import of_customers
from voicebot.store.tables import CallRow, CampaignRow, ContactRow, OutcomeRow, TurnRow

HIDDEN = ("campaign_id", "stored_by")  # columns of a turn that say nothing about it
WHOLE_ID = 36  # characters; found by its key, a part only by reading all ids
MIN_ID_START = 6  # characters that name a call; its end may be given too, as tables show


@dataclass(frozen=True, slots=True)
class OutcomeFilter:
    """Which outcomes. Empty = any."""

    campaign_id: str = ""  # "" = all that are no rehearsals
    dispositions: tuple[Disposition, ...] = ()
    intent_levels: tuple[IntentLevel, ...] = ()
    since: datetime | None = None
    until: datetime | None = None  # before
    limit: int = 0  # the newest so many; 0 = all


@dataclass(frozen=True, slots=True)
class CallOutcome:
    """How one call ended. The number is masked."""

    call_id: str
    at: datetime
    campaign: str
    number: str
    disposition: str
    intent_level: str
    reasons: tuple[str, ...]
    facts: dict[str, str]
    opted_out: bool
    cause: str
    duration_s: float  # from answer to end; 0 = not answered
    turns: int
    recording: str


@dataclass(frozen=True, slots=True)
class CallDetail:
    """One call with all its turns, as stored."""

    outcome: CallOutcome | None  # None: it goes on, or its end is not known
    call_id: str
    started_at: datetime
    answered_at: datetime | None
    worker: str
    playbook_id: str
    campaign_id: str  # "" = none
    contact_id: str  # "" = nobody on a list
    turns: tuple[dict[str, Any], ...] = field(default=())  # columns of the turns table
    quality: dict[str, Any] | None = None  # how it sounded: domain.quality.MediaQuality


class OutcomeRepository:
    """Outcomes (通话结果) and call details."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def find(self, wanted: OutcomeFilter) -> Iterator[CallOutcome]:
        """Yield outcomes, the newest first."""
        query = filtered(outcomes_query(), wanted).order_by(OutcomeRow.at.desc(), OutcomeRow.call_id.desc())
        if wanted.limit:
            query = query.limit(wanted.limit)
        for row in self._session.execute(query.execution_options(yield_per=1000)):
            yield outcome_of(row)

    def call(self, call_id: str) -> CallDetail:
        """Return one call by its id, or by the beginning or the end of it. Raises DataError."""
        found = self._resolve(call_id)
        call = self._session.get_one(CallRow, found)
        row = self._session.execute(outcomes_query().where(OutcomeRow.call_id == found)).first()
        turns = self._session.scalars(select(TurnRow).where(TurnRow.call_id == found).order_by(TurnRow.seq))
        names = [column.name for column in TurnRow.__table__.columns if column.name not in HIDDEN]
        return CallDetail(
            outcome=outcome_of(row) if row else None,
            call_id=str(found),
            started_at=call.started_at,
            answered_at=call.answered_at,
            worker=call.worker,
            playbook_id=call.playbook_id,
            campaign_id=str(call.campaign_id or ""),
            contact_id=str(call.contact_id or ""),
            turns=tuple({name: getattr(turn, name) for name in names} for turn in turns),
            quality=call.quality,
        )

    def recording(self, call_id: str) -> str:
        """Return the blob key of a call's recording, "" if it has none. Raises DataError."""
        return self._session.get_one(CallRow, self._resolve(call_id)).recording

    def _resolve(self, given: str) -> UUID:
        if len(given) < MIN_ID_START or not set(given.lower()) <= set("0123456789abcdef-"):
            raise DataError(
                "{given!r} is no call id",
                hint="voicebot outcomes lists them; {least} characters of its begin or end will do",
                given=given,
                least=MIN_ID_START,
            )
        if len(given) == WHOLE_ID and (call := self._session.get(CallRow, row_id(given))):
            return call.id
        text = cast(CallRow.id, Text)
        query = select(CallRow.id).where(text.startswith(given.lower()) | text.endswith(given.lower()))
        found = self._session.scalars(query.limit(2)).all()
        if len(found) != 1:
            if found:
                raise DataError(
                    "more than one call is named {given}", hint="give more of the id", given=given
                )
            raise DataError("no call is named {given}", hint="voicebot outcomes lists them", given=given)
        return found[0]


def outcomes_query() -> Select[*tuple[Any, ...]]:
    """Return the query of outcomes with what belongs to them; `outcome_of` reads its rows."""
    return (
        select(
            OutcomeRow,
            CampaignRow.name.label("campaign"),
            func.coalesce(ContactRow.number_masked, CallRow.caller_masked).label("number"),
            CallRow.cause,
            CallRow.answered_at,
            CallRow.ended_at,
            CallRow.turns,
            CallRow.recording,
        )
        .outerjoin(CallRow, CallRow.id == OutcomeRow.call_id)
        .outerjoin(CampaignRow, CampaignRow.id == OutcomeRow.campaign_id)
        .outerjoin(ContactRow, ContactRow.id == OutcomeRow.contact_id)
    )


def filtered(query: Select[*tuple[Any, ...]], wanted: OutcomeFilter) -> Select[*tuple[Any, ...]]:
    """Return a query over outcomes with a filter's conditions."""
    if wanted.campaign_id:
        query = query.where(OutcomeRow.campaign_id == row_id(wanted.campaign_id))
    else:
        query = query.where(of_customers(OutcomeRow.campaign_id))
    if wanted.dispositions:
        query = query.where(OutcomeRow.disposition.in_([kind.value for kind in wanted.dispositions]))
    if wanted.intent_levels:
        query = query.where(OutcomeRow.intent_level.in_([level.value for level in wanted.intent_levels]))
    if wanted.since:
        query = query.where(OutcomeRow.at >= wanted.since)
    if wanted.until:
        query = query.where(OutcomeRow.at < wanted.until)
    return query


def outcome_of(row: Any) -> CallOutcome:
    """Return a row of `outcomes_query`."""
    outcome: OutcomeRow = row[0]
    talked = (row.ended_at - row.answered_at).total_seconds() if row.answered_at and row.ended_at else 0.0
    return CallOutcome(
        call_id=str(outcome.call_id),
        at=outcome.at,
        campaign=row.campaign or "",
        number=row.number or "",
        disposition=outcome.disposition,
        intent_level=outcome.intent_level,
        reasons=tuple(outcome.reasons),
        facts=dict(outcome.facts),
        opted_out=outcome.opted_out,
        cause=row.cause or "",
        duration_s=round(talked, 2),
        turns=row.turns or 0,
        recording=row.recording or "",
    )


def said_script(turn: Mapping[str, Any]) -> str:
    """Return which script the customer heard in a turn: the bot's, or the one that a person's words match.

    "" if nothing was said, or a person used own words.
    """
    person = turn["delivered_text"] is not None
    return str((turn["delivered_script_id"] if person else turn["script_id"]) or "")
