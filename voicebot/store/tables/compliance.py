"""What compliance keeps: lists of numbers not to be called, refusals to dial, imports."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index, func, text
from sqlalchemy.orm import Mapped, mapped_column

from voicebot.store.tables.base import Base


class DoNotCallListRow(Base):
    """A do-not-call list that is loaded from files: a country's registry, or an own one."""

    __tablename__ = "do_not_call_lists"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    as_of: Mapped[datetime]  # the state that the file shows
    max_age_days: Mapped[int]  # older than that: nobody is called; 0 = never too old
    edition: Mapped[int]  # of its numbers, counted up with every file
    numbers: Mapped[int]
    loaded_at: Mapped[datetime]


class DoNotCallNumberRow(Base):
    """A number on a list. Those of another edition than the list's do not count."""

    __tablename__ = "do_not_call_numbers"

    number_lookup: Mapped[bytes] = mapped_column(primary_key=True)
    list_id: Mapped[UUID] = mapped_column(
        ForeignKey("do_not_call_lists.id", ondelete="CASCADE"), primary_key=True
    )
    edition: Mapped[int]


class RefusalRow(Base):
    """A refusal to dial: why, and until when (NULL = for good)."""

    __tablename__ = "refusals"
    __table_args__ = (Index("ix_refusals_contact_id", "contact_id", "at"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    campaign_id: Mapped[UUID]
    contact_id: Mapped[UUID]
    at: Mapped[datetime]
    code: Mapped[str]  # campaign.compliance.Reason
    words: Mapped[str]
    until: Mapped[datetime | None]


class ImportRow(Base):
    """An import of contacts: how far it is, and what became of the rows."""

    __tablename__ = "imports"
    __table_args__ = (Index("ix_imports_campaign_id", "campaign_id", "started_at"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    campaign_id: Mapped[UUID] = mapped_column(ForeignKey("campaigns.id"))
    file_name: Mapped[str]
    actor: Mapped[str]
    status: Mapped[str]  # running, done, failed
    rows: Mapped[int] = mapped_column(server_default=text("0"))
    added: Mapped[int] = mapped_column(server_default=text("0"))
    duplicates: Mapped[int] = mapped_column(server_default=text("0"))
    errors: Mapped[int] = mapped_column(server_default=text("0"))
    errors_file: Mapped[str] = mapped_column(server_default="")  # under the data home
    failure: Mapped[str] = mapped_column(server_default="")
    started_at: Mapped[datetime] = mapped_column(server_default=func.now())
    finished_at: Mapped[datetime | None]
