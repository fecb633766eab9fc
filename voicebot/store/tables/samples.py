"""Samples that models learn from, and which model learnt from which."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from voicebot.store.tables.base import Base


class SampleRow(Base):
    """样本: a judged choice, redacted. A turn has one of the script chosen, and of a better one if named."""

    __tablename__ = "samples"
    __table_args__ = (Index("ix_samples_playbook_id", "playbook_id", "at"),)

    call_id: Mapped[UUID] = mapped_column(primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    script_id: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[datetime]  # of the turn
    playbook_id: Mapped[str]
    said: Mapped[str]
    before: Mapped[str]
    agent: Mapped[str]
    scene: Mapped[str]
    keywords: Mapped[list[Any]]
    emotion: Mapped[dict[str, Any]]
    score: Mapped[float]  # 0-100
    weight: Mapped[float]  # -1 to 1
    origin: Mapped[str]  # domain.people.FeedbackOrigin
    gathered_at: Mapped[datetime]


class ModelSampleRow(Base):
    """Which samples a model learnt from. Without a foreign key: an erased sample leaves its mark here."""

    __tablename__ = "model_samples"

    model: Mapped[str] = mapped_column(primary_key=True)  # name-version
    call_id: Mapped[UUID] = mapped_column(primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    script_id: Mapped[str] = mapped_column(primary_key=True)  # "" = the sound of the turn was learnt
    erased_at: Mapped[datetime | None]  # its person was erased after the model had learnt from it
