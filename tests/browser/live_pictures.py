"""What only a running call shows: the live wall, and the agent's page before and after a takeover.

The whole voicebot runs; a simulated customer is called, and a second phone answers as the agent's.
"""

from __future__ import annotations

import json
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from playwright.sync_api import Browser, Page, expect

from tests.browser import screenshots
from tests.browser.conftest import Console
from tests.browser.programs import voicebot
from voicebot import bootstrap
from voicebot.domain.campaign import Campaign, CampaignStatus, Consent, Contact
from voicebot.domain.ids import uuid7
from voicebot.domain.users import Role, User
from voicebot.settings import Settings
from voicebot.store.campaigns import CampaignRepository
from voicebot.store.contacts import ContactRepository
from voicebot.store.crypto import NumberVault
from voicebot.store.session import Database
from voicebot.store.users import UserRepository

CUSTOMER = "price"  # finds the interest too high; goes on talking with whom answers
AGENT = "lixiao"
_PHONE = """
- id: human_agent
  title: 人工坐席
  number: "8100"
  role: agent
  voice: zf_xiaobei
  answer: {status: 200, after_s: 6}
  patience_s: 600
  turns:
    - now: true
      say: 您好，这里是人工客服，请问有什么可以帮您？
"""
CALL_MS = 180_000


def take(browser: Browser, home: Path, folder: Path) -> None:
    """Call the customer and take the pictures."""
    settings = Settings()
    with tempfile.TemporaryDirectory() as kept:
        people = Path(kept, "agent.yaml")
        people.write_text(_PHONE, "utf-8")
        with (
            voicebot(home, "serve") as bot,
            voicebot(home, "simulate", "--sip-port", "0", "--only", CUSTOMER) as customer,
            voicebot(
                home, "simulate", "--sip-port", "0", "--rtp-port", "26000", "--personas", str(people)
            ) as phone,
            bootstrap.database(settings) as url,
        ):
            address = bot.said(r"console (http://\S+)")
            bot.said("(ready; Ctrl-C)")
            console = Console(address, home, Database(url), "")
            at = json.loads(phone.said(r"(\{.*sip_uri.*\})"))["sip_uri"].rpartition("@")[2]
            agent = _agent(console, f"sip:8100@{at}")
            at = json.loads(customer.said(r"(\{.*sip_uri.*\})"))["sip_uri"].rpartition("@")[2]
            _pictures(browser, console, agent, f"sip:{{number}}@{at}", folder)
            console.database.dispose()


def _pictures(browser: Browser, console: Console, agent: User, trunk: str, folder: Path) -> None:
    wall = screenshots.signed_in(browser, console, screenshots.SCREEN)
    desk = _page(browser, console, agent, screenshots.SCREEN)
    small = _page(browser, console, agent, screenshots.PHONE)
    desk.get_by_role("switch").click()
    wall.goto(f"{console.url}/live")
    campaign = _campaign(console.database, trunk)
    try:
        wall.get_by_text("利息").first.wait_for(timeout=CALL_MS)
        screenshots.picture(wall, "", folder / "live.png")
        wall.get_by_role("button", name="转人工").click()
        expect(desk.get_by_text("来电：").first).to_be_visible(timeout=CALL_MS)
        screenshots.picture(desk, "", folder / "agent-call.png")
        screenshots.picture(small, "", folder / "agent-call-phone.png")
        desk.locator("[data-suggestion]").first.wait_for(timeout=CALL_MS)
        screenshots.picture(desk, "", folder / "agent-suggestions.png")
        screenshots.picture(small, "", folder / "agent-suggestions-phone.png", full=True)
        screenshots.picture(wall, "", folder / "live-agent.png")
        desk.get_by_role("button", name="挂断").click()
    finally:
        with console.database.transaction() as session:
            going = [CampaignStatus.RUNNING]
            CampaignRepository(session).change(campaign, going, CampaignStatus.STOPPED, datetime.now(UTC))


def _page(browser: Browser, console: Console, user: User, size: dict[str, int]) -> Page:
    page = browser.new_context(locale="zh-CN", viewport=size).new_page()  # type: ignore[arg-type]
    page.goto(console.link(user))
    page.click("button[type=submit]")
    page.wait_for_selector("main.vb-main")
    page.goto(f"{console.url}/agent")
    page.wait_for_selector("main.vb-main")
    return page


def _agent(console: Console, extension: str) -> User:
    with console.database.transaction() as session:
        users = UserRepository(session)
        known = users.named(AGENT)
        user = known[0] if known else users.add(User("", AGENT, Role.AGENT, "李晓"))
        return users.change(user.id, extension=extension)


def _campaign(database: Database, trunk: str) -> str:
    """Start a campaign with the one customer; return its id."""
    now = datetime.now(UTC)
    made = Campaign(
        str(uuid7()), f"演示 {now:%H:%M:%S}", "consumer_loan", CampaignStatus.DRAFT, "SIMULATION", trunk=trunk
    )
    consent = Consent("marketing", "demo", now - timedelta(days=1))
    contact = Contact(str(uuid7()), made.id, "+99912348003", "Asia/Shanghai", {"customer": "王先生"}, consent)
    vault: NumberVault = bootstrap.vault(Settings())
    with database.transaction() as session:
        campaigns = CampaignRepository(session)
        campaigns.add(made)
        ContactRepository(session, vault).add([contact], now)
        campaigns.change(made.id, [CampaignStatus.DRAFT], CampaignStatus.RUNNING, now)
    return made.id
