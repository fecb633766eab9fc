"""When a contact is called again after an attempt, by cause. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from voicebot.campaign.windows import instant
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
NEVER = -1  # in a campaign's own table
NOBODY_THERE = frozenset({404, 410, 484, 604})  # the number is not in use, or is none (RFC 3261, 21)
CONGESTED = frozenset({500, 502, 503, 504, 580})  # the network's matter, over soon
CONGESTION = timedelta(minutes=10)
# Who did not answer at one time of day is tried at another (local hours).
DAY_PARTS: tuple[tuple[int, int], ...] = ((0, 12), (12, 17), (17, 24))
ELSEWHEN = frozenset({Disposition.NO_ANSWER, Disposition.VOICEMAIL})


def next_attempt(
    disposition: str,
    attempts: int,
    max_attempts: int,
    ended_at: datetime,
    callback_at: datetime | None = None,
    *,
    sip_status: int = 0,
    table: Mapping[str, int] | None = None,
) -> datetime | None:
    """Return when to call again; None = never.

    Args:
        disposition: of the attempt that ended.
        attempts: made so far, this one included.
        max_attempts: of the campaign.
        ended_at: when it ended.
        callback_at: what was agreed in the call. It is one attempt more than the campaign allows,
            because the customer asked; without it a callback is left to people.
        sip_status: final status of the INVITE.
        table: the campaign's own pauses, disposition -> minutes; NEVER = never.

    Every further attempt waits twice as long as the one before.
    """
    if disposition == Disposition.CALLBACK:
        return callback_at if attempts <= max_attempts else None
    if attempts >= max_attempts or disposition not in PAUSES:
        return None
    minutes = (table or {}).get(disposition)
    if minutes == NEVER:
        return None
    pause: timedelta = PAUSES[Disposition(disposition)] if minutes is None else timedelta(minutes=minutes)
    if disposition == Disposition.UNREACHABLE and minutes is None:
        if sip_status in NOBODY_THERE:
            return None
        if sip_status in CONGESTED:
            pause = CONGESTION
    return ended_at + pause * (1 << attempts - 1)


def other_hours(at: datetime, disposition: str, tried: Sequence[datetime], zone: str) -> datetime:
    """Return a time not before `at` in the part of the day in which the contact was tried least.

    Only for those who did not answer; an unknown zone changes nothing.
    """
    if disposition not in ELSEWHEN or not tried:
        return at
    try:
        local_zone = ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return at
    counted = Counter(_part(moment.astimezone(local_zone)) for moment in tried)
    least = min(counted[part] for part in range(len(DAY_PARTS)))
    local = at.astimezone(local_zone)
    if counted[_part(local)] == least:
        return at
    starts = [
        start
        for ahead in (0, 1)
        for part, (hour, _) in enumerate(DAY_PARTS)
        if counted[part] == least
        and (start := instant(local.date() + timedelta(days=ahead), hour * 60, local_zone)) >= at
    ]
    return min(starts, default=at)


def agreed_callback(facts: Mapping[str, str], zone: str, ended_at: datetime) -> datetime | None:
    """Return the moment (UTC) that was agreed in a call, by the contact's clock; None if none was."""
    if CALLBACK_TIME not in facts:
        return None
    try:
        return resolve(facts[CALLBACK_TIME], ended_at.astimezone(ZoneInfo(zone))).astimezone(UTC)
    except (ValueError, ZoneInfoNotFoundError):
        return None


def _part(local: datetime) -> int:
    return next(part for part, (_, end) in enumerate(DAY_PARTS) if local.hour < end)
