"""A real browser (Debian's Chromium, driven by Playwright) and a real console process."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from voicebot.console.auth.passwords import hash_password
from voicebot.domain.users import Role, User
from voicebot.store.session import Database
from voicebot.store.user_sessions import UserSessionRepository
from voicebot.store.users import UserRepository

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PASSWORD = "a long pass phrase"


@pytest.fixture(scope="session")
def chromium() -> str:
    """The browser's program; skips where it is missing."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        pytest.skip(
            "no Chromium: ./run test installs it as root, or: apt-get install chromium fonts-noto-cjk"
        )
    return found


@pytest.fixture(scope="session")
def browser(chromium: str) -> Iterator[Browser]:
    """One headless browser for all tests."""
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=list(FLAGS))
        yield opened
        opened.close()


@dataclass(frozen=True, slots=True)
class Console:
    """A running console."""

    url: str
    home: Path
    database: Database
    first_password: str

    def user(self, role: Role, name: str = "", language: str = "zh") -> User:
        """Add somebody who signs in by `PASSWORD`."""
        with self.database.transaction() as session:
            user = User("", name or f"test-{role.value}", role, language=language)
            return UserRepository(session).add(user, hash_password(PASSWORD))

    def link(self, user: User) -> str:
        """A link that signs a user in once."""
        with self.database.transaction() as session:
            token = UserSessionRepository(session).link(user, datetime.now(UTC))
        return f"{self.url}/login/once/{token}"


@contextmanager
def running(database_url: str, home: Path, **settings: str) -> Iterator[Console]:
    """Run a console as its own process, as the supervisor does."""
    reader, writer = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-m", "voicebot.console"],
        env=os.environ
        | {
            "VOICEBOT_HOME": str(home),
            "VOICEBOT_DATABASE_URL": database_url,
            "VOICEBOT_CONSOLE_PORT": "0",
            "VOICEBOT_READY_FD": str(writer),
        }
        | settings,
        pass_fds=(writer,),
    )
    os.close(writer)
    database = Database(database_url)
    try:
        with os.fdopen(reader) as pipe:
            line = pipe.readline()
        assert line, "the console did not start: see its log above"
        facts = json.loads(line)
        yield Console(facts["url"], home, database, facts["first_password"])
    finally:
        database.dispose()
        process.terminate()
        process.wait(30)


@pytest.fixture
def console(database_url: str, tmp_path: Path) -> Iterator[Console]:
    """A console on an empty database."""
    with running(database_url, tmp_path) as started:
        yield started


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A browser that knows nobody; fails the test on an error in a page's console."""
    opened = browser.new_context(locale="zh-CN", viewport={"width": 1280, "height": 800})
    errors: list[str] = []

    def note(page: Page) -> None:
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda said: errors.append(said.text) if _is_error(said.type, said.text) else None)

    opened.on("page", note)
    opened.set_default_timeout(20_000)
    yield opened
    opened.close()
    assert errors == []


def _is_error(kind: str, text: str) -> bool:
    # An answer such as 401 or 403 is told as an error too; the tests ask for these.
    return kind == "error" and "the server responded with a status" not in text


@pytest.fixture
def sign_in(console: Console, context: BrowserContext) -> Callable[..., Page]:
    """Sign in as a role, by a link, and return the first page."""

    def enter(role: Role, language: str = "zh") -> Page:
        page = context.new_page()
        page.goto(console.link(console.user(role, language=language)))
        page.click("button[type=submit]")
        page.wait_for_selector("main.vb-main")
        return page

    return enter
