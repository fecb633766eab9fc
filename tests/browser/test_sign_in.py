"""Signing in and out, in a real browser."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.conftest import PASSWORD, Console
from voicebot.domain.users import Role

pytestmark = pytest.mark.browser


def test_the_first_administrator_changes_the_password_that_was_printed(
    console: Console, context: BrowserContext
) -> None:
    page = context.new_page()
    page.goto(console.url)
    page.fill("#name", "admin")
    page.fill("#password", "wrong password")
    page.click("button[type=submit]")
    expect(page.get_by_role("alert")).to_have_text("用户名或密码不对")
    page.fill("#name", "admin")
    page.fill("#password", console.first_password)
    page.click("button[type=submit]")
    expect(page.get_by_text("这是别人给您的初始密码")).to_be_visible()
    page.get_by_label("当前密码").fill(console.first_password)
    page.get_by_label("新密码").fill(PASSWORD)
    page.get_by_label("再输一次").fill(PASSWORD)
    page.get_by_role("button", name="保存").first.click()
    page.wait_for_url("**/login")
    page.fill("#name", "admin")
    page.fill("#password", PASSWORD)
    page.click("button[type=submit]")
    expect(page.get_by_role("heading", name="总览")).to_be_visible()


def test_pages_speak_english_when_asked_and_remember_it(sign_in: Callable[[Role], Page]) -> None:
    page = sign_in(Role.MANAGER)
    expect(page.get_by_role("heading", name="总览")).to_be_visible()
    page.get_by_role("button", name="English").click()
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    page.reload()
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()


def test_signing_out_closes_every_page(sign_in: Callable[[Role], Page], console: Console) -> None:
    page = sign_in(Role.AGENT)
    page.get_by_role("button", name="我的账号").click()
    page.get_by_text("退出登录").click()
    page.wait_for_url("**/login")
    page.goto(f"{console.url}/account")
    page.wait_for_url("**/login?next=/account")


def test_hanzi_are_drawn_with_glyphs_of_their_own(sign_in: Callable[[Role], Page]) -> None:
    page = sign_in(Role.MANAGER)
    # Without a font, every character is the same box; with one, two different hanzi differ in ink.
    ink = page.evaluate(
        """() => ['总', '览', '一'].map(character => {
            const canvas = document.createElement('canvas');
            canvas.width = canvas.height = 40;
            const pen = canvas.getContext('2d');
            pen.font = `32px ${getComputedStyle(document.body).fontFamily}`;
            pen.fillText(character, 2, 34);
            return pen.getImageData(0, 0, 40, 40).data.reduce((sum, value) => sum + value, 0);
        })"""
    )
    assert len(set(ink)) == 3
    assert min(ink) > 0
