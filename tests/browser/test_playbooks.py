"""Editing a playbook: what is wrong is told, what changed is shown, older versions come back."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Console
from voicebot.domain.users import Role
from voicebot.store.playbooks import PlaybookRepository

pytestmark = pytest.mark.browser
SLOW_MS = 30_000


def test_a_playbook_is_edited_checked_compared_and_taken_back(
    console: Console, sign_in: Callable[[Role], Page]
) -> None:
    page = sign_in(Role.MANAGER)
    page.goto(f"{console.url}/playbooks/consumer_loan/edit")
    page.locator(".cm-content").click()
    page.keyboard.press("Control+Home")
    page.keyboard.type("# mine\n")
    page.get_by_role("button", name="对比").click()
    expect(page.locator(".vb-diff .add").last).to_have_text("+# mine")
    page.get_by_role("button", name="检查").click()
    expect(page.get_by_text("✓ consumer_loan")).to_be_visible(timeout=SLOW_MS)
    page.get_by_role("button", name="保存").click()
    expect(page.get_by_text("已保存")).to_be_visible(timeout=SLOW_MS)
    assert (console.home / "playbooks" / "consumer_loan.yaml").read_text("utf-8").startswith("# mine\n")
    with console.database.transaction() as session:
        kept, *_ = PlaybookRepository(session).versions("consumer_loan")  # the newest; what held is kept too
    page.locator(".cm-content").click()
    page.keyboard.press("Control+Home")
    page.keyboard.type("nonsense: [\n")
    page.get_by_role("button", name="检查").click()
    expect(page.locator("[role=status] .vb-bad")).to_have_text(
        re.compile("^第 [0-9]+ 行不是正确的 YAML"), timeout=SLOW_MS
    )
    page.reload()
    page.get_by_label("与哪个版本").click()
    page.get_by_role("option", name=kept.version).click()
    page.get_by_role("button", name="取回这个版本").click()
    expect(page.get_by_text("✓ consumer_loan")).to_be_visible(timeout=SLOW_MS)
