"""The REST API about people: agents and the customers they look at, users, the consent of a number."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from tests.browser.seed import seed
from tests.integration.program import NOBODY, campaign, token
from voicebot.campaign.hopper import Hopper
from voicebot.console.auth.passwords import fits
from voicebot.console.house import House
from voicebot.domain.campaign import CampaignStatus
from voicebot.domain.users import Right
from voicebot.store.campaigns import CampaignRepository
from voicebot.store.session import Database
from voicebot.store.user_sessions import UserSessionRepository
from voicebot.store.users import UserRepository

pytestmark = pytest.mark.integration


def preview_campaign(client: TestClient, house: House, headers: dict[str, str]) -> str:
    """A running campaign whose agents look at customers first, with two of them; return its id."""
    simulated = {"policy": "SIMULATION", "trunk": "sip:{number}@127.0.0.1:5099", "mode": "preview"}
    made: str = client.post("/campaigns", json=campaign() | simulated, headers=headers).json()["id"]
    consent = {"scope": "marketing", "evidence": "form-1", "given_at": "2026-01-01T00:00:00+00:00"}
    people = [
        {
            "number": f"1380013800{digit}",
            "zone": "Asia/Shanghai",
            "slots": {"customer": name},
            "consent": consent,
        }
        for digit, name in enumerate(("王先生", "李女士"))
    ]
    client.post(f"/campaigns/{made}/contacts/batch", json={"contacts": people}, headers=headers)
    with house.database.transaction() as session:
        CampaignRepository(session).change(
            made, [CampaignStatus.DRAFT], CampaignStatus.RUNNING, datetime.now(UTC)
        )
    return made


def test_an_agent_of_another_system_looks_at_customers_passes_one_by_and_has_the_other_called(
    client: TestClient, house: House, database: Database
) -> None:
    headers = token(
        database, Right.RUN_CAMPAIGNS, Right.TAKE_CALLS, Right.SEE_LIVE, Right.MANAGE_PEOPLE, Right.SEE_AUDIT
    )
    made = preview_campaign(client, house, headers)
    asked = {"campaign": made}
    assert client.put("/agents/li", json={"ready": True}, headers=headers).status_code == 404
    phone = {"name": "li", "role": "agent", "extension": "sip:li@127.0.0.1:5098"}
    client.post("/users", json=phone, headers=headers)
    ready = client.put("/agents/li", json={"ready": True}, headers=headers).json()
    assert (ready["state"], ready["phone"]) == ("ready", "sip:li@127.0.0.1:5098")
    assert [one["id"] for one in client.get("/agents", headers=headers).json()["items"]] == ["li"]
    assert client.get("/agents/li/call", headers=headers).json() == {"call": None}
    assert client.post("/agents/li/call/hang-up", headers=headers).status_code == 404

    first = client.post("/agents/li/preview", json=asked, headers=headers)
    assert "138001" not in first.text
    customer = first.json()["customer"]
    again = client.post("/agents/li/preview", json=asked, headers=headers).json()["customer"]
    assert again["contact_id"] == customer["contact_id"]
    place = f"/agents/li/preview/{customer['contact_id']}"
    key = headers | {"Idempotency-Key": "skip-1"}
    skipped = client.post(f"{place}/skip", json={"why": "资料不对"}, headers=key)
    assert skipped.json() == {"contact_id": customer["contact_id"], "done": "skip"}
    repeated = client.post(f"{place}/skip", json={"why": "资料不对"}, headers=key)
    assert (repeated.status_code, repeated.headers["idempotency-replayed"]) == (200, "true")
    assert client.post(f"{place}/dial", headers=headers).status_code == 409

    other = client.post("/agents/li/preview", json=asked, headers=headers).json()["customer"]
    assert {customer["slots"]["customer"], other["slots"]["customer"]} == {"王先生", "李女士"}
    client.put("/agents/li", json={"ready": False}, headers=headers)
    place = f"/agents/li/preview/{other['contact_id']}"
    refused = client.post(f"{place}/dial", headers=headers)
    assert (refused.status_code, refused.json()["hint"][:15]) == (409, "switch to ready")
    client.put("/agents/li", json={"ready": True}, headers=headers)
    key = headers | {"Idempotency-Key": "dial-1"}
    assert client.post(f"{place}/dial", headers=key).json()["done"] == "dial"
    assert client.post(f"{place}/dial", headers=key).headers["idempotency-replayed"] == "true"
    with database.transaction() as session:
        found = CampaignRepository(session).find(made)
    [claimed] = Hopper(database, house.vault, "dialer").claim(found, 5, datetime.now(UTC))
    assert (claimed.id, claimed.agent_id) == (other["contact_id"], "li")
    logged = client.get("/audit", headers=headers).json()["items"]
    deeds = [
        (one["actor"], one["action"]) for one in logged if one["subject"].startswith(("contact:", "agent:"))
    ]
    assert deeds == [
        ("token:test", "preview_call"), ("token:test", "agent_ready"), ("token:test", "agent_away"),
        ("token:test", "preview_skip"), ("token:test", "agent_ready"),
    ]  # fmt: skip


def test_what_an_agent_did_with_a_suggestion_is_kept(
    client: TestClient, database: Database, tmp_path: Path
) -> None:
    seed(database, tmp_path, calls=1)
    headers = token(database, Right.TAKE_CALLS, Right.SEE_CALLS)
    call = client.get("/outcomes", headers=headers).json()["items"][0]["call_id"]
    used = {"call_id": call, "seq": 1, "script": "callback_offer", "use": "edited", "text": "我晚点打给您"}
    kept = client.post("/agents/li/suggestions", json=used, headers=headers)
    assert kept.status_code == 201
    listed = client.get(f"/calls/{call}/feedback", headers=headers).json()["items"]
    assert [(one["actor"], one["action"], one["script_id"]) for one in listed] == [
        ("li", "edited", "callback_offer")
    ]


def test_a_user_gets_another_password_and_a_link_that_signs_in_once(
    client: TestClient, house: House, database: Database
) -> None:
    headers = token(database, Right.MANAGE_PEOPLE)
    made = client.post("/users", json={"name": "li", "role": "agent"}, headers=headers).json()
    given = client.post(f"/users/{made['id']}/password", headers=headers).json()["password"]
    with database.transaction() as session:
        known = UserRepository(session).named("li")
    assert known is not None
    assert (fits(given, known[1]), fits(made["password"], known[1])) == (True, False)
    assert known[0].must_change
    path = client.post(f"/users/{made['id']}/link", headers=headers).json()["path"]
    secret, now = path.removeprefix("/login/once/"), datetime.now(UTC)
    with database.transaction() as session:
        redeemed = [UserSessionRepository(session).redeem(secret, now) for _ in range(2)]
    assert [one.name if one else None for one in redeemed] == ["li", None]
    assert client.post(f"/users/{NOBODY}/link", headers=headers).status_code == 404


def test_a_number_tells_on_which_lists_it_stands_and_by_what_consent(
    client: TestClient, house: House, database: Database
) -> None:
    headers = token(database, Right.RUN_CAMPAIGNS, Right.SEE_CONSENT, Right.SEE_AUDIT)
    preview_campaign(client, house, headers)
    found = client.post("/consents/check", json={"number": "13800138000"}, headers=headers)
    [consent] = found.json()["items"]
    assert (consent["campaign"], consent["scope"], consent["evidence"]) == ("spring", "marketing", "form-1")
    [logged] = client.get("/audit", params={"action": "look_up_number"}, headers=headers).json()["items"]
    assert "138001" not in logged["subject"]
    assert client.post("/consents/check", json={"number": "12"}, headers=headers).status_code == 422
