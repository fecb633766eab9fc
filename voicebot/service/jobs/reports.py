"""Roll-ups for reports and dashboards."""

from __future__ import annotations

from voicebot.service.jobs.task import Work
from voicebot.store import contact_counts
from voicebot.store.rollups import roll_up


def roll_up_calls(work: Work) -> None:
    """Count the calls that ended, or were corrected, since the last time; fold the counts of contacts."""
    roll_up(work.database, work.now)
    with work.database.transaction() as session:
        contact_counts.fold(session)
