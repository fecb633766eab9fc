"""The database: claims per second with claimers killed, dashboards over millions of turns, import."""

from __future__ import annotations

import csv
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import text

from voicebot.bench import store_claims, store_rows
from voicebot.bench.frame import Options, Result
from voicebot.campaign.importer import import_contacts
from voicebot.domain.call import Disposition
from voicebot.domain.campaign import Campaign, CampaignStatus
from voicebot.domain.ids import uuid7
from voicebot.domain.report import ReportFilter
from voicebot.service import grading
from voicebot.store.audit import AuditRepository
from voicebot.store.campaigns import CampaignRepository
from voicebot.store.consents import ConsentRepository
from voicebot.store.crypto import NumberVault
from voicebot.store.embedded import EmbeddedPostgres
from voicebot.store.migrate import migrate
from voicebot.store.outcome_pages import SORTS, OutcomePages
from voicebot.store.outcomes import OutcomeFilter, OutcomeRepository
from voicebot.store.overview import OverviewRepository
from voicebot.store.reports import ReportRepository
from voicebot.store.rollups import roll_up
from voicebot.store.session import Database
from voicebot.store.trainings import TrainingRepository
from voicebot.store.webhooks import WebhookRepository

TURNS = 5_000_000
CONTACTS = 100_000
REPEATS = 5  # of a query; the median counts
PARTS = ("funnel", "dispositions", "intents", "reasons", "not_dialled", "scripts", "latencies", "emotions")
KEY = bytes(range(32))
ZONE = ZoneInfo("Asia/Shanghai")

_PLAIN = """
    SELECT t.script_id, count(DISTINCT t.call_id),
      count(DISTINCT t.call_id) FILTER (WHERE o.disposition IN ('interested', 'transferred'))
    FROM turns t JOIN outcomes o USING (call_id) GROUP BY 1
    """


def run(options: Options) -> Result:
    """Measure on a Postgres of its own, made for this and thrown away.

    --set turns=N (5,000,000), contacts=N (100,000), claimers=N (2), parts=import,claims,queries.
    """
    turns = int(options.extra.get("turns", TURNS))
    contacts = int(options.extra.get("contacts", CONTACTS))
    claimers = int(options.extra.get("claimers", "2"))
    parts = options.extra.get("parts", "import,claims,queries").split(",")
    rows: list[Mapping[str, Any]] = []
    summary: dict[str, float] = {}
    with _database() as database:
        campaign = _campaign(database)
        if "import" in parts or "claims" in parts:
            per_s = _import(database, campaign, contacts)
            summary["import_rows_per_s"] = per_s
            rows.append({"what": "import of a CSV", "figure": per_s, "unit": "rows/s", "n": contacts})
        if "claims" in parts:
            rows += store_claims.measure(database, KEY, campaign, contacts, claimers, options.seed)
            by_name = {row["what"]: row["figure"] for row in rows}
            summary["claims_per_s"] = by_name[store_claims.SPEED]
            summary["double_dials"] = by_name[store_claims.DOUBLE]
        if "queries" in parts:
            measured = list(_queries(database, turns))
            rows += measured
            medians = [row["figure"] for row in measured if row["unit"] == "ms median"]
            summary["worst_dashboard_ms"] = max(medians)
    return Result(summary, rows, notes=(f"PostgreSQL with fsync; {claimers} claimers; {turns:,} turns",))


@contextmanager
def _database() -> Iterator[Database]:
    with tempfile.TemporaryDirectory(prefix="voicebot-bench-") as place:
        Path(place).chmod(0o755)  # the server's account must pass
        with EmbeddedPostgres(Path(place) / "pg") as url:
            database = Database(url, pool_size=2)
            migrate(database, datetime.now(UTC))
            try:
                yield database
            finally:
                database.dispose()


def _campaign(database: Database) -> Campaign:
    campaign = Campaign(
        id=str(uuid7()),
        name="bench",
        playbook_id="consumer_loan",
        status=CampaignStatus.RUNNING,
        policy_pack="SIMULATION",
        trunk="sip:{number}@127.0.0.1:5090",
    )
    with database.transaction() as session:
        CampaignRepository(session).add(campaign)
    return campaign


def _import(database: Database, campaign: Campaign, contacts: int) -> float:
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "contacts.csv"
        with path.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(
                ("number", "zone", "name", "consent_scope", "consent_evidence", "consent_given_at")
            )
            for index in range(contacts):
                number = f"+86139{index:08d}"
                writer.writerow(
                    (number, "Asia/Shanghai", "客户", "marketing", "form", "2026-01-01T00:00+08:00")
                )
        began = time.monotonic()
        done = import_contacts(
            database,
            NumberVault(KEY),
            campaign,
            path,
            region="CN",
            errors_file=path.with_suffix(".errors.csv"),
        )
        assert done.added == contacts, done
        return contacts / (time.monotonic() - began)


