"""Learning from calls, beside them."""

from __future__ import annotations

from datetime import timedelta

import structlog

from voicebot import bootstrap
from voicebot.learning import drift_report
from voicebot.learning.gather import gather
from voicebot.service import model_registry, training, watching
from voicebot.service.jobs.task import Work
from voicebot.store.drift import DriftRepository

LOOK_BACK = timedelta(
    hours=6
)  # a grade or a replayed call may come late; later ones: voicebot feedback gather
log = structlog.get_logger()


def gather_samples(work: Work) -> None:
    """Make samples of what was judged since a while; doing it again changes nothing."""
    log.info("samples gathered", samples=gather(work.database, work.now - LOOK_BACK, work.now))


def retrain(work: Work, training_id: str) -> None:
    """Do a training that was asked for."""
    training.train(work.settings, work.database, training_id)


def retrain_where_due(work: Work) -> None:
    """Ask for trainings where enough new samples came together."""
    training.ask_where_due(work.settings, work.database, work.now, nightly=False)


def retrain_nightly(work: Work) -> None:
    """Ask for trainings where there is something new at all."""
    training.ask_where_due(work.settings, work.database, work.now, nightly=True)


def watch_models(work: Work) -> None:
    """Bring the registry's table to its directories, and take back what does worse than before."""
    for label in model_registry.sync(work.settings, work.database, work.now):
        log.info("model registered", model=label)
    watching.take_back_worse(work.settings, work.database, work.now)


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
