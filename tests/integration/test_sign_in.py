"""Signing in: passwords, links, limits, and an identity provider over real HTTP."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from joserfc.jwk import RSAKey
from pydantic import SecretStr

from tests.integration.oidc_provider import CLIENT, SECRET, OidcProvider, running_provider
from voicebot.console.auth.cookies import SESSION
from voicebot.console.auth.gate import Gate
from voicebot.console.auth.login import SignIn, local
from voicebot.console.auth.oidc import Provider
from voicebot.console.auth.passwords import hash_password
from voicebot.console.auth.throttle import MOST_BY_NAME
from voicebot.console.house import House
from voicebot.domain.errors import DataError
from voicebot.domain.users import Role, User
from voicebot.settings import Settings
from voicebot.store.session import Database
from voicebot.store.user_sessions import IDLE, UserSessionRepository
from voicebot.store.users import UserRepository

pytestmark = pytest.mark.integration
PASSWORD = "a long pass phrase"


@pytest.fixture
def provider() -> Iterator[OidcProvider]:
    """An identity provider."""
    with running_provider() as started:
        yield started


def client_of(settings: Settings, database: Database) -> TestClient:
    """A browser before the console's doors."""
    house = House(settings, database)
    app = FastAPI()
    sign_in = SignIn(house)
    app.include_router(sign_in.router)
    app.include_router(Provider(house, sign_in).router)
    app.add_middleware(Gate, house=house)
    return TestClient(app, base_url="http://127.0.0.1:8080", follow_redirects=False)


@pytest.fixture
def browser(database: Database, tmp_path: Path) -> TestClient:
    """A browser before a console without a provider."""
    return client_of(Settings(home=tmp_path), database)


def add(database: Database, name: str = "wang", role: Role = Role.MANAGER) -> User:
    """Somebody with a password."""
    with database.transaction() as session:
        return UserRepository(session).add(User("", name, role), hash_password(PASSWORD))


def submit(browser: TestClient, password: str, name: str = "wang", target: str = "/") -> Any:
    """Fill in the form."""
    secret = re.search(r'name="form" value="([^"]+)"', browser.get("/login").text)
    assert secret is not None
    fields = {"name": name, "password": password, "form": secret[1], "next": target}
    return browser.post("/login", data=fields)


def test_a_password_opens_and_a_wrong_one_does_not(browser: TestClient, database: Database) -> None:
    add(database)
    assert submit(browser, "wrong password").status_code == 401
    answer = submit(browser, PASSWORD, target="/outcomes?intent=A")
    assert (answer.status_code, answer.headers["location"]) == (303, "/outcomes?intent=A")
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert browser.post("/logout").headers["location"] == "/login"
    assert SESSION not in browser.cookies


def test_a_form_of_another_site_signs_nobody_in(browser: TestClient, database: Database) -> None:
    add(database)
    browser.get("/login")
    fields = {"name": "wang", "password": PASSWORD, "form": "guessed"}
    assert browser.post("/login", data=fields).status_code == 403


def test_guessing_is_stopped_and_hides_who_exists(browser: TestClient, database: Database) -> None:
    add(database)
    told = {submit(browser, "wrong", name).text.count("用户名或密码不对") for name in ("wang", "nobody")}
    assert told == {1}
    for _ in range(MOST_BY_NAME):
        answer = submit(browser, "wrong password")
    assert answer.status_code == 429
    assert submit(browser, PASSWORD).status_code == 429


def test_a_link_signs_in_once(browser: TestClient, database: Database) -> None:
    user = add(database)
    with database.transaction() as session:
        token = UserSessionRepository(session).link(user, datetime.now(UTC))
    page = browser.get(f"/login/once/{token}")
    secret = re.search(r'name="form" value="([^"]+)"', page.text)
    assert secret is not None
    assert browser.post(f"/login/once/{token}", data={"form": secret[1]}).status_code == 303
    assert browser.post(f"/login/once/{token}", data={"form": secret[1]}).status_code == 401


def test_a_session_ends_when_it_is_not_used_or_its_user_is_disabled(database: Database) -> None:
    user, now = add(database), datetime.now(UTC)
    add(database, "admin", Role.ADMIN)
    with database.transaction() as session:
        sessions = UserSessionRepository(session)
        token = sessions.begin(user, "127.0.0.1", "test", now)
        found = sessions.find(token, now)
        assert found is not None
        assert found.user.name == "wang"
        assert sessions.find(token, now + IDLE + timedelta(seconds=1)) is None
        UserRepository(session).change(user.id, disabled=True)
        assert sessions.find(token, now) is None


def test_the_last_administrator_stays(database: Database) -> None:
    admin = add(database, "admin", Role.ADMIN)
    with database.transaction() as session, pytest.raises(DataError, match="last administrator"):
        UserRepository(session).change(admin.id, role=Role.AGENT.value)


@pytest.mark.parametrize("target", ["https://evil.example", "//evil.example", "/\\evil.example", "evil"])
def test_the_way_on_leads_nowhere_else(target: str) -> None:
    assert local(target) == "/"


def oidc(provider: OidcProvider, database: Database, home: Path) -> TestClient:
    """A browser before a console with a provider."""
    settings = Settings(
        home=home,
        oidc_issuer=provider.issuer,
        oidc_client_id=CLIENT,
        oidc_client_secret=SecretStr(SECRET),
    )
    return client_of(settings, database)


def round_trip(browser: TestClient) -> Any:
    """Go to the provider and come back."""
    there = browser.get("/login/oidc?next=/outcomes")
    back = httpx.get(there.headers["location"])
    assert back.status_code == 303
    return browser.get(back.headers["location"].replace("http://127.0.0.1:8080", ""))


def test_the_provider_signs_in_and_says_the_role(
    provider: OidcProvider, database: Database, tmp_path: Path
) -> None:
    browser = oidc(provider, database, tmp_path)
    assert round_trip(browser).headers["location"] == "/outcomes"
    with database.transaction() as session:
        [user] = UserRepository(session).all()
    assert (user.name, user.role) == ("wang", Role.MANAGER)
    provider.person["voicebot_role"] = "auditor"
    round_trip(oidc(provider, database, tmp_path))
    with database.transaction() as session:
        assert UserRepository(session).get(user.id).role is Role.AUDITOR


def test_who_has_no_role_at_the_provider_stays_outside(
    provider: OidcProvider, database: Database, tmp_path: Path
) -> None:
    del provider.person["voicebot_role"]
    assert round_trip(oidc(provider, database, tmp_path)).headers["location"].endswith("provider_refused")


def test_a_token_signed_by_another_or_for_another_question_is_refused(
    provider: OidcProvider, database: Database, tmp_path: Path
) -> None:
    provider.signing_key = RSAKey.generate_key(2048, {"kid": "1"})
    browser = oidc(provider, database, tmp_path)
    assert round_trip(browser).headers["location"].endswith("provider_failed")
    assert SESSION not in browser.cookies
    forged = browser.get("/login/oidc/done?code=x&state=guessed")
    assert forged.headers["location"].endswith("provider_failed")
