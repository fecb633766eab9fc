"""Public holidays by country."""

from __future__ import annotations

from datetime import date
from functools import cache

import holidays
from holidays.registry import COUNTRIES


def known(country: str) -> bool:
    """Return whether holidays of a country (ISO 3166) are known."""
    return any(country in names[1:] for names in COUNTRIES.values())


def is_holiday(country: str, day: date) -> bool:
    """Return whether a local day is a public holiday of a country; "" has none."""
    return bool(country) and day in _of_year(country, day.year)


@cache
def _of_year(country: str, year: int) -> frozenset[date]:
    return frozenset(holidays.country_holidays(country, years=year))
