"""Calls that come in: the header contract with a PBX, and a clear answer to whatever breaks it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from voicebot.campaign.dialer import call_request
from voicebot.campaign.hopper import Hopper
from voicebot.campaign.inbound import Inbound
from voicebot.domain.call import CallRequest, Direction, Rejection
from voicebot.domain.campaign import Campaign, CampaignStatus, Contact
from voicebot.domain.ids import uuid7
from voicebot.store.campaigns import CampaignRepository
from voicebot.store.contacts import ContactRepository
from voicebot.store.crypto import NumberVault
from voicebot.store.do_not_call import DoNotCallRepository
from voicebot.store.session import Database

pytestmark = pytest.mark.integration

VAULT = NumberVault(bytes(32))


@pytest.fixture
def campaign(database: Database) -> Campaign:
    made = Campaign(
        str(uuid7()), "spring", "loan", CampaignStatus.RUNNING, "SIMULATION", trunk="sip:{number}@127.0.0.1"
    )
    with database.transaction() as session:
        CampaignRepository(session).add(made)
    return made


@pytest.fixture
def contact(database: Database, campaign: Campaign) -> Contact:
    made = Contact(str(uuid7()), campaign.id, "+8613900000000", "Asia/Shanghai", {"surname": "王"})
    with database.transaction() as session:
        ContactRepository(session, VAULT).add([made], datetime.now(UTC))
    return made


def test_a_call_that_we_dialled_through_a_pbx_keeps_its_ids(
    database: Database, campaign: Campaign, contact: Contact
) -> None:
    hopper, now = Hopper(database, VAULT, "dialer"), datetime.now(UTC)
    hopper.claim(campaign, 1, now)
    request = call_request(campaign, contact)
    assert hopper.open(campaign, request, "line-0", now)
    found = Inbound(database, VAULT, "line-0").look_up(request.headers)
    assert isinstance(found, CallRequest)
    assert (found.call_id, found.attempt_id) == (request.call_id, request.attempt_id)
    assert found.slots == {"surname": "王"}


async def test_a_call_that_a_pbx_dialled_gets_an_attempt_and_only_one(
    database: Database, campaign: Campaign, contact: Contact
) -> None:
    inbound = Inbound(database, VAULT, "line-0")
    headers = {"x-campaign-id": campaign.name, "X-CONTACT-ID": contact.id}
    found = await inbound.resolve(headers, "bot")
    assert isinstance(found, CallRequest)
    assert found.direction is Direction.INBOUND
    assert found.attempt_id
    assert inbound.look_up(headers) == Rejection(486, "contact is in another call")
    assert Hopper(database, VAULT, "dialer").claim(campaign, 1, datetime.now(UTC)) == ()


def test_what_breaks_the_contract_gets_a_clear_answer(
    database: Database, campaign: Campaign, contact: Contact
) -> None:
    inbound = Inbound(database, VAULT, "line-0")
    other = str(uuid7())

    def answer(**headers: str) -> tuple[int, str]:
        found = inbound.look_up({f"X-{name}-Id": value for name, value in headers.items()})
        assert isinstance(found, Rejection)
        return found.status, found.reason

    assert answer() == (400, "X-Campaign-Id is missing")
    assert answer(Campaign=campaign.id) == (400, "X-Contact-Id is missing")
    assert answer(Campaign=other, Contact=contact.id) == (404, "X-Campaign-Id is unknown")
    assert answer(Campaign="'; DROP TABLE calls; --", Contact=contact.id) == (404, "X-Campaign-Id is unknown")
    assert answer(Campaign=campaign.id, Contact="17") == (400, "X-Contact-Id is no id")
    assert answer(Campaign=campaign.id, Contact=other) == (404, "X-Contact-Id is unknown")
    assert answer(Campaign=campaign.id, Contact=contact.id, Attempt="1") == (400, "X-Attempt-Id is no id")
    status, reason = answer(Campaign=campaign.id, Contact=contact.id, Attempt=other)
    assert status == 404
    assert "no open attempt" in reason


def test_a_number_on_the_do_not_call_list_is_not_taken(
    database: Database, campaign: Campaign, contact: Contact
) -> None:
    with database.transaction() as session:
        DoNotCallRepository(session, VAULT).add([contact.number], "person", "x", datetime.now(UTC))
    found = Inbound(database, VAULT).look_up({"X-Campaign-Id": campaign.id, "X-Contact-Id": contact.id})
    assert found == Rejection(403, "number is on the do-not-call list")


def test_anybody_may_try_the_bot_where_that_is_configured(database: Database) -> None:
    found = Inbound(database, VAULT, open_playbook="loan").look_up({"From": "sip:me@127.0.0.1"})
    assert isinstance(found, CallRequest)
    assert (found.playbook_id, found.campaign_id, found.attempt_id) == ("loan", "", "")
