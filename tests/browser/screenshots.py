"""Pictures of the console's main pages: `./run screenshots DIR`. They show what is in the data home."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser.conftest import FLAGS, Console, running
from voicebot import bootstrap
from voicebot.domain.call import Disposition
from voicebot.domain.users import Role, User
from voicebot.settings import Settings
from voicebot.store.campaigns import CampaignRepository
from voicebot.store.outcomes import OutcomeFilter, OutcomeRepository
from voicebot.store.session import Database
from voicebot.store.users import UserRepository

SCREEN = {"width": 1366, "height": 900}
PHONE = {"width": 390, "height": 844}
SHOOTER = "screenshots"


def main() -> None:
    """Take the pictures."""
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        sys.exit("usage: ./run screenshots DIR     (after ./run demo, so that there is something to see)")
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    settings = Settings()
    with (
        bootstrap.database(settings) as url,
        running(url, settings.home) as console,
        sync_playwright() as play,
    ):
        browser = play.chromium.launch(executable_path=shutil.which("chromium"), args=list(FLAGS))
        shoot(browser, console, folder)
        browser.close()


def shoot(browser: Browser, console: Console, folder: Path) -> None:
    """Write a picture of every main page."""
    campaign, call = _interesting(console.database)
    pages = {
        "home": "/",
        "campaigns": "/campaigns",
        "campaign": f"/campaigns/{campaign}",
        "new-campaign": "/campaigns/new",
        "outcomes": "/outcomes",
        "call": f"/calls/{call}",
        **MORE,
    }
    page = _signed_in(browser, console, SCREEN)
    for name, path in pages.items():
        _picture(page, console.url + path, folder / f"{name}.png", full=name in ("call", "reports"))
    phone = _signed_in(browser, console, PHONE)
    for name in ("home", "outcomes"):
        _picture(phone, console.url + pages[name], folder / f"{name}-phone.png", full=False)


MORE = {
    "reports": "/reports",
    "playbook": "/playbooks/consumer_loan",
    "playbook-edit": "/playbooks/consumer_loan/edit",
    "try": "/try",
    "grading": "/grading",
    "consent": "/consent",
    "users": "/users",
    "tokens": "/tokens",
    "audit": "/audit",
}


def _picture(page: Page, url: str, file: Path, *, full: bool) -> None:
    page.goto(url)
    page.wait_for_selector("main.vb-main")
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(700)  # charts draw after they are mounted
    page.screenshot(path=file, full_page=full)
    sys.stdout.write(f"{file}\n")


def _signed_in(browser: Browser, console: Console, size: dict[str, int]) -> Page:
    with console.database.transaction() as session:
        users = UserRepository(session)
        known = users.named(SHOOTER)
        user = known[0] if known else users.add(User("", SHOOTER, Role.ADMIN, "演示"))
    page = browser.new_context(locale="zh-CN", viewport=size).new_page()  # type: ignore[arg-type]
    page.goto(console.link(user))
    page.click("button[type=submit]")
    page.wait_for_selector("main.vb-main")
    return page


def _interesting(database: Database) -> tuple[str, str]:
    """Return the newest campaign, and its call with the most turns."""
    with database.transaction() as session:
        campaigns = CampaignRepository(session).all()
        if not campaigns:
            sys.exit("there is nothing to see yet: ./run demo first")
        outcomes = list(OutcomeRepository(session).find(OutcomeFilter(campaign_id=campaigns[-1].id)))
    if not outcomes:
        sys.exit("the newest campaign has no calls yet")
    best = [outcome for outcome in outcomes if outcome.disposition == Disposition.INTERESTED.value]
    return campaigns[-1].id, max(best or outcomes, key=lambda outcome: outcome.turns).call_id


if __name__ == "__main__":
    main()