def _queries(database: Database, turns: int) -> Iterator[dict[str, Any]]:
    now = datetime.now(UTC)
    began = time.monotonic()
    store_rows.generate(database, turns, now)
    yield {"what": "turns generated", "figure": time.monotonic() - began, "unit": "s", "n": turns}
    began = time.monotonic()
    roll_up(database, now)
    yield {"what": "first roll-up of all", "figure": time.monotonic() - began, "unit": "s", "n": turns}
    call = store_rows.add_call(database, now)
    began = time.monotonic()
    roll_up(database, now)
    yield {"what": "roll-up after one more call", "figure": (time.monotonic() - began) * 1000, "unit": "ms"}
    with database.transaction() as session:
        campaign = str(session.execute(text("SELECT campaign_id FROM outcomes LIMIT 1")).scalar_one())
    everything = ReportFilter()
    week = ReportFilter(campaign, now - timedelta(days=7))
    for name, wanted in (("all campaigns, all time", everything), ("one campaign, a week", week)):
        for part in PARTS:
            yield _timed(database, f"{part}: {name}", _asking(part, wanted))
        yield _timed(database, f"hours: {name}", _asking("hours", wanted, ZONE))
    yield from _pages(database, campaign, now)
    newest = OutcomeFilter(limit=50)
    yield _timed(database, "newest 50 outcomes", lambda reports: list(reports.outcomes.find(newest)))
    yield _timed(database, "one call with its turns", lambda reports: reports.outcomes.call(call))
    began = time.monotonic()
    with database.transaction() as session:
        session.execute(text(_PLAIN)).all()
    took_ms = (time.monotonic() - began) * 1000
    yield {"what": "script conversion without roll-ups", "figure": took_ms, "unit": "ms"}


def _pages(database: Database, campaign: str, now: datetime) -> Iterator[dict[str, Any]]:
    """Measure what whole pages of the console ask, one question after the other as they do."""
    day = timedelta(days=1)
    month = ReportFilter(since=now - timedelta(days=30))
    pages: Mapping[str, Callable[[_Reports], Any]] = {
        "first page: today and yesterday": lambda reports: (
            reports.overview.since(now - day, now),
            reports.overview.since(now - 2 * day, now - day),
        ),
        "a campaign's progress": lambda reports: reports.campaigns.progress(campaign),
        "first page of outcomes, counted": lambda reports: reports.pages.page(OutcomeFilter()),
        "first page: eight running campaigns": lambda reports: reports.campaigns.with_progress(
            reports.campaigns.all()[-8:]
        ),
        **{f"outcomes by {sort}": _page(OutcomeFilter(), sort) for sort in SORTS},
        "outcomes of a result in a campaign": _page(
            OutcomeFilter(campaign, dispositions=(Disposition.INTERESTED,), since=now - timedelta(days=30))
        ),
        "grading": lambda reports: grading.queue(reports.session, now - timedelta(days=30), 20),
        "learning": lambda reports: reports.trainings.new_samples(),
        "do-not-call": lambda reports: reports.consents.counts(),
        "webhooks": lambda reports: reports.webhooks.counts(),
        "audit": lambda reports: list(reports.audit.find()),
        "audit of a person": lambda reports: list(reports.audit.find(actor="nobody")),
        "audit of a deed": lambda reports: list(reports.audit.find(action="reveal_number")),
        "audit of a call": lambda reports: list(reports.audit.find(subject="call:7")),
        "whole report, 30 days": lambda reports: reports.report("", month, ZONE, now),
        "whole report, all time": lambda reports: reports.report("", ReportFilter(), ZONE, now),
    }
    for name, ask in pages.items():
        yield _timed(database, f"page: {name}", ask)


def _page(wanted: OutcomeFilter, sort: str = "newest") -> Callable[[_Reports], Any]:
    return lambda reports: reports.pages.page(wanted, sort)


def _asking(part: str, *given: Any) -> Callable[[_Reports], Any]:
    return lambda reports: getattr(reports, part)(*given)


class _Reports(ReportRepository):
    """The repositories that pages ask."""

    def __init__(self, session: Any) -> None:
        super().__init__(session)
        self.outcomes = OutcomeRepository(session)
        self.pages = OutcomePages(session)
        self.campaigns = CampaignRepository(session)
        self.overview = OverviewRepository(session)
        self.trainings = TrainingRepository(session)
        self.consents = ConsentRepository(session)
        self.webhooks = WebhookRepository(session)
        self.audit = AuditRepository(session)
        self.session = session


def _timed(database: Database, what: str, ask: Callable[[_Reports], Any]) -> dict[str, Any]:
    times = []
    for _ in range(REPEATS):
        with database.transaction() as session:
            began = time.monotonic()
            ask(_Reports(session))
            times.append((time.monotonic() - began) * 1000)
    return {"what": what, "figure": statistics.median(times), "unit": "ms median", "n": REPEATS}
