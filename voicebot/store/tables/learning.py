"""Versions of models, trainings, and how customers change."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from voicebot.store.tables.base import Base


class ModelVersionRow(Base):
    """模型版本: what lies in the registry's directories, with who moved it and why."""

    __tablename__ = "model_versions"

    name: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[str] = mapped_column(primary_key=True)
    state: Mapped[str]  # domain.learning.ModelState
    manifest: Mapped[dict[str, Any]]
    registered_at: Mapped[datetime]
    changed_at: Mapped[datetime]
    actor: Mapped[str]
    why: Mapped[str]


class TrainingRow(Base):
    """训练: one retraining, from the wish to its end."""

    __tablename__ = "trainings"
    __table_args__ = (Index("ix_trainings_asked_at", "asked_at"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    playbook_id: Mapped[str]
    asked_at: Mapped[datetime]
    asked_by: Mapped[str]  # a person, or the schedule
    promote: Mapped[bool]  # by the rule, if it is better
    state: Mapped[str]  # domain.learning.TrainingState
    step: Mapped[str]  # what is being done
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    samples: Mapped[int | None]
    model: Mapped[str]  # name-version; "" = none was written
    comparison: Mapped[dict[str, Any]]
    error: Mapped[str]


class DriftReportRow(Base):
    """漂移报告: how customers of a playbook changed from one stretch of time to the next."""

    __tablename__ = "drift_reports"
    __table_args__ = (Index("ix_drift_reports_playbook_id", "playbook_id", "until"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    playbook_id: Mapped[str]
    since: Mapped[datetime]
    until: Mapped[datetime]
    turns: Mapped[int]
    figures: Mapped[list[Any]]  # domain.learning.Drift
