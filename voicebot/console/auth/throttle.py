"""How often a sign-in may fail. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta

WINDOW = timedelta(minutes=15)
MOST_BY_NAME = 6  # failures of one name in the window
MOST_BY_ADDRESS = 30  # failures from one address: offices share one


def keys(name: str, address: str) -> tuple[str, str]:
    """Return under what a failure counts."""
    return f"name:{name.strip().lower()}", f"address:{address}"


def locked(failures_by_name: int, failures_by_address: int) -> bool:
    """Return whether no further try is allowed now."""
    return failures_by_name >= MOST_BY_NAME or failures_by_address >= MOST_BY_ADDRESS


def counted_since(now: datetime) -> datetime:
    """Return from when failures count."""
    return now - WINDOW
