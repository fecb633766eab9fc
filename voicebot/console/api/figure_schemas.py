"""What the API tells of many calls."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, Field


class OverviewOut(BaseModel):
    """Today, at a glance."""

    since: datetime = Field(description="the beginning of today")
    calls: int
    reached: int
    interested: int = Field(description="of intent level A or B")
    talked_s: float = Field(description="mean length of an answered call")
    dispositions: dict[str, int]
    intents: dict[str, int]
    running: int = Field(description="calls that go on now")
    capacity: int


class FunnelOut(BaseModel):
    """From the list to the wish."""

    contacts: int
    calls: int
    answered: int
    spoke: int
    positive: int
    callbacks: int
    opted_out: int
    talk_s: float


class HourOut(BaseModel):
    """Calls of one result in one hour of the day."""

    hour: int
    disposition: str
    calls: int


class CountOut(BaseModel):
    """How often something was."""

    name: str
    calls: int


class ShareOut(BaseModel):
    """A share with its 95 % interval after Wilson."""

    hits: int
    of: int
    rate: float
    low: float
    high: float


class ScriptOut(BaseModel):
    """How calls went in which a script was said."""

    script_id: str
    variant: str
    said: int
    converted: ShareOut
    hung_up: ShareOut


class LatencyOut(BaseModel):
    """How long a stage took, milliseconds."""

    stage: str
    turns: int
    p50: float
    p90: float
    p95: float
    p99: float


class EmotionOut(BaseModel):
    """How often emotion went from one label to another."""

    step: int
    before: str
    after: str | None
    calls: int


class ReportOut(BaseModel):
    """Everything at once."""

    title: str
    made_at: datetime
    until: datetime | None = Field(description="calls up to here are counted; null = nothing was counted yet")
    funnel: FunnelOut
    dispositions: list[CountOut]
    intents: list[CountOut]
    hours: list[HourOut]
    reasons: list[CountOut]
    not_dialled: list[CountOut]
    scripts: list[ScriptOut]
    latencies: list[LatencyOut]
    emotions: list[EmotionOut]
