"""Times as people type them on a command line."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from voicebot.domain.errors import DataError

_AGO = re.compile(r"(\d{1,6})([mhd])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


def parse_time(text: str, now: datetime) -> datetime:
    """Return the moment that "2h", "7d", "2026-11-23" or "2026-11-23T10:00+08:00" means.

    Without zone it is the zone of `now`. Raises DataError.
    """
    if ago := _AGO.fullmatch(text):
        return now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise DataError(
            f"{text!r} is no time", hint="write 30m, 2h, 7d ago, or 2026-11-23, or 2026-11-23T10:00"
        ) from error
    return at if at.tzinfo else at.replace(tzinfo=now.tzinfo)


def moment(text: str) -> datetime:
    """Return the moment that a text means, in this machine's zone if it names none. Raises DataError."""
    return parse_time(text, datetime.now().astimezone())
