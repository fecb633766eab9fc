"""Drift reports over the database."""

from __future__ import annotations

from datetime import datetime, timedelta

from voicebot.domain.learning import DriftReport
from voicebot.learning.drift import Heard, compare
from voicebot.store.drift import DriftRepository
from voicebot.store.session import Database
from voicebot.text.redaction import redact
from voicebot.text.tokens import Tokeniser

WEEK = timedelta(days=7)
BEFORE = 4  # stretches that the newest one is compared with


def report(
    database: Database,
    playbook_id: str,
    until: datetime,
    stretch: timedelta = WEEK,
    keywords: tuple[str, ...] = (),
) -> DriftReport:
    """Compare the utterances of the newest stretch of time with those of the four before it.

    Long numbers are hidden before words are counted, so that a report names no number.
    """
    since = until - stretch
    with database.transaction() as session:
        stored = DriftRepository(session)
        now = stored.utterances(playbook_id, since, until)
        before = stored.utterances(playbook_id, since - BEFORE * stretch, since)
    words = Tokeniser(keywords)
    heard = [[Heard(redact(one[0]), *one[1:]) for one in part] for part in (now, before)]
    return compare(playbook_id, (since, until), heard[0], heard[1], words.cut)
