"""Pages for everybody: judged by axe-core against WCAG 2.1 AA, reached by the keyboard, on any screen."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.conftest import Console, running
from tests.browser.seed import seed
from tests.conftest import fresh_database
from voicebot.domain.users import Role
from voicebot.store.outcomes import OutcomeFilter, OutcomeRepository
from voicebot.store.users import UserRepository

pytestmark = pytest.mark.browser
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"], "resultTypes": ["violations"]}
PATHS = (
    "/", "/campaigns", "/campaigns/new", "/campaigns/{campaign}", "/campaigns/{campaign}/edit", "/outcomes",
    "/calls/{call}", "/reports", "/playbooks", "/playbooks/consumer_loan", "/playbooks/consumer_loan/edit",
    "/learning", "/consent", "/users", "/tokens", "/webhooks", "/audit", "/account", "/try", "/grading",
    "/live", "/agent",
)  # fmt: skip
SCREENS = ((360, 740), (768, 1024), (1366, 768), (2560, 1440))


@dataclass(frozen=True, slots=True)
class Filled:
    """A console with something on every page."""

    console: Console
    campaign: str
    call: str

    def address(self, path: str) -> str:
        """Return the URL of one of PATHS."""
        return self.console.url + path.format(campaign=self.campaign, call=self.call)


@pytest.fixture(scope="module")
def filled(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Filled]:
    """One console for all pages: nothing here changes it."""
    home: Path = tmp_path_factory.mktemp("filled")
    with fresh_database(postgres) as url, running(url, home) as console:
        campaign = seed(console.database, console.home)
        with console.database.transaction() as session:
            found = OutcomeRepository(session).find(OutcomeFilter())
            [call] = [one.call_id for one in found if one.recording]
        for shade in ("light", "dark"):
            user = console.user(Role.ADMIN, shade)
            with console.database.transaction() as session:
                UserRepository(session).change(user.id, dark=shade == "dark")
        yield Filled(console, campaign, call)


@pytest.fixture
def enter(filled: Filled, context: BrowserContext) -> Callable[[str], Page]:
    """Sign in as one who likes pages light or dark."""

    def sign_in(shade: str) -> Page:
        with filled.console.database.transaction() as session:
            found = UserRepository(session).named(shade)
        assert found is not None
        page = context.new_page()
        page.goto(filled.console.link(found[0]))
        page.click("button[type=submit]")
        page.wait_for_selector("main.vb-main")
        return page

    return sign_in


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
@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("shade", ["light", "dark"])
def test_no_page_breaks_a_rule_of_wcag(
    filled: Filled, enter: Callable[[str], Page], shade: str, path: str
) -> None:
    page = enter(shade)
    settled(page, filled.address(path))
    assert mistakes(page) == []


@pytest.mark.slow
@pytest.mark.parametrize("path", PATHS)
def test_nothing_is_cut_off_on_any_screen(filled: Filled, enter: Callable[[str], Page], path: str) -> None:
    page = enter("light")
    for width, height in SCREENS:
        page.set_viewport_size({"width": width, "height": height})
        settled(page, filled.address(path))
        wider = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wider <= 1, width


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


def test_a_list_is_chosen_by_the_keyboard_and_the_page_stays_readable(
    console: Console, sign_in: Callable[[Role], Page], tmp_path: Path
) -> None:
    campaign = seed(console.database, console.home, calls=1)
    contacts = tmp_path / "名单.csv"
    contacts.write_text("号码\n13800138000\n", "utf-8")
    page = sign_in(Role.MANAGER)
    settled(page, f"{console.url}/campaigns/{campaign}")
    choose = page.get_by_role("button", name="选择文件")
    with page.expect_file_chooser() as chooser:
        choose.press("Enter")  # one step: between focus and key the page may draw itself anew
    chooser.value.set_files(contacts)
    expect(page.get_by_text("新增 1，已有 0，不可用 0")).to_be_visible()
    expect(page.get_by_text("名单.csv ·")).to_be_visible()
    assert mistakes(page) == []
