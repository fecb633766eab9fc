"""What a manager corrects in an outcome. What was before stays readable."""

from __future__ import annotations

from datetime import datetime

from voicebot.domain.call import Disposition, IntentLevel
from voicebot.domain.errors import DataError
from voicebot.store.audit import AuditRepository
from voicebot.store.callers import CallerRepository
from voicebot.store.calls import EVERY_SCOPE
from voicebot.store.contacts import ContactRepository
from voicebot.store.corrections import Correction, CorrectionRepository
from voicebot.store.crypto import NumberVault
from voicebot.store.do_not_call import DoNotCallRepository
from voicebot.store.session import Database


def correct(
    database: Database,
    vault: NumberVault,
    call_id: str,
    actor: str,
    why: str,
    now: datetime,
    *,
    disposition: Disposition | None = None,
    intent_level: IntentLevel | None = None,
    facts: dict[str, str] | None = None,
    callback_at: datetime | None = None,
) -> Correction:
    """Correct an outcome.

    A corrected "do not call" puts the number on the do-not-call list in the same transaction; taking that
    back leaves it there (`voicebot dnc remove` takes it off). A callback with a time is scheduled.

    Args:
        database: migrated.
        vault: finds the number.
        call_id: whose outcome.
        actor: who corrects.
        why: the reason, which is kept.
        now: aware.
        disposition: new; None = as it was.
        intent_level: new; None = as it was.
        facts: added to, or in place of, those of the same name; "" removes one.
        callback_at: when to call again, with disposition CALLBACK.

    Raises DataError if there is no such outcome, nothing changes, or a reason is missing.
    """
    if not why.strip():
        raise DataError("an outcome is corrected only for a reason", hint="say why")
    if callback_at is not None and disposition is not Disposition.CALLBACK:
        raise DataError("a time to call again belongs to a callback", hint="give the disposition callback")
    with database.transaction() as session:
        corrections = CorrectionRepository(session)
        done = corrections.correct(call_id, actor, why, now, disposition, intent_level, facts or {})
        contacts = ContactRepository(session, vault)
        if disposition is Disposition.DO_NOT_CALL:
            callers = CallerRepository(session, vault)
            number = contacts.get(done.contact_id).number if done.contact_id else callers.number(done.call_id)
            known = [number] if number else []
            DoNotCallRepository(session, vault).add(known, "person", actor, now, EVERY_SCOPE)
        if callback_at is not None and done.contact_id:
            contacts.schedule(done.contact_id, callback_at)
        AuditRepository(session).add(
            actor,
            "outcome_correct",
            f"call:{done.call_id}",
            why=why,
            before=done.told_before,
            after=done.told_after,
        )
    return done


def history(database: Database, call_id: str) -> tuple[Correction, ...]:
    """Return the corrections of a call's outcome, oldest first."""
    with database.transaction() as session:
        return CorrectionRepository(session).history(call_id)
