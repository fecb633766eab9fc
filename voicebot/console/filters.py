"""A filter of outcomes as it stands in the address of a page or file, so that it can be saved and shared."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from voicebot.domain.call import Disposition, IntentLevel
from voicebot.domain.errors import DataError
from voicebot.store.outcomes import OutcomeFilter

FIELDS = ("campaign", "disposition", "intent", "since", "until", "sort", "number")


def read(query: Mapping[str, str], zone: str) -> OutcomeFilter:
    """Return the filter. Days are whole days of the zone. Raises DataError for a value that is none."""
    try:
        return OutcomeFilter(
            campaign_id=query.get("campaign", ""),
            dispositions=tuple(Disposition(value) for value in _several(query.get("disposition", ""))),
            intent_levels=tuple(IntentLevel(value) for value in _several(query.get("intent", ""))),
            since=_day(query.get("since", ""), zone),
            until=_day(query.get("until", ""), zone, after=True),
        )
    except ValueError as error:
        raise DataError(
            "the filter can not be read: {error}", hint="remove it and choose again", error=error
        ) from error


def written(values: Mapping[str, str]) -> str:
    """Return a filter for an address; what is empty is left out."""
    return urlencode({key: values[key] for key in FIELDS if values.get(key)})


def _several(text: str) -> list[str]:
    return [part for part in text.split(",") if part]


def _day(text: str, zone: str, *, after: bool = False) -> datetime | None:
    if not text:
        return None
    day = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=ZoneInfo(zone))
    return (day + timedelta(days=1) if after else day).astimezone(UTC)
