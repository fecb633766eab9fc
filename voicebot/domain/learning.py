"""Words of learning: drift, trainings, versions of models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class DriftKind(StrEnum):
    """What may drift."""

    VOCABULARY = "vocabulary"  # share of words that were not heard before
    EMOTION = "emotion"  # population stability index of the emotions
    CONFIDENCE = "confidence"  # mean confidence of recognition, now minus before
    OUT_OF_DOMAIN = "out_of_domain"  # share of utterances that nothing fitted, now minus before


@dataclass(frozen=True, slots=True)
class Drift:
    """One figure, this stretch of time beside the one before."""

    kind: DriftKind
    before: float
    now: float
    change: float
    alarm: bool  # beyond what chance and habit explain
    detail: tuple[str, ...] = ()  # what it comes from: new words, emotions


@dataclass(frozen=True, slots=True)
class DriftReport:
    """How customers of a playbook changed."""

    playbook_id: str
    since: datetime  # of this stretch, UTC
    until: datetime
    turns: int  # utterances of this stretch
    figures: tuple[Drift, ...]  # () = too few utterances


class TrainingState(StrEnum):
    """How far a training is."""

    WAITING = "waiting"
    RUNNING = "running"
    NOTHING = "nothing"  # the examples alone rank as well: no model was written
    CANDIDATE = "candidate"  # a model waits for a person
    PROMOTED = "promoted"  # live by the rule
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Training:
    """One retraining."""

    id: str
    playbook_id: str
    asked_at: datetime
    asked_by: str
    promote: bool
    state: TrainingState
    step: str = ""
    started_at: datetime | None = None
    ended_at: datetime | None = None
    samples: int | None = None
    model: str = ""  # name-version
    comparison: Mapping[str, Any] = field(default_factory=dict)
    error: str = ""


class ModelState(StrEnum):
    """Where a version of a model stands."""

    SHIPPED = "shipped"
    CANDIDATE = "candidate"
    LIVE = "live"  # under the data home; the newest one is used
    RETIRED = "retired"
    GONE = "gone"  # no directory holds it any more


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """A version of a model as the database knows it."""

    name: str
    version: str
    state: ModelState
    manifest: Mapping[str, Any]
    registered_at: datetime
    changed_at: datetime
    actor: str
    why: str


@dataclass(frozen=True, slots=True)
class Standing:
    """How calls went under one version of the ranker."""

    calls: int
    ended_well: int  # nobody hung up on us or wanted no more calls
    utterances: int
    understood: int  # something fitted
    judged: int  # decisions with a score other than the threshold
    liked: int  # above it


@dataclass(frozen=True, slots=True)
class Guard:
    """One share that a watch guards, under the new version and before."""

    name: str  # ended_well, understood, liked
    now: tuple[int, int]  # hits, of
    before: tuple[int, int]
    worse: bool  # beyond doubt
