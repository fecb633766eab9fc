"""Pictures of the console's pages: `./run screenshots DIR`. They show what is in the data home.

DIR holds them in Chinese and light, DIR/english and DIR/dark the other ways. With --live the whole voicebot
is started, a simulated customer is called, and the live wall and the agent's page are pictured as well.
"""

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
WHOLE = ("call", "reports", "playbook", "learning")  # pictured down to their end
USAGE = "usage: ./run screenshots DIR [--live]     (after ./run demo, so that there is something to see)"


def main() -> None:
    """Take the pictures."""
    words = [word for word in sys.argv[1:] if word != "--live"]
    if len(words) != 1 or words[0].startswith("-"):
        sys.exit(USAGE)
    folder = Path(words[0])
    settings = Settings()
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=shutil.which("chromium"), args=list(FLAGS))
        with bootstrap.database(settings) as url, running(url, settings.home) as console:
            shoot(browser, console, folder)
            shoot(browser, console, folder / "english", language="en")
            shoot(browser, console, folder / "dark", dark=True)
        if "--live" in sys.argv:
            from tests.browser import live_pictures  # it takes its parts from here

            live_pictures.take(browser, settings.home, folder)
        browser.close()


def shoot(
    browser: Browser, console: Console, folder: Path, *, language: str = "zh", dark: bool = False
) -> None:
    """Write a picture of every page."""
    folder.mkdir(parents=True, exist_ok=True)
    campaign, call = _interesting(console.database)
    pages = {
        "home": "/",
        "campaigns": "/campaigns",
        "campaign": f"/campaigns/{campaign}",
        "new-campaign": "/campaigns/new",
        "edit-campaign": f"/campaigns/{campaign}/edit",
        "outcomes": "/outcomes",
        "call": f"/calls/{call}",
        **MORE,
    }
    page = signed_in(browser, console, SCREEN, language=language, dark=dark)
    for name, path in pages.items():
        picture(page, console.url + path, folder / f"{name}.png", full=name in WHOLE)
    phone = signed_in(browser, console, PHONE, language=language, dark=dark)
    for name in ("home", "outcomes", "agent"):
        picture(phone, console.url + pages[name], folder / f"{name}-phone.png")


MORE = {
    "reports": "/reports",
    "playbook": "/playbooks/consumer_loan",
    "playbook-edit": "/playbooks/consumer_loan/edit",
    "learning": "/learning",
    "try": "/try",
    "live": "/live",
    "agent": "/agent",
    "account": "/account",
    "webhooks": "/webhooks",
    "grading": "/grading",
    "consent": "/consent",
    "users": "/users",
    "tokens": "/tokens",
    "audit": "/audit",
}


def picture(page: Page, url: str, file: Path, *, full: bool = False) -> None:
    """Open a page, if a URL is given, and write what it shows once it is still."""
    if url:
        page.goto(url)
        page.wait_for_selector("main.vb-main")
        page.wait_for_load_state("networkidle")
    page.wait_for_timeout(700)  # charts draw after they are mounted
    page.screenshot(path=file, full_page=full)
    sys.stdout.write(f"{file}\n")


def signed_in(
    browser: Browser, console: Console, size: dict[str, int], *, language: str = "zh", dark: bool = False
) -> Page:
    """Return a page of the one whose name stands in the pictures."""
    with console.database.transaction() as session:
        users = UserRepository(session)
        known = users.named(SHOOTER)
        user = known[0] if known else users.add(User("", SHOOTER, Role.ADMIN, "演示"))
        users.change(user.id, language=language, dark=dark)
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
