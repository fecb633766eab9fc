"""What the call journal writes: calls, turns, outcomes, the end of attempts, spoken refusals.

Every write may be repeated: a replayed journal changes nothing.
"""

from __future__ import annotations

from base64 import b64decode
from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, literal, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from voicebot.codec import plain
from voicebot.domain.call import CallRecord, CallRequest, EndCause, Turn
from voicebot.domain.campaign import AttemptStatus, ContactStatus
from voicebot.domain.errors import DataError
from voicebot.domain.people import Takeover
from voicebot.domain.webhook import Event
from voicebot.store.tables import (
    AttemptRow,
    CallRow,
    ContactRow,
    DoNotCallRow,
    OutcomeRow,
    TakeoverRow,
    TurnRow,
)
from voicebot.store.webhook_events import tell

EVERY_SCOPE = "all"


class CallRepository:
    """Calls with their turns and outcomes."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def answered(self, request: CallRequest, worker: str, at: datetime) -> None:
        """Write that a call was answered."""
        values = _request_columns(request) | {"worker": worker, "started_at": at, "answered_at": at}
        self._session.execute(insert(CallRow).values(values).on_conflict_do_nothing())
        if request.attempt_id:
            self._session.execute(
                update(AttemptRow)
                .where(AttemptRow.id == row_id(request.attempt_id))
                .values(answered_at=at, worker=worker)
            )

    def turn(self, turn: Turn) -> None:
        """Write a turn; with a decision not to call again, that too."""
        call = row_id(turn.call_id)
        campaign = select(CallRow.campaign_id).where(CallRow.id == call).scalar_subquery()
        values = turn_columns(turn) | {"campaign_id": campaign}
        self._session.execute(insert(TurnRow).values(values).on_conflict_do_nothing())
        if turn.decision.do_not_call:
            contact = func.coalesce(
                select(CallRow.contact_id).where(CallRow.id == call).scalar_subquery(),
                select(AttemptRow.contact_id).where(AttemptRow.call_id == call).scalar_subquery(),
            )
            self._never_again(contact, call, turn.at)

    def taken_over(self, takeover: Takeover) -> None:
        """Write how an attempt to hand a call over went."""
        values = {
            "call_id": row_id(takeover.call_id),
            "at": takeover.at,
            "campaign_id": row_id(takeover.campaign_id) if takeover.campaign_id else None,
            "reason": takeover.reason.value,
            "kind": takeover.kind.value,
            "result": takeover.result.value,
            "agent_id": takeover.agent_id,
            "waited_ms": takeover.waited_ms,
            "detail": takeover.detail,
        }
        self._session.execute(insert(TakeoverRow).values(values).on_conflict_do_nothing())

    def ended(self, record: CallRecord) -> None:
        """Write the end of a call attempt: the call, its outcome, the attempt's status."""
        request = record.request
        if record.cause is EndCause.NOT_DIALLED and request.attempt_id:
            give_back(self._session, request.attempt_id, record.ended_at, record.ended_at)
            return
        ids = _request_columns(request)
        ending = {
            "worker": record.worker,
            "started_at": record.started_at,
            "answered_at": record.answered_at,
            "ended_at": record.ended_at,
            "cause": record.cause.value,
            "sip_status": record.sip_status,
            "sip_reason": record.sip_reason,
            "recording": record.recording,
            "turns": record.turns,
            "quality": asdict(record.quality) if record.quality is not None else None,
        }
        self._session.execute(
            insert(CallRow)
            .values(ids | ending)
            .on_conflict_do_update(index_elements=[CallRow.id], set_=ending)
        )
        self._outcome(record, ids)
        if request.attempt_id:
            self._session.execute(
                update(AttemptRow)
                .where(AttemptRow.id == ids["attempt_id"])
                .values(
                    status=AttemptStatus.ENDED.value,
                    disposition=record.outcome.disposition.value,
                    **{
                        name: ending[name]
                        for name in ("worker", "answered_at", "ended_at", "cause", "sip_status", "sip_reason")
                    },
                )
            )
        if record.outcome.opted_out:
            self._never_again(ids["contact_id"], ids["id"], record.ended_at)
        for event in (Event.CALL_ENDED, Event.OUTCOME):
            tell(self._session, event, ids["id"], record.ended_at)

    def _outcome(self, record: CallRecord, ids: dict[str, Any]) -> None:
        outcome = record.outcome
        values = {
            "disposition": outcome.disposition.value,
            "intent_level": outcome.intent_level.value,
            "reasons": list(outcome.reasons),
            "facts": dict(outcome.facts),
            "opted_out": outcome.opted_out,
            "origin": "call",
            "at": record.ended_at,
        }
        self._session.execute(
            insert(OutcomeRow)
            .values(
                values
                | {
                    "call_id": ids["id"],
                    "attempt_id": ids["attempt_id"],
                    "campaign_id": ids["campaign_id"],
                    "contact_id": ids["contact_id"],
                }
            )
            # What a rule assumed yields to what happened; what a person corrected stays.
            .on_conflict_do_update(
                index_elements=[OutcomeRow.call_id], set_=values, where=OutcomeRow.origin == "rule"
            )
        )

    def _never_again(self, contact: Any, call: UUID, at: datetime) -> None:
        """Put who was called, or called in, on the list: the contact's number, or the caller's."""
        contacts = select(ContactRow.number_lookup).where(ContactRow.id == contact)
        callers = select(func.unnest(CallRow.caller_lookups)).where(CallRow.id == call)
        numbers = contacts.union(callers).subquery()
        entries = select(numbers.c[0], literal(EVERY_SCOPE), literal("call"), literal(str(call)), literal(at))
        added = self._session.execute(
            insert(DoNotCallRow)
            .from_select(["number_lookup", "scope", "origin", "origin_id", "at"], entries)
            .on_conflict_do_nothing()
            .returning(DoNotCallRow.at)
        )
        if added.first() is not None:
            tell(self._session, Event.OPT_OUT, call, at)


