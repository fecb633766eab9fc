"""A rehearsal on one's own phone keeps to the rules that hold for customers."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from voicebot import bootstrap
from voicebot.campaign import do_not_call, management
from voicebot.campaign.hopper import Hopper
from voicebot.domain.campaign import Campaign, CampaignStatus, Mode
from voicebot.domain.errors import DataError
from voicebot.domain.ids import uuid7
from voicebot.service import rehearsal
from voicebot.settings import Settings
from voicebot.store.audit import AuditRepository
from voicebot.store.campaigns import CampaignRepository
from voicebot.store.session import Database
from voicebot.store.workers import LINE, Worker, WorkerRepository

pytestmark = pytest.mark.integration

OWN = "13800138013"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path)


@pytest.fixture
def campaign(database: Database, settings: Settings) -> Campaign:
    """A preview campaign that was not started, and a line that could call."""
    now = datetime.now(UTC)
    made = Campaign(
        str(uuid7()), "spring", "consumer_loan", CampaignStatus.DRAFT, "SIMULATION",
        trunk="sip:{number}@127.0.0.1:5090", mode=Mode.PREVIEW, max_attempts=5,
    )  # fmt: skip
    with database.transaction() as session:
        WorkerRepository(session).beat(
            Worker("line-0", LINE, "127.0.0.1:1", "", 4, 0, now - timedelta(hours=1), now)
        )
    return management.create(database, bootstrap.vault(settings), made, "ann")


def claimed(database: Database, settings: Settings, made: Campaign) -> list[str]:
    hopper = Hopper(database, bootstrap.vault(settings), "dialer")
    with database.transaction() as session:
        running = CampaignRepository(session).find(made.id)
    return [contact.number for contact in hopper.claim(running, 5, datetime.now(UTC))]


def test_one_is_called_once_by_the_bot_and_by_the_campaigns_trunk(
    database: Database, settings: Settings, campaign: Campaign
) -> None:
    made = rehearsal.on_own_phone(settings, database, campaign, OWN, "ann")
    assert (made.rehearses, made.mode, made.trunk) == (campaign.id, Mode.BOT, campaign.trunk)
    assert (made.max_attempts, made.max_calls, made.status) == (1, 1, CampaignStatus.RUNNING)
    assert claimed(database, settings, made) == ["+8613800138013"]
    with database.transaction() as session:
        [entry] = AuditRepository(session).find(action="rehearse")
        assert CampaignRepository(session).find(campaign.id).status is CampaignStatus.DRAFT
    assert (entry.actor, entry.subject) == ("ann", f"campaign:{campaign.id}")


def test_who_is_on_the_do_not_call_list_is_not_called_even_at_the_own_wish(
    database: Database, settings: Settings, campaign: Campaign
) -> None:
    do_not_call.add(database, bootstrap.vault(settings), "+86" + OWN, "asked", "ann", datetime.now(UTC))
    made = rehearsal.on_own_phone(settings, database, campaign, OWN, "ann")
    assert claimed(database, settings, made) == []


def test_a_number_abroad_is_not_called_where_the_rules_are_chinas(
    database: Database, settings: Settings, campaign: Campaign
) -> None:
    real = replace(campaign, policy_pack="CN")
    made = rehearsal.on_own_phone(settings, database, real, "+18005550123", "ann")
    assert claimed(database, settings, made) == []
    with database.transaction() as session:
        assert session.scalars(text("SELECT refusal FROM contacts")).all() == ["region"]


def test_what_is_no_number_is_refused_and_leaves_nothing(
    database: Database, settings: Settings, campaign: Campaign
) -> None:
    with pytest.raises(DataError, match="no telephone number"):
        rehearsal.on_own_phone(settings, database, campaign, "call me", "ann")
    with database.transaction() as session:
        assert CampaignRepository(session).rehearsals(campaign.id) == ()
