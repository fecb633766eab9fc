"""The queue of turns that teach most when a person grades them: where the bot was least sure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

UNSURE = 0.6  # of the first candidate; less is worth a person's look
MISHEARD = 0.5  # confidence of the transcript; less is worth a person's ear
CALLS = 500  # that ended last

_QUEUE = text(
    """
    SELECT * FROM (
      SELECT DISTINCT ON (script_id, customer_text) * FROM (
        SELECT t.call_id, t.seq, t.at, c.playbook_id, t.customer_text, t.emotion, t.scene, t.script_id,
          t.script_text, t.decision -> 'candidates' AS candidates, c.recording, t.start_s, t.end_s,
          coalesce((t.decision #>> '{candidates,0,probability}')::float8, 0) AS probability,
          coalesce((t.understanding #>> '{transcript,confidence}')::float8, 1) AS confidence
        FROM (
          SELECT c.id, c.playbook_id, c.recording FROM outcomes o JOIN calls c ON c.id = o.call_id
          WHERE o.at >= :since AND c.turns > 0 AND (:playbook = '' OR c.playbook_id = :playbook)
          ORDER BY o.at DESC LIMIT :calls
        ) AS c JOIN turns t ON t.call_id = c.id
        WHERE t.at >= :since AND t.kind = 'speech' AND t.customer_text <> '' AND t.script_id <> ''
          AND NOT EXISTS (SELECT FROM feedback f WHERE f.call_id = t.call_id AND f.seq = t.seq
            AND f.origin = 'grade')
      ) AS spoken
      WHERE probability < :unsure OR confidence < :misheard
      ORDER BY script_id, customer_text, at DESC
    ) AS open
    ORDER BY least(probability / :unsure, confidence / :misheard), at DESC LIMIT :limit
    """
)


@dataclass(frozen=True, slots=True)
class Doubtful:
    """A turn worth a person's grade, which nobody has graded yet."""

    call_id: str
    seq: int
    at: datetime
    playbook_id: str
    customer_text: str
    emotion: str
    scene: str
    script_id: str
    script_text: str
    candidates: tuple[tuple[str, float], ...]  # script id and probability, as they were ranked
    recording: str  # blob key; "" = none
    start_s: float  # of the utterance, in the recording
    end_s: float
    probability: float  # of the first candidate
    confidence: float  # of the transcript

    @property
    def why(self) -> tuple[str, ...]:
        """Return what makes it doubtful: unsure (of the script), misheard (the words)."""
        reasons = (("unsure", self.probability < UNSURE), ("misheard", self.confidence < MISHEARD))
        return tuple(name for name, holds in reasons if holds)


class GradingQueue:
    """What a person should grade next. Grading takes a turn off the queue."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def open(self, since: datetime, limit: int = 20, playbook_id: str = "") -> list[Doubtful]:
        """Return the least sure turns first; of equal words answered by equal scripts one stands for all.

        Looked at are the newest CALLS calls in which somebody spoke: more would be too slow to wait for.

        Args:
            since: calls that ended at or after.
            limit: at most so many.
            playbook_id: of this playbook only; "" = of all.
        """
        rows = self._session.execute(
            _QUEUE,
            {
                "since": since,
                "limit": limit,
                "playbook": playbook_id,
                "unsure": UNSURE,
                "misheard": MISHEARD,
                "calls": CALLS,
            },
        )
        return [_doubtful(dict(row)) for row in rows.mappings()]


def _doubtful(row: Mapping[str, Any]) -> Doubtful:
    ranked: Sequence[Mapping[str, Any]] = row["candidates"] or ()
    return Doubtful(
        call_id=str(row["call_id"]),
        seq=row["seq"],
        at=row["at"],
        playbook_id=row["playbook_id"] or "",
        customer_text=row["customer_text"],
        emotion=row["emotion"],
        scene=row["scene"],
        script_id=row["script_id"],
        script_text=row["script_text"],
        candidates=tuple((one["script_id"], float(one["probability"])) for one in ranked),
        recording=row["recording"] or "",
        start_s=row["start_s"],
        end_s=row["end_s"],
        probability=row["probability"],
        confidence=row["confidence"],
    )
