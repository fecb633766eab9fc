"""What is kept how long: whole months of turns are dropped, recordings and callers' numbers are forgotten."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import select, text, update
from sqlalchemy.orm import Session

from voicebot.store.calls import row_id
from voicebot.store.partitions import month_start
from voicebot.store.rollups import turns_dropped
from voicebot.store.tables import CallRow

FLOOR = timedelta(days=30)  # records of calls are kept at least so long
_MONTH = re.compile(r"turns_(\d{4})_(\d{2})")


def drop_turns(session: Session, before: datetime, now: datetime) -> list[str]:
    """Drop the partitions whose every turn is older; return their names. The last thirty days stay."""
    before = min(before, now - FLOOR)
    names = session.execute(
        text("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'turns'::regclass")
    ).scalars()
    dropped = []
    for name in sorted(names):
        if (found := _MONTH.fullmatch(name)) is None:
            continue
        end = month_start(before.replace(year=int(found[1]), month=int(found[2]), day=1), 1)
        if end <= before:
            session.execute(text(f"DROP TABLE {name}"))
            turns_dropped(session, end)
            dropped.append(name)
    return dropped


def forget_callers(session: Session, before: datetime, now: datetime, limit: int = 1000) -> int:
    """Forget the numbers of callers on no list whose calls ended before; return how many calls had one.

    A wish not to be called stays on its list. The last thirty days stay.
    """
    old = (
        select(CallRow.id)
        .where(CallRow.caller_sealed.is_not(None), CallRow.started_at < min(before, now - FLOOR))
        .limit(limit)
    )
    forgotten = session.execute(
        update(CallRow)
        .where(CallRow.id.in_(old))
        .values(caller_sealed=None, caller_lookups=None, caller_masked=None)
        .returning(CallRow.id)
    )
    return len(forgotten.all())


def old_recordings(
    session: Session, before: datetime, now: datetime, limit: int = 1000
) -> list[tuple[str, str]]:
    """Return (call id, key) of recordings of calls that ended before, but not in the last thirty days."""
    query = select(CallRow.id, CallRow.recording).where(
        CallRow.recording != "", CallRow.ended_at < min(before, now - FLOOR)
    )
    rows = session.execute(query.order_by(CallRow.ended_at).limit(limit))
    return [(str(call), key) for call, key in rows]


def recordings_gone(session: Session, call_ids: Sequence[str]) -> None:
    """Note that recordings are deleted."""
    calls = [row_id(call) for call in call_ids]
    session.execute(update(CallRow).where(CallRow.id.in_(calls)).values(recording=""))
