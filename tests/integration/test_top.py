"""`voicebot top`: what runs now, as the database tells."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.conftest import Make
from voicebot.cli.main import app
from voicebot.domain.call import Disposition, IntentLevel
from voicebot.domain.campaign import Campaign, CampaignStatus, Contact
from voicebot.domain.ids import uuid7
from voicebot.domain.quality import quality
from voicebot.store.calls import CallRepository
from voicebot.store.campaigns import CampaignRepository
from voicebot.store.contacts import ContactRepository
from voicebot.store.crypto import NumberVault
from voicebot.store.jobs import WEBHOOKS, JobRepository
from voicebot.store.session import Database
from voicebot.store.standing import StandingRepository
from voicebot.store.workers import LINE, Worker, WorkerRepository

pytestmark = pytest.mark.integration


def look(url: str, home: Path, *words: str) -> str:
    environment = {"VOICEBOT_HOME": str(home), "VOICEBOT_DATABASE_URL": url, "COLUMNS": "160"}
    done = CliRunner().invoke(app, ["top", "--once", *words], env=environment, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def test_lines_campaigns_waiting_and_sound_are_shown(
    database: Database, database_url: str, make: Make, tmp_path: Path
) -> None:
    now = datetime.now(UTC)
    campaign = Campaign(str(uuid7()), "spring", "consumer_loan", CampaignStatus.RUNNING, "CN")
    contact = Contact(str(uuid7()), campaign.id, "+8613900000000", "Asia/Shanghai")
    request = make.request()
    turn = replace(make.turn(request.call_id, 1), at=now, timings_ms={"wait_ms": 40.0, "recognise_ms": 310.0})
    record = replace(
        make.record(request, Disposition.DROPPED, IntentLevel.F), quality=quality(900, 100, 5, 1000, 0, 2, 30)
    )
    with database.transaction() as session:
        WorkerRepository(session).beat(
            Worker("host-line-0", LINE, "10.0.0.1:50100", "sip:voicebot@10.0.0.1:5060", 3, 2, now, now)
        )
        CampaignRepository(session).add(campaign)
        ContactRepository(session, NumberVault(bytes(32))).add([contact], now)
        CallRepository(session).turn(turn)
        CallRepository(session).ended(record)
    told = json.loads(look(database_url, tmp_path, "--json"))
    assert told["campaigns"] == [
        {
            "name": "spring",
            "status": "running",
            "held": "",
            "calling": 0,
            "pending": 1,
            "ended": 0,
            "answered": 0,
        }
    ]
    felt = told["felt"]
    assert (felt["turns"], felt["wait_ms_p50"], felt["recognise_ms_p50"]) == (1, 40, 310)
    assert (felt["calls"], felt["dropped"]) == (1, 1)
    assert 2 < felt["mos"] < 4
    page = look(database_url, tmp_path)
    for words in ("host-line-0", "2/3", "spring", "MOS", "dropped"):
        assert words in page
    assert "13900000000" not in page


def test_what_waits_is_counted_by_its_queue(database: Database) -> None:
    now = datetime.now(UTC)
    with database.transaction() as session:
        for name, status in (("spring", CampaignStatus.RUNNING), ("autumn", CampaignStatus.PAUSED)):
            campaign = Campaign(str(uuid7()), name, "consumer_loan", status, "CN")
            CampaignRepository(session).add(campaign)
            people = [Contact(str(uuid7()), campaign.id, f"+86139000000{n:02}", "") for n in range(3)]
            ContactRepository(session, NumberVault(bytes(32))).add(people, now)
        jobs = JobRepository(session)
        jobs.add("roll_up")
        jobs.add("roll_up", at=now + timedelta(hours=1))
        jobs.add("call", queue=WEBHOOKS)
        jobs.add("call", queue=WEBHOOKS)
        waiting = StandingRepository(session).waiting(now + timedelta(seconds=1))
    assert waiting == {"contacts": 3, "jobs_default": 1, "jobs_slow": 0, "jobs_webhooks": 2}


def test_without_a_line_it_says_what_to_do(database_url: str, tmp_path: Path) -> None:
    assert "voicebot serve" in look(database_url, tmp_path)
