"""Outcomes sorted by other things than time, page by page."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.browser.seed import seed
from voicebot.store.outcome_pages import OutcomePages
from voicebot.store.outcomes import CallOutcome, OutcomeFilter
from voicebot.store.session import Database

pytestmark = pytest.mark.integration

KEYS = {
    "intent": lambda one: one.intent_level,
    "disposition": lambda one: one.disposition,
    "duration": lambda one: -one.duration_s,
    "turns": lambda one: -one.turns,
    "campaign": lambda one: one.campaign,
}


def walked(database: Database, sort: str, size: int) -> list[CallOutcome]:
    """Every outcome, fetched a page at a time."""
    found: list[CallOutcome] = []
    cursor = ""
    with database.transaction() as session:
        while True:
            page = OutcomePages(session).page(OutcomeFilter(), sort, cursor, size)
            assert len(page.outcomes) <= size
            found += page.outcomes
            cursor = page.next
            if not cursor:
                return found


@pytest.mark.parametrize("sort", KEYS)
def test_pages_hold_every_outcome_once_in_order_and_equal_ones_newest_first(
    database: Database, tmp_path: Path, sort: str
) -> None:
    seed(database, tmp_path, calls=14)
    found = walked(database, sort, 5)
    assert len({one.call_id for one in found}) == 14
    wanted = sorted(sorted(found, key=lambda one: one.at, reverse=True), key=KEYS[sort])
    assert [one.call_id for one in found] == [one.call_id for one in wanted]
    assert [one.call_id for one in walked(database, sort, 14)] == [one.call_id for one in found]
