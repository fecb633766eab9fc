"""Grading the turns that teach most, by keys alone."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Console
from tests.browser.seed import seed
from voicebot.domain.users import Role
from voicebot.store.feedback import FeedbackRepository
from voicebot.store.outcomes import OutcomeFilter, OutcomeRepository

pytestmark = pytest.mark.browser


def test_a_turn_is_graded_in_two_keys(console: Console, sign_in: Callable[[Role], Page]) -> None:
    seed(console.database, console.home, calls=1, sure=0.4)
    page = sign_in(Role.SUPERVISOR)
    page.goto(f"{console.url}/grading")
    expect(page.get_by_text("选择没有把握")).to_be_visible()
    expect(page.locator(".vb-judged")).to_be_visible()
    page.keyboard.press("4")
    expect(page.get_by_text("哪句话术更合适？")).to_be_visible()
    page.keyboard.press("1")
    expect(page.get_by_text("已评 1 条")).to_be_visible()
    with console.database.transaction() as session:
        [call] = OutcomeRepository(session).find(OutcomeFilter())
        [given] = FeedbackRepository(session).of_call(call.call_id)
    assert (given.action, given.actor, given.score) == ("差", "test-supervisor", 20)
    assert given.better_script_id
    assert given.better_script_id != given.script_id


def test_what_is_skipped_comes_no_more_and_is_not_graded(
    console: Console, sign_in: Callable[[Role], Page]
) -> None:
    seed(console.database, console.home, calls=1, sure=0.4)
    page = sign_in(Role.SUPERVISOR)
    page.goto(f"{console.url}/grading")
    expect(page.locator(".vb-judged")).to_be_visible()
    page.keyboard.press("0")
    expect(page.get_by_text("没有需要评分的回答了")).to_be_visible()
    with console.database.transaction() as session:
        [call] = OutcomeRepository(session).find(OutcomeFilter())
        assert FeedbackRepository(session).of_call(call.call_id) == ()
