"""How it is going: today, and reports over many calls."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Query

from voicebot.codec import plain
from voicebot.console.api import schemas
from voicebot.console.api.caller import Caller, needs
from voicebot.console.api.figure_schemas import OverviewOut, ReportOut
from voicebot.domain.report import Report, ReportFilter
from voicebot.domain.users import Right
from voicebot.store.campaigns import CampaignRepository
from voicebot.store.overview import Overview, OverviewRepository
from voicebot.store.reports import ReportRepository
from voicebot.store.session import Transaction
from voicebot.store.workers import LINE, Worker, WorkerRepository

router = APIRouter(tags=["figures"])
Sees = Annotated[Caller, Depends(needs(Right.SEE_REPORTS))]


@router.get("/overview")
async def show_overview(caller: Sees) -> OverviewOut:
    """Count the calls of today, in the console's time zone. Rehearsals are left out."""
    now = datetime.now(UTC)
    zone = ZoneInfo(caller.house.settings.console_zone)
    start = now.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0).astimezone(UTC)

    def work(session: Transaction) -> tuple[Overview, tuple[Worker, ...]]:
        return OverviewRepository(session).since(start, now), WorkerRepository(session).alive(LINE)

    today, workers = await caller.query(work)
    return OverviewOut(
        since=start,
        calls=today.calls,
        reached=today.reached,
        interested=today.interested,
        talked_s=today.talked_s,
        dispositions=today.dispositions,
        intents=today.intents,
        running=sum(worker.busy for worker in workers),
        capacity=sum(worker.capacity for worker in workers),
    )


@router.get("/reports")
async def show_report(
    caller: Sees,
    campaign: Annotated[schemas.Id | None, Query()] = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> ReportOut:
    """Count calls: funnel, results by hour, reasons, scripts with intervals, latency, emotion.

    Times older than two days count by whole UTC days. The answer's `until` tells up to when calls count.
    """
    zone, now = ZoneInfo(caller.house.settings.console_zone), datetime.now(UTC)
    wanted = ReportFilter(campaign or "", schemas.utc(since), schemas.utc(until))

    def work(session: Transaction) -> Report:
        name = CampaignRepository(session).find(campaign).name if campaign else ""
        return ReportRepository(session).report(name, wanted, zone, now)

    report = await caller.query(work)
    told: dict[str, Any] = plain(report)
    return ReportOut(**told | {"scripts": [_script(one) for one in report.scripts]})


def _script(one: Any) -> dict[str, Any]:
    def share(found: Any) -> dict[str, float]:
        return {"hits": found.hits, "of": found.of, "rate": found.rate, "low": found.low, "high": found.high}

    return {
        "script_id": one.script_id,
        "variant": one.variant,
        "said": one.said,
        "converted": share(one.converted),
        "hung_up": share(one.hung_up),
    }
