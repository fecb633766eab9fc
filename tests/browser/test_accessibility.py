"""Pages for everybody: judged by axe-core against WCAG 2.1 AA, reached by the keyboard, on any screen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.conftest import Console
from tests.browser.seed import seed
from voicebot.domain.users import Role
from voicebot.store.outcomes import OutcomeFilter, OutcomeRepository
from voicebot.store.users import UserRepository

pytestmark = pytest.mark.browser
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"], "resultTypes": ["violations"]}
PATHS = (
    "/", "/campaigns", "/campaigns/new", "/outcomes", "/reports", "/playbooks", "/playbooks/consumer_loan",
    "/playbooks/consumer_loan/edit", "/consent", "/users", "/tokens", "/webhooks", "/audit", "/account",
    "/try", "/grading", "/live", "/agent",
)  # fmt: skip
SCREENS = ((360, 740), (768, 1024), (1366, 768), (2560, 1440))


def mistakes(page: Page) -> list[str]:
    """What axe finds on a page: the rule, where, and how to mend it."""
    found: list[dict[str, Any]] = Axe().run(page, options=RULES).response["violations"]
    return [
        f"{one['id']}: {node['html'][:160]} {node['failureSummary'][:200]}"
        for one in found
        for node in one["nodes"]
    ]


def settled(page: Page, url: str) -> None:
    """Open a page and wait until its charts are drawn."""
    page.goto(url)
    page.wait_for_selector("main.vb-main")
    page.wait_for_load_state("networkidle")


@pytest.mark.slow
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_no_page_breaks_a_rule_of_wcag(
    console: Console, sign_in: Callable[[Role], Page], *, dark: bool
) -> None:
    campaign = seed(console.database, console.home)
    page = sign_in(Role.ADMIN)
    with console.database.transaction() as session:
        [call] = [one.call_id for one in OutcomeRepository(session).find(OutcomeFilter()) if one.recording]
        found = UserRepository(session).named("test-admin")
        assert found is not None
        UserRepository(session).change(found[0].id, dark=dark)
    wrong: dict[str, list[str]] = {}
    for path in (*PATHS, f"/campaigns/{campaign}", f"/calls/{call}"):
        settled(page, console.url + path)
        if found_here := mistakes(page):
            wrong[path] = found_here
    assert wrong == {}, "\n".join(f"{path}: {one}" for path, found in wrong.items() for one in found)


@pytest.mark.slow
def test_nothing_is_cut_off_on_any_screen(console: Console, sign_in: Callable[[Role], Page]) -> None:
    campaign = seed(console.database, console.home)
    page = sign_in(Role.MANAGER)
    for path in ("/", "/outcomes", f"/campaigns/{campaign}", "/reports"):
        for width, height in SCREENS:
            page.set_viewport_size({"width": width, "height": height})
            settled(page, console.url + path)
            wider = page.evaluate(
                "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            )
            assert wider <= 1, (path, width)


def test_the_keyboard_alone_finds_and_opens_a_call(console: Console, sign_in: Callable[[Role], Page]) -> None:
    seed(console.database, console.home, calls=2)
    page = sign_in(Role.MANAGER)
    settled(page, f"{console.url}/outcomes")
    page.keyboard.press("Tab")
    expect(page.get_by_text("跳到正文")).to_be_focused()
    page.keyboard.press("Enter")
    first = page.locator("tbody a").first
    for _ in range(40):
        page.keyboard.press("Tab")
        if first.evaluate("link => link === document.activeElement"):
            break
    expect(first).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="通话 ")).to_be_visible()
