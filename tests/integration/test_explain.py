"""Why a contact is not called, or when: told by one look at the database, and true of the hopper."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text

from voicebot.campaign import do_not_call, trunks
from voicebot.campaign.dialer import call_request
from voicebot.campaign.explain import Explanation, explain
from voicebot.campaign.hopper import Hopper
from voicebot.domain.campaign import Campaign, CampaignStatus, Consent, Contact
from voicebot.domain.ids import uuid7
from voicebot.domain.trunk import Trunk
from voicebot.store.campaigns import CampaignRepository
from voicebot.store.contacts import ContactRepository
from voicebot.store.crypto import NumberVault
from voicebot.store.session import Database
from voicebot.store.workers import LINE, Worker, WorkerRepository

pytestmark = pytest.mark.integration

VAULT = NumberVault(bytes(32))
SHANGHAI = ZoneInfo("Asia/Shanghai")
NOW = datetime(2026, 11, 23, 10, 0, tzinfo=SHANGHAI).astimezone(UTC)  # a Monday, inside the hours
NIGHT = datetime(2026, 11, 23, 21, 0, tzinfo=SHANGHAI).astimezone(UTC)
MORNING = datetime(2026, 11, 24, 9, 0, tzinfo=SHANGHAI)
CONSENT = Consent("marketing", "form 17", NOW - timedelta(days=30))


@pytest.fixture
def campaign(database: Database) -> Campaign:
    trunks.save(database, VAULT, Trunk("gw", "gateway.example", ("+86",)), "ann")
    made = Campaign(str(uuid7()), "spring", "loan", CampaignStatus.RUNNING, "CN", trunk="gw")
    contact = Contact(str(uuid7()), made.id, "+8613900000001", "Asia/Shanghai", consent=CONSENT)
    with database.transaction() as session:
        CampaignRepository(session).add(made)
        ContactRepository(session, VAULT).add([contact], NOW - timedelta(hours=1))
        WorkerRepository(session).beat(
            Worker("line-0", LINE, "127.0.0.1:1", "", 4, 0, NOW - timedelta(days=9), NOW)
        )
    return made


def change(database: Database, statement: str, **values: object) -> None:
    with database.transaction() as session:
        session.execute(text(statement), values)


def look(database: Database, now: datetime = NOW) -> Explanation:
    return explain(database, VAULT, "13900000001", now, "spring")


def claimed(database: Database, campaign: Campaign, now: datetime) -> bool:
    with database.transaction() as session:
        fresh = CampaignRepository(session).find(campaign.id)
    return bool(Hopper(database, VAULT, "dialer").claim(fresh, 1, now))


def stale_list(database: Database, folder: Path) -> None:
    file = folder / "list.txt"
    file.write_text("13900000009")
    do_not_call.load(
        database, VAULT, "partner", file, "ann", as_of=NOW - timedelta(days=8), max_age_days=7, now=NOW
    )


def unknown_attempt(database: Database, campaign: Campaign, folder: Path) -> None:
    """Another campaign's call to the number whose worker died."""
    other = replace(campaign, id=str(uuid7()), name="autumn")
    contact = Contact(str(uuid7()), other.id, "+8613900000001", "Asia/Shanghai", consent=CONSENT)
    before = NOW - timedelta(days=3)
    with database.transaction() as session:
        CampaignRepository(session).add(other)
        ContactRepository(session, VAULT).add([contact], before)
    hopper = Hopper(database, VAULT, "dialer")
    hopper.claim(other, 1, before)
    request = call_request(other, contact, Trunk("gw", "gateway.example", ("+86",)))
    assert hopper.open(other, request, "line-0", before)
    hopper.lose(request)


def unreplayed_spool(database: Database, campaign: Campaign, folder: Path) -> None:
    unknown_attempt(database, campaign, folder)
    change(database, "UPDATE call_attempts SET status = 'ended', cause = 'busy'")
    change(database, "UPDATE workers SET spool_pending = 2")


Spoil = Callable[[Database, Campaign, Path], None]


@pytest.mark.parametrize(
    ("spoil", "condition"),
    [
        (lambda database, campaign, folder: stale_list(database, folder), "partner 已过期"),
        (unknown_attempt, "结果未知"),
        (unreplayed_spool, "line-0"),
        (
            lambda database, campaign, folder: change(database, "UPDATE campaigns SET held = '线路故障'"),
            "线路故障",
        ),
    ],
)
def test_what_no_clock_ends_is_named_and_the_time_after_it_is_inside_the_hours(
    database: Database, campaign: Campaign, tmp_path: Path, spoil: Spoil, condition: str
) -> None:
    spoil(database, campaign, tmp_path)
    day, night = look(database), look(database, NIGHT)
    for found in (day, night):
        assert not found.may_call
        assert condition in " ".join(found.conditions)
        assert condition in found.reasons[0]
    assert day.at == NOW
    assert night.at == MORNING, "not ten minutes later: that is at night"


