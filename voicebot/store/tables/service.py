"""What runs here: workers, playbook versions, prompts."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Boolean, Integer, false, func, text
from sqlalchemy.orm import Mapped, mapped_column

from voicebot.store.tables.base import Base


class WorkerRow(Base):
    """A process that serves, with its last heartbeat."""

    __tablename__ = "workers"

    id: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]  # line, inference
    address: Mapped[str]  # of its gRPC server, host:port
    sip_uri: Mapped[str]
    capacity: Mapped[int]
    busy: Mapped[int]
    draining: Mapped[bool] = mapped_column(Boolean, server_default=false())
    spool_pending: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    started_at: Mapped[datetime]  # attempts from before are not known to it any more
    seen_at: Mapped[datetime]


class PlaybookVersionRow(Base):
    """话术库 as it was when calls were conducted with it."""

    __tablename__ = "playbook_versions"

    playbook_id: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[str] = mapped_column(primary_key=True)
    content: Mapped[dict[str, Any]]
    at: Mapped[datetime] = mapped_column(server_default=func.now())


class PromptRow(Base):
    """A prompt in the cache. Its text lies beside its sound, not here: it may hold a name."""

    __tablename__ = "prompts"

    key: Mapped[str] = mapped_column(primary_key=True)
    engine: Mapped[str]
    style: Mapped[str]
    duration_ms: Mapped[int]
    size_bytes: Mapped[int]
    made_at: Mapped[datetime]
    used_at: Mapped[datetime]
    uses: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
