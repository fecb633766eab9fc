"""A retraining from beginning to end: train, compare, register, and promote if the rule says so.

The same for the CLI, which does it at once, and for the jobs process, which does what was asked for in the
console, by REST or by the schedule.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import structlog

from voicebot import bootstrap
from voicebot.domain.errors import VoicebotError
from voicebot.domain.learning import Training, TrainingState
from voicebot.domain.sample import Sample
from voicebot.registry import promotion
from voicebot.service import model_registry
from voicebot.service.model_registry import RANKER
from voicebot.settings import Settings
from voicebot.store.session import Database
from voicebot.store.trainings import TrainingEnd, TrainingRepository

if TYPE_CHECKING:
    from voicebot.learning.promote import Comparison
    from voicebot.learning.retrain import Retrained

SCHEDULE = "schedule"  # who asks when nobody did
FEWEST_NEW = 20  # samples, for which the nightly training is worth its minutes
log = structlog.get_logger()


def ask(
    database: Database, playbook_id: str, by: str, now: datetime, *, promote: bool, queue: bool = True
) -> str:
    """Write that somebody wants a retraining; return its id. Raises DataError if one is under way."""
    with database.transaction() as session:
        return TrainingRepository(session).ask(playbook_id, by, now, promote=promote, queue=queue)


def ask_where_due(settings: Settings, database: Database, now: datetime, *, nightly: bool) -> list[str]:
    """Ask for a retraining of every playbook with enough new samples; return the playbooks.

    Args:
        settings: say after how many samples, and whether every night.
        database: holds samples and trainings.
        now: UTC.
        nightly: it is night: fewer samples are enough.
    """
    fewest = FEWEST_NEW if nightly else settings.retrain_after
    if not fewest or (nightly and not settings.retrain_nightly):
        return []
    installed = bootstrap.playbooks(settings).ids()
    with database.transaction() as session:
        new = TrainingRepository(session).new_samples()
    due = [key for key, count in new.items() if count >= fewest and key in installed]
    asked = []
    for playbook_id in due:
        try:
            ask(database, playbook_id, SCHEDULE, now, promote=settings.retrain_promote)
        except VoicebotError as under_way:
            log.info("retraining not asked for", playbook=playbook_id, why=str(under_way))
        else:
            asked.append(playbook_id)
    return asked


def train(
    settings: Settings,
    database: Database,
    training_id: str,
    tell: Callable[[str], None] = lambda _: None,
    seed: int = 1,
) -> Training:
    """Do a training that was asked for; return how it ended.

    A failure is written to it and raised. Done again after a crash, it begins anew.

    Args:
        settings: of this installation.
        database: holds the samples, takes progress and result.
        training_id: of `ask`.
        tell: is told every step.
        seed: of every random choice.
    """
    # torch-free, but heavy: only who trains pays for it
    from voicebot.learning import retrain as retraining
    from voicebot.ranker.encoder import open_encoder
    from voicebot.ranker.training import Recipe

    def step(what: str) -> None:
        tell(what)
        with database.transaction() as session:
            TrainingRepository(session).step(training_id, what)

    with database.transaction() as session:
        training = TrainingRepository(session).begin(training_id, datetime.now(UTC))
    if training.state is not TrainingState.RUNNING:
        return training
    try:
        playbook = bootstrap.playbooks(settings).get(training.playbook_id)
        out = promotion.candidate_place(settings.home, bootstrap.model_roots(settings), RANKER)
        step("loading the live model")
        found = retraining.retrain(
            database,
            playbook,
            bootstrap.ranker(settings),
            open_encoder(kept=settings.home / "cache" / "vectors.npz"),
            out,
            Recipe(seed=seed, duals=0),
            step,
            _frozen(settings, playbook.id),
        )
        ended = _register(settings, database, training, found)
    except VoicebotError as error:
        _end(database, training_id, TrainingEnd(TrainingState.FAILED, error=error.detail))
        raise
    except KeyboardInterrupt:
        _end(database, training_id, TrainingEnd(TrainingState.FAILED, error="interrupted"))
        raise
    except Exception as error:  # the edge of a job: what failed must not look as if it were still running
        _end(database, training_id, TrainingEnd(TrainingState.FAILED, error=type(error).__name__))
        raise
    return _end(database, training_id, ended)


def _frozen(settings: Settings, playbook_id: str) -> list[Sample]:
    """Return the installation's own held-out cases of a playbook; [] if it has none. Raises DataError."""
    from voicebot.ranker.history import SampleFile

    path = settings.home / "held_out" / f"{playbook_id}.jsonl"
    return SampleFile(path).samples(playbook_id) if path.is_file() else []


def _register(settings: Settings, database: Database, training: Training, found: Retrained) -> TrainingEnd:
    if found.manifest is None or found.comparison is None:
        return TrainingEnd(TrainingState.NOTHING, found.samples)
    manifest, comparison = found.manifest, found.comparison
    now = datetime.now(UTC)
    model_registry.register(settings, database, manifest, now, training.asked_by, comparison.why)
    state = TrainingState.CANDIDATE
    if training.promote and comparison.promote:
        model_registry.promote(
            settings, database, RANKER, manifest.version, now, f"rule ({training.asked_by})", comparison.why
        )
        state = TrainingState.PROMOTED
    return TrainingEnd(state, found.samples, manifest.label, _told(comparison))


def _told(comparison: Comparison) -> dict[str, object]:
    """Return a comparison as JSON can hold it."""
    return {**asdict(comparison), "groups": dict(comparison.groups)}


def _end(database: Database, training_id: str, ended: TrainingEnd) -> Training:
    with database.transaction() as session:
        trainings = TrainingRepository(session)
        trainings.end(training_id, ended, datetime.now(UTC))
        done = trainings.get(training_id)
    log.info("training ended", training=done.id, state=done.state.value, model=done.model)
    return done