@pytest.mark.parametrize(
    ("statement", "condition"),
    [
        ("UPDATE campaigns SET status = 'paused'", "paused"),
        ("UPDATE campaigns SET status = 'draft'", "draft"),
        ("UPDATE trunks SET enabled = false", "停用"),
        ("UPDATE contacts SET agent_id = '*'", "没有就绪的坐席"),
        ("UPDATE campaigns SET mode = 'preview'", "预览"),
    ],
)
def test_what_a_person_must_do_first_is_named(
    database: Database, campaign: Campaign, statement: str, condition: str
) -> None:
    change(database, statement)
    found = look(database)
    assert (found.may_call, found.at) == (False, NOW)
    assert condition in found.conditions[0]


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("UPDATE contacts SET zone = ''", "时区"),
        ("UPDATE contacts SET consent_scope = NULL", "同意"),
        ("UPDATE contacts SET consent_expires_at = '2026-11-23 01:00+00'", "过期"),
        ("UPDATE contacts SET attempts = 3", "上限"),
        ("UPDATE contacts SET status = 'done'", "已完成"),
        ("UPDATE campaigns SET status = 'stopped'", "stopped"),
        ("UPDATE campaigns SET hours = 'sun 09:00-10:00'", "没有允许"),
        ("UPDATE trunks SET prefixes = '[\"+1\"]'", "号段"),
    ],
)
def test_what_forbids_a_call_for_good_is_told_also_while_a_list_is_too_old(
    database: Database, campaign: Campaign, tmp_path: Path, statement: str, reason: str
) -> None:
    stale_list(database, tmp_path)
    change(database, statement)
    found = look(database)
    assert (found.may_call, found.at) == (False, None)
    assert reason in " ".join(found.reasons)


def test_a_call_under_way_is_told_and_no_time_is_made_up(database: Database, campaign: Campaign) -> None:
    hopper = Hopper(database, VAULT, "dialer")
    (contact,) = hopper.claim(campaign, 1, NOW)
    request = call_request(campaign, contact, Trunk("gw", "gateway.example", ("+86",)))
    assert hopper.open(campaign, request, "line-0", NOW)
    found = look(database, NOW + timedelta(seconds=10))
    assert (found.may_call, found.at) == (False, None)
    assert "还没有结算" in found.conditions[0]


@pytest.mark.parametrize(
    ("statement", "now"),
    [
        ("UPDATE contacts SET zone = 'Asia/Shanghai'", NOW),
        ("UPDATE contacts SET zone = 'Asia/Shanghai'", NIGHT),
        ("UPDATE contacts SET zone = 'America/New_York'", NOW),
        ("UPDATE contacts SET next_at = '2026-11-23 11:59+00'", NOW),
        ("UPDATE contacts SET next_at = '2026-11-23 12:01+00'", NOW),
        ("UPDATE campaigns SET hours = 'fri 10:00-11:00'", NOW),
        ("UPDATE campaigns SET starts_at = '2026-11-27 13:00+00'", NOW),
    ],
)
def test_the_hopper_gives_the_contact_out_at_the_time_that_is_named_and_not_before(
    database: Database, campaign: Campaign, statement: str, now: datetime
) -> None:
    change(database, statement)
    found = look(database, now)
    assert found.at is not None
    assert found.conditions == ()
    pacing = Hopper(database, VAULT, "dialer").pacing
    with database.transaction() as session:
        fresh = CampaignRepository(session).find(campaign.id)
    if found.at > now:
        before = found.at - timedelta(seconds=1)
        assert not (pacing.may_call(fresh, before) and claimed(database, campaign, before))
    assert pacing.may_call(fresh, found.at)
    assert claimed(database, campaign, found.at)


def test_a_campaign_that_ends_before_the_next_hours_calls_nobody(
    database: Database, campaign: Campaign
) -> None:
    change(database, "UPDATE campaigns SET ends_at = '2026-11-23 14:00+00'")
    assert look(database).at == NOW
    assert look(database, NIGHT).at is None
    assert "结束" in look(database, NIGHT).reasons[-1]
