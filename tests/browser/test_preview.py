"""An agent looks at a customer, passes one by, and has the next called."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Console
from voicebot.campaign.hopper import Hopper
from voicebot.domain.campaign import Campaign, CampaignStatus, Consent, Contact, Mode
from voicebot.domain.ids import uuid7
from voicebot.domain.users import Role
from voicebot.store.audit import AuditRepository
from voicebot.store.campaigns import CampaignRepository
from voicebot.store.contacts import ContactRepository
from voicebot.store.crypto import NumberVault, load_or_create_key
from voicebot.store.users import UserRepository

pytestmark = pytest.mark.browser


@pytest.fixture
def campaign(console: Console) -> Campaign:
    """A preview campaign with two customers, in nobody's night."""
    now = datetime.now(UTC)
    made = Campaign(
        str(uuid7()), "老客户回访", "consumer_loan", CampaignStatus.DRAFT, "SIMULATION",
        trunk="sip:{number}@127.0.0.1:5099", mode=Mode.PREVIEW,
    )  # fmt: skip
    consent = Consent("marketing", "form-1", now - timedelta(days=3))
    people = [
        Contact(str(uuid7()), made.id, f"+9991234000{index}", "Asia/Shanghai", {"customer": name}, consent)
        for index, name in enumerate(("王先生", "李女士"), 1)
    ]
    vault = NumberVault(load_or_create_key(console.home / "number.key"))
    with console.database.transaction() as session:
        campaigns = CampaignRepository(session)
        campaigns.add(made)
        ContactRepository(session, vault).add(people, now)
        campaigns.change(made.id, [CampaignStatus.DRAFT], CampaignStatus.RUNNING, now)
        return campaigns.find(made.id)


def test_an_agent_sees_who_comes_next_passes_one_by_and_has_the_other_called(
    console: Console, campaign: Campaign, sign_in: Callable[[Role], Page]
) -> None:
    page = sign_in(Role.AGENT)
    with console.database.transaction() as session:
        user = UserRepository(session).named("test-agent")
        assert user is not None
        UserRepository(session).change(user[0].id, extension="sip:eve@127.0.0.1:5099")
    page.goto(f"{console.url}/agent")
    page.get_by_role("button", name="看下一位").click()
    card = page.locator("[data-preview]")
    expect(card.get_by_text("+999****000")).to_be_visible()
    assert "1234000" not in page.content()
    first, other = ("王先生", "李女士") if card.get_by_text("王先生").count() else ("李女士", "王先生")
    expect(card.get_by_text(first)).to_be_visible()
    card.get_by_role("button", name="呼叫").click()
    expect(page.get_by_text("请先打开“就绪”")).to_be_visible()
    card.get_by_role("button", name="跳过").click()
    page.get_by_label("资料不对").click()
    page.get_by_label("说明").fill("已经离职")
    page.get_by_role("dialog").get_by_role("button", name="跳过").click()
    expect(card.get_by_text(other)).to_be_visible()
    page.get_by_role("switch", name="就绪").click()
    page.wait_for_timeout(500)
    card.get_by_role("button", name="呼叫").click()
    expect(card.get_by_text("正在呼叫")).to_be_visible()

    vault = NumberVault(load_or_create_key(console.home / "number.key"))
    claimed = Hopper(console.database, vault, "dialer").claim(campaign, 5, datetime.now(UTC))
    assert [(one.slots["customer"], one.agent_id) for one in claimed] == [(other, "test-agent")]
    with console.database.transaction() as session:
        [skipped] = AuditRepository(session).find(action="preview_skip")
    assert skipped.detail == {"why": "资料不对：已经离职"}


def test_no_card_stands_on_the_screen_where_no_preview_campaign_runs(
    console: Console, sign_in: Callable[[Role], Page]
) -> None:
    page = sign_in(Role.AGENT)
    page.goto(f"{console.url}/agent")
    expect(page.get_by_text("等待来电")).to_be_visible()
    expect(page.get_by_role("button", name="看下一位")).to_have_count(0)
