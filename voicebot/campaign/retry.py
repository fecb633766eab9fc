"""When a contact is called again after an attempt, by cause. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from voicebot.dialogue.callback import resolve
from voicebot.dialogue.state import CALLBACK_TIME
from voicebot.domain.call import Disposition

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
    disposition: str,
    attempts: int,
    max_attempts: int,
    ended_at: datetime,
    callback_at: datetime | None = None,
) -> datetime | None:
    """Return when to call again; None = never.

    Every further attempt waits twice as long as the one before. A callback is an attempt like any
    other, at the time that was agreed; without one it is left to people.
    """
    if attempts >= max_attempts:
        return None
    if disposition == Disposition.CALLBACK:
        return callback_at
    if disposition not in PAUSES:
        return None
    pause: timedelta = PAUSES[Disposition(disposition)] * 2 ** (attempts - 1)
    return ended_at + pause


def agreed_callback(facts: Mapping[str, str], zone: str, ended_at: datetime) -> datetime | None:
    """Return the moment (UTC) that was agreed in a call, by the contact's clock; None if none was."""
    if CALLBACK_TIME not in facts:
        return None
    try:
        return resolve(facts[CALLBACK_TIME], ended_at.astimezone(ZoneInfo(zone))).astimezone(UTC)
    except (ValueError, ZoneInfoNotFoundError):
        return None
