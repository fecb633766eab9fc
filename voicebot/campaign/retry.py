"""When a contact is called again after an attempt, by cause. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from voicebot.domain.call import Disposition

CALLBACK_AT = "callback_at"  # fact of an outcome: ISO 8601 with zone

# Compliance moves each into a window and under the caps; a disposition not named here is final.
PAUSES: Mapping[Disposition, timedelta] = {
    Disposition.BUSY: timedelta(minutes=15),
    Disposition.NO_ANSWER: timedelta(hours=3),
    Disposition.VOICEMAIL: timedelta(hours=4),
    Disposition.UNREACHABLE: timedelta(hours=6),
    Disposition.SILENT: timedelta(days=1),
    Disposition.DROPPED: timedelta(minutes=10),
}


def next_attempt(
    disposition: str, facts: Mapping[str, str], attempts: int, max_attempts: int, ended_at: datetime
) -> datetime | None:
    """Return when to call again; None = never.

    Every further attempt waits twice as long as the one before. A callback is an attempt like any
    other, at the time that was agreed; without one it is left to people.
    """
    if attempts >= max_attempts:
        return None
    if disposition == Disposition.CALLBACK:
        return _agreed(facts, ended_at)
    if disposition not in PAUSES:
        return None
    pause: timedelta = PAUSES[Disposition(disposition)] * 2 ** (attempts - 1)
    return ended_at + pause


def _agreed(facts: Mapping[str, str], ended_at: datetime) -> datetime | None:
    try:
        at = datetime.fromisoformat(facts.get(CALLBACK_AT, ""))
    except ValueError:
        return None
    return at.astimezone(UTC) if at.tzinfo and at > ended_at else None
