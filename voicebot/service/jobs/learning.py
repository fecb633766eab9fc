"""Learning from calls, beside them."""

from __future__ import annotations

from datetime import timedelta

import structlog

from voicebot import bootstrap
from voicebot.learning import drift_report
from voicebot.learning.gather import gather
from voicebot.service.jobs.task import Work
from voicebot.store.drift import DriftRepository

LOOK_BACK = timedelta(
    hours=6
)  # a grade or a replayed call may come late; later ones: voicebot feedback gather
log = structlog.get_logger()


def gather_samples(work: Work) -> None:
    """Make samples of what was judged since a while; doing it again changes nothing."""
    log.info("samples gathered", samples=gather(work.database, work.now - LOOK_BACK, work.now))


def report_drift(work: Work) -> None:
    """Compare this week's customers with those of the four weeks before, playbook by playbook."""
    with work.database.transaction() as session:
        names = DriftRepository(session).playbooks(work.now - drift_report.WEEK)
    source = bootstrap.playbooks(work.settings)
    for name in names:
        if work.stopping.is_set():
            return
        keywords = source.get(name).keywords if name in source.ids() else ()
        found = drift_report.report(work.database, name, work.now, keywords=keywords)
        with work.database.transaction() as session:
            DriftRepository(session).add(found)
        alarms = [figure.kind.value for figure in found.figures if figure.alarm]
        log.info("drift", playbook=name, turns=found.turns, alarms=alarms)
