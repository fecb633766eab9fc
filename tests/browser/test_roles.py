"""Roles see what they may see, and nothing else: pages, files, recordings, navigation."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.conftest import Console
from tests.browser.seed import seed
from voicebot.console.sizes import LARGEST_BODY
from voicebot.domain.users import RIGHTS, Right, Role
from voicebot.store.audit import AuditRepository
from voicebot.store.outcomes import OutcomeFilter, OutcomeRepository

pytestmark = pytest.mark.browser

PATHS = {
    "/": None,
    "/account": None,
    "/campaigns": Right.SEE_CAMPAIGNS,
    "/campaigns/new": Right.RUN_CAMPAIGNS,
    "/outcomes": Right.SEE_CALLS,
    "/outcomes.csv": Right.EXPORT,
    "/reports": Right.SEE_REPORTS,
    "/playbooks": Right.SEE_PLAYBOOKS,
    "/playbooks/consumer_loan": Right.SEE_PLAYBOOKS,
    "/playbooks/consumer_loan/edit": Right.EDIT_PLAYBOOKS,
    "/consent": Right.SEE_CONSENT,
    "/users": Right.MANAGE_PEOPLE,
    "/tokens": Right.MANAGE_TOKENS,
    "/audit": Right.SEE_AUDIT,
    "/try": Right.TRY_BOT,
    "/grading": Right.GRADE,
    "/live": Right.SEE_LIVE,
    "/agent": Right.TAKE_CALLS,
    "/webhooks": Right.MANAGE_TOKENS,
}


def test_pages_and_files_open_for_who_may_see_them(console: Console, context: BrowserContext) -> None:
    seed(console.database, console.home, calls=2)
    with console.database.transaction() as session:
        calls = [one.call_id for one in OutcomeRepository(session).find(OutcomeFilter()) if one.recording]
    paths = PATHS | {
        f"/calls/{calls[0]}": Right.SEE_CALLS,
        f"/recordings/{calls[0]}.wav": Right.HEAR_CALLS,
        f"/recordings/{calls[0]}/peaks": Right.HEAR_CALLS,
    }
    for path in paths:
        answer = context.request.get(console.url + path, max_redirects=0)
        assert answer.status in (303, 401), path
    for role in Role:
        context.clear_cookies()
        page = context.new_page()
        page.goto(console.link(console.user(role)))
        page.click("button[type=submit]")
        page.wait_for_selector("main.vb-main")
        for path, right in paths.items():
            allowed = right is None or right in RIGHTS[role]
            assert context.request.get(console.url + path).status == (200 if allowed else 403), (role, path)
        page.close()


def test_the_navigation_offers_only_what_opens(sign_in: Callable[[Role], Page]) -> None:
    page = sign_in(Role.AUDITOR)
    expect(page.get_by_role("link", name="审计日志")).to_be_visible()
    expect(page.get_by_role("link", name="用户")).to_have_count(0)
    page.goto(page.url + "users")
    expect(page.get_by_text("没有权限")).to_be_visible()


def test_an_address_that_leads_nowhere_says_so_in_the_page_s_language(
    console: Console, sign_in: Callable[[Role], Page]
) -> None:
    page = sign_in(Role.MANAGER)
    answer = page.goto(f"{console.url}/nowhere")
    assert answer is not None
    assert answer.status == 404
    expect(page.get_by_role("alert")).to_contain_text("没有这一页")
    page.get_by_role("link", name="返回总览").click()
    expect(page.get_by_text("今日外呼")).to_be_visible()


def test_another_site_can_neither_post_nor_open_a_socket(
    console: Console, sign_in: Callable[[Role], Page]
) -> None:
    request = sign_in(Role.MANAGER).context.request
    foreign = {"Origin": "https://evil.example"}
    assert request.post(f"{console.url}/logout", headers=foreign).status == 403
    assert request.get(f"{console.url}/", headers={"Host": "evil.example"}).status == 421
    policy = request.get(f"{console.url}/").headers["content-security-policy"]
    assert "script-src 'self' 'nonce-" in policy
    assert "'unsafe-inline'" not in policy.split("style-src")[0]


def test_the_audit_log_is_read_and_searched_in_words(
    console: Console, sign_in: Callable[[Role], Page]
) -> None:
    page = sign_in(Role.AUDITOR)
    with console.database.transaction() as session:
        log = AuditRepository(session)
        log.add("li", "reveal_number", "call:7", reason="客户投诉")
        log.add("li", "sign_in", "user:li")
    page.goto(f"{console.url}/audit?actor=li")
    row = page.get_by_role("row", name="客户投诉")
    expect(row).to_contain_text("查看完整号码")
    expect(row).to_contain_text("通话 7")
    page.get_by_label("对象").fill("通话 7")
    page.get_by_role("button", name="查找").click()
    page.wait_for_url("**subject=*")
    expect(page.get_by_role("cell", name="li", exact=True)).to_have_count(1)
    expect(page.get_by_label("对象")).to_have_value("通话 7")


def test_what_is_too_large_is_refused_to_strangers_too(console: Console) -> None:
    for path in ("/login", "/api/v1/campaigns"):
        assert httpx.post(console.url + path, content=b"x" * (LARGEST_BODY + 1)).status_code == 413, path