def give_back(session: Session, attempt_id: str, now: datetime, next_at: datetime) -> None:
    """End an attempt whose INVITE was certainly not sent. It counts as no attempt."""
    live = (AttemptStatus.OPEN.value, AttemptStatus.UNKNOWN.value)
    ended = session.execute(
        update(AttemptRow)
        .where(AttemptRow.id == row_id(attempt_id), AttemptRow.status.in_(live))
        .values(status=AttemptStatus.ENDED.value, cause=EndCause.NOT_DIALLED.value, ended_at=now)
        .returning(AttemptRow.contact_id)
    ).first()
    if ended is not None:
        session.execute(
            update(ContactRow)
            .where(ContactRow.id == ended.contact_id)
            .values(attempts=ContactRow.attempts - 1, status=ContactStatus.PENDING.value, next_at=next_at)
        )


def row_id(text: str) -> UUID:
    """Return an id as the database wants it. Raises DataError if it is none."""
    try:
        return UUID(text)
    except ValueError as error:
        raise DataError(
            "{text!r} is no UUID", hint="ids are made by voicebot; copy one whole", text=text
        ) from error


def _request_columns(request: CallRequest) -> dict[str, Any]:
    caller = request.caller
    return {
        "id": row_id(request.call_id),
        "attempt_id": row_id(request.attempt_id) if request.attempt_id else None,
        "campaign_id": row_id(request.campaign_id) if request.campaign_id else None,
        "contact_id": row_id(request.contact_id) if request.contact_id else None,
        "playbook_id": request.playbook_id,
        "direction": request.direction.value,
        "caller_sealed": b64decode(caller.sealed) if caller else None,
        "caller_lookups": [bytes.fromhex(one) for one in caller.lookups] if caller else None,
        "caller_masked": caller.masked if caller else None,
    }


def turn_columns(turn: Turn) -> dict[str, Any]:
    """Return a turn as the columns of its row, but for those that only the database knows."""
    understanding, decision = turn.understanding, turn.decision
    return {
        "call_id": row_id(turn.call_id),
        "seq": turn.seq,
        "at": turn.at,
        "kind": turn.kind.value,
        "start_s": turn.start_s,
        "end_s": turn.end_s,
        "customer_text": understanding.transcript.text,
        "emotion": understanding.emotion.label.value,
        "situation": understanding.situation.value,
        "relation": decision.relation.value,
        "scene": decision.scene,
        "action": decision.action.value,
        "script_id": decision.script_id,
        "script_text": decision.script_text,
        "propensity": decision.propensity,
        "model_version": decision.model_version,
        "playbook_version": decision.playbook_version,
        "barged_in": turn.barged_in,
        "heard_ms": turn.heard_ms,
        "delivery": turn.delivery.value,
        "delivered_script_id": turn.delivered.script_id if turn.delivered else None,
        "delivered_text": turn.delivered.text if turn.delivered else None,
        "prompt_engine": turn.prompt_engine,
        "understanding": plain(understanding),
        "decision": plain(decision),
        "timings_ms": dict(turn.timings_ms),
    }
