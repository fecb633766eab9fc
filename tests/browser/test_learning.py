"""Who may train asks for a retraining and moves models, in a real browser."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Console
from voicebot.domain.learning import ModelState
from voicebot.domain.users import Role
from voicebot.ranker.trained import Blend
from voicebot.ranker.versions import BLEND
from voicebot.registry import models
from voicebot.registry.models import Manifest
from voicebot.service import model_registry
from voicebot.settings import Settings
from voicebot.store.jobs import JobRepository
from voicebot.store.model_versions import ModelVersionRepository
from voicebot.store.trainings import TASK

pytestmark = pytest.mark.browser
SLOW_MS = 20_000


def candidate(home: Path) -> Manifest:
    place = home / "candidates" / "ranker" / "9"
    place.mkdir(parents=True)
    Blend("consumer_loan", 1.0, 1.0, 1.0).save(place)
    data = {"playbook": "consumer_loan", "samples": "89"}
    return models.save(place, Manifest("ranker", "9", {BLEND: ""}, data=data))


def test_a_manager_asks_for_a_training_and_makes_its_candidate_live(
    console: Console, sign_in: Callable[[Role], Page]
) -> None:
    settings = Settings(home=console.home)
    manifest = candidate(console.home)
    model_registry.register(
        settings, console.database, manifest, datetime.now(UTC), "li", "better beyond doubt"
    )
    page = sign_in(Role.MANAGER)
    page.get_by_role("link", name="学习").click()
    expect(page.get_by_role("heading", name="学习")).to_be_visible(timeout=SLOW_MS)
    page.get_by_role("button", name="开始训练").click()
    expect(page.get_by_text("等待", exact=True)).to_be_visible(timeout=SLOW_MS)
    with console.database.transaction() as session:
        assert len(JobRepository(session).latest(TASK)) == 1
    page.get_by_role("button", name="上线 ranker-9").click()
    expect(page.get_by_role("button", name="撤回 ranker-9")).to_be_visible(timeout=SLOW_MS)
    assert (console.home / "models" / "ranker" / "9" / BLEND).is_file()
    expect(page.get_by_text("没有被挂断或要求别再打的通话")).to_have_count(0)
    page.reload()
    expect(page.get_by_text("没有被挂断或要求别再打的通话")).to_be_visible(timeout=SLOW_MS)
    page.get_by_role("button", name="撤回 ranker-9").click()
    expect(page.get_by_role("button", name="上线 ranker-9")).to_be_visible(timeout=SLOW_MS)
    with console.database.transaction() as session:
        found = ModelVersionRepository(session).find("ranker", "9")
    assert found is not None
    assert (found.state, found.actor) == (ModelState.RETIRED, "test-manager")


def test_a_supervisor_grades_but_trains_nothing(console: Console, sign_in: Callable[[Role], Page]) -> None:
    page = sign_in(Role.SUPERVISOR)
    expect(page.get_by_role("link", name="学习")).to_have_count(0)
    page.goto(f"{console.url}/learning")
    expect(page.get_by_text("没有权限")).to_be_visible(timeout=SLOW_MS)
