"""Hours of a week in which calls are allowed. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal, get_args
from zoneinfo import ZoneInfo

from voicebot.domain.errors import CampaignError

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEKDAYS: tuple[Weekday, ...] = get_args(Weekday)
Window = tuple[int, int]  # minutes since local midnight: from, before
Week = Mapping[Weekday, tuple[Window, ...]]
DayHours = Callable[[date], tuple[Window, ...]]  # what is open on a local day

AHEAD_DAYS = 40  # longer than any holidays: what is not open by then never is
_WINDOW = re.compile(r"(\d\d):(\d\d)-(\d\d):(\d\d)")
_HINT = "write mon-fri 09:00-12:00,14:00-18:00; sat 10:00-12:00"


def parse_window(text: str) -> Window:
    """Return a window such as 09:00-12:00. Raises ValueError."""
    match = _WINDOW.fullmatch(text.strip())
    if not match:
        raise ValueError(f"{text!r} is no window; write 09:00-12:00")
    from_h, from_m, to_h, to_m = (int(part) for part in match.groups())
    start, end = from_h * 60 + from_m, to_h * 60 + to_m
    if not (from_m < 60 and to_m < 60 and 0 <= start < end <= 24 * 60):
        raise ValueError(f"{text!r} is no window inside one day")
    return start, end


def parse_week(text: str) -> Week:
    """Return hours such as "mon-fri 09:00-12:00,14:00-18:00; sat 10:00-12:00". Raises CampaignError.

    Days that are not named are closed; without days all of them are meant.
    """
    week: dict[Weekday, tuple[Window, ...]] = dict.fromkeys(WEEKDAYS, ())
    for part in filter(None, (part.strip().lower() for part in text.split(";"))):
        days, _, windows = part.rpartition(" ")
        try:
            parsed = tuple(sorted(parse_window(window) for window in windows.split(",")))
            for day in _days(days.strip()):
                week[day] = tuple(sorted({*week[day], *parsed}))
        except ValueError as error:
            raise CampaignError(
                "the hours can not be read: {error}", hint=_HINT, error=error, text=text
            ) from error
    if not any(week.values()):
        raise CampaignError("the hours are empty", hint=_HINT)
    return week


def intersect(one: tuple[Window, ...], other: tuple[Window, ...]) -> tuple[Window, ...]:
    """Return the stretches that are in both."""
    both = ((max(a[0], b[0]), min(a[1], b[1])) for a in one for b in other)
    return tuple(sorted(window for window in both if window[0] < window[1]))


def of_day(week: Week, day: date) -> tuple[Window, ...]:
    """Return a week's windows on a date."""
    return week[WEEKDAYS[day.weekday()]]


def openings(hours: DayHours, zone: ZoneInfo, now: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Yield the windows (UTC, from and before) that are open now or later, in order."""
    local = now.astimezone(zone)
    for ahead in range(AHEAD_DAYS):
        day = local.date() + timedelta(days=ahead)
        for start, end in hours(day):
            opens, closes = instant(day, start, zone), instant(day, end, zone)
            if now < closes and opens < closes:
                yield max(now, opens), closes


def instant(day: date, minute: int, zone: ZoneInfo) -> datetime:
    """Return a minute of a local day in UTC. Days of 23 or 25 hours come out right."""
    # The wall clock is set first and the zone after: adding to an aware time would ignore the change.
    wall = datetime.combine(day, time(), UTC) + timedelta(minutes=minute)
    return wall.replace(tzinfo=zone).astimezone(UTC)


def _days(text: str) -> list[Weekday]:
    if not text:
        return list(WEEKDAYS)
    found: list[Weekday] = []
    for part in text.replace(" ", "").split(","):
        first, _, last = part.partition("-")
        try:
            start, end = _index(first), _index(last or first)
        except ValueError:
            raise ValueError(f"{part!r} is no day; write {', '.join(WEEKDAYS)}") from None
        if end < start:
            raise ValueError(f"{part!r} runs backwards")
        found += WEEKDAYS[start : end + 1]
    return found


def _index(name: str) -> int:
    return [str(day) for day in WEEKDAYS].index(name)
