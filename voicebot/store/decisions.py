"""Decisions that were judged, with what could have been said instead and how likely that was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from voicebot.domain.dialogue import Shown

_LOGGED = text(
    """
    SELECT t.call_id, t.seq, t.at, t.script_id, t.propensity, t.decision -> 'shown' AS shown, t.model_version,
      s.score, s.origin, s.said, s.before, s.agent, s.scene, s.keywords, s.emotion
    FROM samples s JOIN turns t ON t.call_id = s.call_id AND t.seq = s.seq AND t.script_id = s.script_id
    WHERE s.playbook_id = :playbook AND t.delivered_text IS NULL
      AND jsonb_array_length(coalesce(t.decision -> 'shown', '[]'::jsonb)) > 1
    ORDER BY t.at, t.call_id, t.seq
    """
)
# How much a score is believed as the reward of a decision: a person's grade most.
BELIEF = {"grade": 1.0, "customer": 0.6, "suggestion": 0.5}
LEAST_BELIEF = 0.3


@dataclass(frozen=True, slots=True)
class LoggedDecision:
    """One decision with a choice, and how it was judged. Its words are redacted."""

    call_id: str
    seq: int
    at: datetime
    script_id: str
    propensity: float
    shown: tuple[Shown, ...]
    model_version: str
    score: float  # 0-100
    belief: float  # 0-1
    said: str
    before: str
    agent: str
    scene: str
    keywords: tuple[str, ...]
    emotion: Mapping[str, float]


class DecisionRepository:
    """Judged decisions in which there was a choice."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def logged(self, playbook_id: str) -> list[LoggedDecision]:
        """Return those of a playbook, oldest first."""
        rows = self._session.execute(_LOGGED, {"playbook": playbook_id}).mappings()
        return [_decision(dict(row)) for row in rows]


def _decision(row: Mapping[str, Any]) -> LoggedDecision:
    shown: Sequence[Mapping[str, Any]] = row["shown"]
    return LoggedDecision(
        str(row["call_id"]),
        row["seq"],
        row["at"],
        row["script_id"],
        row["propensity"],
        tuple(Shown(one["script_id"], one["share"], one["chance"]) for one in shown),
        row["model_version"],
        row["score"],
        BELIEF.get(row["origin"], LEAST_BELIEF),
        row["said"],
        row["before"],
        row["agent"],
        row["scene"],
        tuple(row["keywords"]),
        row["emotion"],
    )
