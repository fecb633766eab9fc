"""Roll-ups: calls counted ahead, so that a page needs not read every turn.

`at` is the hour, or for days that are over the day, in which the calls ended (UTC). A call of no campaign
counts under the nil UUID.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, SmallInteger
from sqlalchemy.orm import Mapped, mapped_column

from voicebot.store.tables.base import Base


class OutcomeRollupRow(Base):
    """Calls by result and intent level; always by the hour."""

    __tablename__ = "rollup_outcomes"

    campaign_id: Mapped[UUID] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(primary_key=True)
    disposition: Mapped[str] = mapped_column(primary_key=True)
    intent_level: Mapped[str] = mapped_column(primary_key=True)
    calls: Mapped[int]
    answered: Mapped[int]
    spoke: Mapped[int]
    opted_out: Mapped[int]
    talk_s: Mapped[float]


class ReasonRollupRow(Base):
    """Calls by result and its first reason."""

    __tablename__ = "rollup_reasons"

    campaign_id: Mapped[UUID] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(primary_key=True)
    disposition: Mapped[str] = mapped_column(primary_key=True)
    reason: Mapped[str] = mapped_column(primary_key=True)
    calls: Mapped[int]


class ScriptRollupRow(Base):
    """Calls in which a script was said, and how they went."""

    __tablename__ = "rollup_scripts"

    campaign_id: Mapped[UUID] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(primary_key=True)
    script_id: Mapped[str] = mapped_column(primary_key=True)
    variant: Mapped[str] = mapped_column(primary_key=True)
    calls: Mapped[int]
    converted: Mapped[int]
    said: Mapped[int]
    hung_up: Mapped[int]


class LatencyRollupRow(Base):
    """Turns by how long a stage took: step n holds up to 1.05 to the power of n milliseconds."""

    __tablename__ = "rollup_latencies"

    campaign_id: Mapped[UUID] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(primary_key=True)
    stage: Mapped[str] = mapped_column(primary_key=True)
    step: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    turns: Mapped[int]


class EmotionRollupRow(Base):
    """How emotion moves from an utterance to the next; `after` is "" at the last."""

    __tablename__ = "rollup_emotions"

    campaign_id: Mapped[UUID] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(primary_key=True)
    step: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    before: Mapped[str] = mapped_column(primary_key=True)
    after: Mapped[str] = mapped_column(primary_key=True)
    calls: Mapped[int]


class RollupStateRow(Base):
    """How far the roll-ups are. One row."""

    __tablename__ = "rollup_state"

    name: Mapped[str] = mapped_column(primary_key=True)
    stored_by: Mapped[int] = mapped_column(BigInteger)  # transactions before this one are counted
    days_until: Mapped[datetime]  # days before are counted as whole days
    at: Mapped[datetime]
    turns_from: Mapped[datetime | None]  # turns before were dropped by retention; their counts stay
