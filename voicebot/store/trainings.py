"""Trainings: who asked for a retraining, how far it is, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select, text, update
from sqlalchemy.orm import Session

from voicebot.domain.errors import DataError
from voicebot.domain.ids import uuid7
from voicebot.domain.learning import Training, TrainingState
from voicebot.store.calls import row_id
from voicebot.store.jobs import SLOW, JobRepository
from voicebot.store.tables import TrainingRow

TASK = "retrain"  # in `voicebot.service.jobs.catalogue`
OPEN = (TrainingState.WAITING, TrainingState.RUNNING)
LOST = timedelta(hours=12)  # one that was asked for so long ago died with its process

# A sample is new if its turn is, or if somebody judged the turn since.
_NEW = text(
    """
    SELECT s.playbook_id, count(*) FROM samples s
    LEFT JOIN (SELECT playbook_id, max(asked_at) AS at FROM trainings GROUP BY playbook_id) AS t
      ON t.playbook_id = s.playbook_id
    WHERE t.at IS NULL OR s.at > t.at OR EXISTS (
      SELECT FROM feedback f WHERE f.call_id = s.call_id AND f.seq = s.seq AND f.at > t.at)
    GROUP BY s.playbook_id ORDER BY s.playbook_id
    """
)


@dataclass(frozen=True, slots=True)
class TrainingEnd:
    """What came of a training."""

    state: TrainingState
    samples: int | None = None
    model: str = ""  # name-version
    comparison: Mapping[str, Any] | None = None
    error: str = ""


class TrainingRepository:
    """Trainings, newest first."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def ask(self, playbook_id: str, by: str, now: datetime, *, promote: bool, queue: bool = True) -> str:
        """Write that somebody wants a retraining; return its id. Raises DataError if one is under way.

        Args:
            playbook_id: whose ranker.
            by: a person, or the schedule.
            now: UTC.
            promote: make it live if it is better by the rule.
            queue: leave it to the jobs process; else whoever asks does it.
        """
        under_way = select(TrainingRow.id).where(
            TrainingRow.playbook_id == playbook_id,
            TrainingRow.state.in_([state.value for state in OPEN]),
            TrainingRow.asked_at > now - LOST,
        )
        if queue and self._session.scalar(under_way.limit(1)) is not None:
            raise DataError(
                "{playbook_id} is being trained already",
                hint="wait for it: voicebot learn trainings",
                playbook_id=playbook_id,
            )
        row = TrainingRow(
            id=uuid7(), playbook_id=playbook_id, asked_at=now, asked_by=by, promote=promote,
            state=TrainingState.WAITING.value, step="", model="", comparison={}, error="",
        )  # fmt: skip
        self._session.add(row)
        self._session.flush()
        if queue:
            JobRepository(self._session).add(TASK, {"training_id": str(row.id)}, queue=SLOW, lock=TASK)
        return str(row.id)

    def begin(self, training_id: str, now: datetime) -> Training:
        """Write that it runs now, also after a crash; return it. Raises DataError."""
        self._set(training_id, state=TrainingState.RUNNING.value, started_at=now, step="", error="")
        return self.get(training_id)

    def step(self, training_id: str, what: str) -> None:
        """Write what is being done."""
        self._set(training_id, step=what)

    def end(self, training_id: str, ended: TrainingEnd, now: datetime) -> None:
        """Write what came of it."""
        self._set(
            training_id,
            state=ended.state.value,
            ended_at=now,
            step="",
            samples=ended.samples,
            model=ended.model,
            comparison=dict(ended.comparison or {}),
            error=ended.error,
        )

    def get(self, training_id: str) -> Training:
        """Return one. Raises DataError."""
        row = self._session.get(TrainingRow, row_id(training_id), populate_existing=True)
        if row is None:
            raise DataError(
                "there is no training {training_id}", hint="voicebot learn trainings", training_id=training_id
            )
        return _training(row)

    def latest(self, playbook_id: str = "", limit: int = 20) -> list[Training]:
        """Return the newest, of one playbook or of all."""
        query = select(TrainingRow).order_by(TrainingRow.asked_at.desc(), TrainingRow.id.desc()).limit(limit)
        if playbook_id:
            query = query.where(TrainingRow.playbook_id == playbook_id)
        return [_training(row) for row in self._session.scalars(query)]

    def new_samples(self) -> dict[str, int]:
        """Return how many samples of each playbook were made or judged since its last training."""
        return {row[0]: row[1] for row in self._session.execute(_NEW)}

    def _set(self, training_id: str, **values: Any) -> None:
        self._session.execute(
            update(TrainingRow).where(TrainingRow.id == row_id(training_id)).values(**values)
        )


def _training(row: TrainingRow) -> Training:
    return Training(
        id=str(row.id),
        playbook_id=row.playbook_id,
        asked_at=row.asked_at,
        asked_by=row.asked_by,
        promote=row.promote,
        state=TrainingState(row.state),
        step=row.step,
        started_at=row.started_at,
        ended_at=row.ended_at,
        samples=row.samples,
        model=row.model,
        comparison=row.comparison,
        error=row.error,
    )
