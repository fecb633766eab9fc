"""Trunks, and how they are registered at."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, false, func, text, true
from sqlalchemy.orm import Mapped, mapped_column

from voicebot.store.tables.base import Base


class TrunkRow(Base):
    """线路: see domain.trunk.Trunk."""

    __tablename__ = "trunks"

    name: Mapped[str] = mapped_column(primary_key=True)
    host: Mapped[str]
    prefixes: Mapped[list[Any]]
    transport: Mapped[str]
    user: Mapped[str]
    password_sealed: Mapped[bytes | None]  # AES-256-GCM
    register: Mapped[bool] = mapped_column(server_default=false())
    domain: Mapped[str] = mapped_column(server_default="")
    number_format: Mapped[str]
    dial_prefix: Mapped[str] = mapped_column(server_default="")
    caller_ids: Mapped[list[Any]]
    codecs: Mapped[list[Any]]
    srtp: Mapped[str]
    tls_verify: Mapped[bool] = mapped_column(server_default=true())
    tls_ca: Mapped[str] = mapped_column(server_default="")
    max_calls: Mapped[int] = mapped_column(server_default=text("0"))
    calls_per_s: Mapped[float] = mapped_column(server_default=text("0"))
    causes: Mapped[dict[str, Any]]
    enabled: Mapped[bool] = mapped_column(server_default=true())
    changed_at: Mapped[datetime] = mapped_column(server_default=func.now(), onupdate=func.now())


class RegistrationRow(Base):
    """How a line worker's last registration at a trunk ended."""

    __tablename__ = "trunk_registrations"

    trunk: Mapped[str] = mapped_column(ForeignKey("trunks.name", ondelete="CASCADE"), primary_key=True)
    worker: Mapped[str] = mapped_column(primary_key=True)
    status: Mapped[int]  # SIP; 0 = no answer
    reason: Mapped[str]
    at: Mapped[datetime]
