"""Calls that come in: the header contract with a PBX, and a clear answer to whatever breaks it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from tests.integration.scripted import Line, Server
from tests.integration.telephone import Telephone
from tests.integration.test_line_worker import until
from voicebot.call.events import SessionConfig
from voicebot.call.journal import PostgresJournal
from voicebot.call.prompts import PromptMemory
from voicebot.call.worker import LineWorker
from voicebot.campaign.callers import numbers
from voicebot.campaign.dialer import call_request
from voicebot.campaign.hopper import Hopper
from voicebot.campaign.inbound import Inbound
from voicebot.domain.call import CallRequest, Direction, Disposition, Rejection
from voicebot.domain.campaign import Campaign, CampaignStatus, Contact, ContactStatus
from voicebot.domain.ids import uuid7
from voicebot.domain.script import Action
from voicebot.domain.trunk import Trunk
from voicebot.store.attempts import AttemptRepository
from voicebot.store.campaigns import CampaignRepository
from voicebot.store.contacts import ContactRepository
from voicebot.store.crypto import NumberVault
from voicebot.store.do_not_call import DoNotCallRepository
from voicebot.store.session import Database
from voicebot.store.trunks import TrunkRepository
from voicebot.telephony import UserAgentConfig

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
    assert answer(Campaign="春\ufffd" * 200, Contact=contact.id) == (404, "X-Campaign-Id is unknown")
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


TRUNK = Trunk("carrier", "127.0.0.1:5070", ("+86",), caller_ids=("+862088888888",))
HEARD = {"From": '"x" <sip:02088880000@10.0.0.5>;tag=1', "P-Asserted-Identity": "<sip:13900000000@10.0.0.5>"}


def call_back(
    database: Database, headers: Mapping[str, str], called: str, source: str = "127.0.0.1:5062"
) -> Any:
    """Return the call of an INVITE from a peer."""
    with database.transaction() as session:
        TrunkRepository(session, VAULT).save(TRUNK)
    return Inbound(database, VAULT, "line-0", trusted_peers=["10.0.0.0/24"]).look_up(headers, called, source)


def test_who_calls_back_is_known_by_number_and_gets_the_campaign_that_called(
    database: Database, campaign: Campaign, contact: Contact
) -> None:
    hopper, now = Hopper(database, VAULT, "dialer"), datetime.now(UTC)
    hopper.claim(campaign, 1, now)
    request = call_request(campaign, contact)
    assert hopper.open(campaign, request, "line-0", now)
    assert call_back(database, HEARD, "02088888888") == Rejection(486, "contact is in another call")
    ended(database)
    other = replace(campaign, id=str(uuid7()), name="autumn", playbook_id="other")
    with database.transaction() as session:
        CampaignRepository(session).add(other)
        ContactRepository(session, VAULT).add([replace(contact, id=str(uuid7()), campaign_id=other.id)], now)
    found = call_back(database, HEARD, "02088888888")
    assert isinstance(found, CallRequest)
    assert (found.contact_id, found.campaign_id, found.playbook_id) == (contact.id, campaign.id, "loan")
    assert found.slots == {"surname": "王"}
    with database.transaction() as session:
        (_, inbound) = AttemptRepository(session, VAULT).calls(contact.number)
    assert (inbound.attempt_id, inbound.direction, inbound.status) == (found.attempt_id, "inbound", "open")


def test_a_callers_number_is_believed_of_trusted_peers_only(
    database: Database, campaign: Campaign, contact: Contact
) -> None:
    found = call_back(database, HEARD, "02088888888", "10.0.0.7:5060")
    assert isinstance(found, CallRequest)
    assert found.contact_id == contact.id
    assert call_back(database, HEARD, "02088888888", "10.0.1.7:5060") == Rejection(
        400, "X-Campaign-Id is missing"
    )


def test_an_unknown_caller_gets_the_campaign_of_the_number_that_was_dialled(
    database: Database, campaign: Campaign, contact: Contact
) -> None:
    with database.transaction() as session:
        for name, shown, status in (
            ("red", "+862088888888", CampaignStatus.RUNNING),
            ("blue", "02066666666", CampaignStatus.FINISHED),
            ("draft", "+862066666666", CampaignStatus.DRAFT),
        ):
            made = replace(campaign, id=str(uuid7()), name=name, playbook_id=name, caller_id=shown)
            CampaignRepository(session).add(replace(made, status=status))
    stranger = {"from": "<sip:+8613911112222@c>;tag=1"}
    for called, playbook in (("+862088888888", "red"), ("862066666666", "blue")):
        found = call_back(database, stranger, called)
        assert isinstance(found, CallRequest)
        assert (found.playbook_id, found.contact_id, found.attempt_id) == (playbook, "", "")
    withheld = {"from": "<sip:anonymous@anonymous.invalid>", "to": "<sip:02066666666@us>"}
    found = call_back(database, withheld, "4008")
    assert isinstance(found, CallRequest)
    assert found.playbook_id == "blue", "a registered trunk calls its account; the number stands in To"
    assert isinstance(call_back(database, stranger, "02011112222"), Rejection)


def test_who_wants_no_calls_is_not_talked_into_anything_when_calling(
    database: Database, campaign: Campaign, contact: Contact
) -> None:
    with database.transaction() as session:
        DoNotCallRepository(session, VAULT).add([contact.number], "person", "x", datetime.now(UTC))
    assert call_back(database, HEARD, "1") == Rejection(403, "number is on the do-not-call list")


def ended(database: Database) -> None:
    with database.transaction() as session:
        session.execute(text("UPDATE call_attempts SET status = 'ended', cause = 'no_answer'"))


async def test_a_customer_calls_back_over_sip_and_what_came_of_it_is_the_campaigns(
    database: Database, campaign: Campaign, contact: Contact, tmp_path: Path
) -> None:
    """The caller's number is in From, the peer is trusted by its address; the call is the contact's."""
    journal = PostgresJournal(database, tmp_path / "spool", "w-1")
    inbound = Inbound(database, VAULT, "w-1", trusted_peers=["127.0.0.1"])
    config = SessionConfig(
        "w-1", Server([Line(700, 300, Action.HANG_UP)]).conversation, journal, PromptMemory()
    )
    worker = LineWorker(UserAgentConfig(sip_port=0, rtp_port=0), config, inbound.resolve)
    phone = await asyncio.to_thread(Telephone)
    await worker.start()
    try:
        host = worker.sip_uri.partition("@")[2]
        phone.do("call", uri=f"sip:02088888888@{host}", caller="sip:13900000000@127.0.0.1")
        await until(lambda: outcomes(database))
    finally:
        await worker.stop()
        phone.close()
        journal.close()
    (outcome,) = outcomes(database)
    assert outcome == ("undecided", contact.id, campaign.id, "inbound", "ended", True)
    assert Hopper(database, VAULT, "dialer").settle(campaign) == 1
    with database.transaction() as session:
        assert ContactRepository(session, VAULT).state(contact.id).status is ContactStatus.DONE
        funnel = CampaignRepository(session).progress(campaign.id).dispositions
    assert funnel == {"undecided": 1}


def outcomes(database: Database) -> list[tuple[Any, ...]]:
    query = """
        SELECT o.disposition, o.contact_id::text, o.campaign_id::text, a.direction, a.status,
          a.answered_at IS NOT NULL
        FROM outcomes o JOIN call_attempts a ON a.call_id = o.call_id
    """
    with database.transaction() as session:
        return [tuple(row) for row in session.execute(text(query))]


def called_in(database: Database, folder: Path, make: Any, facts: dict[str, str]) -> CallRequest:
    """Hold a call of a known caller that ends with a callback."""
    found = call_back(database, HEARD, "02088888888")
    assert isinstance(found, CallRequest)
    journal = PostgresJournal(database, folder / found.call_id, "line-0")
    record = make.record(found, Disposition.CALLBACK)
    journal.ended(replace(record, outcome=replace(record.outcome, facts=facts)))
    assert journal.flush(10)
    journal.close()
    return found


def test_a_time_that_a_caller_agrees_to_becomes_a_call_once(
    database: Database, campaign: Campaign, contact: Contact, tmp_path: Path, make: Any
) -> None:
    called_in(database, tmp_path, make, {"callback_time": "+30m"})
    hopper = Hopper(database, VAULT, "dialer")
    hopper.settle(campaign)
    now = datetime.now(UTC)
    with database.transaction() as session:
        state = ContactRepository(session, VAULT).state(contact.id)
    assert state.callback_at is not None
    assert timedelta(minutes=29) < state.callback_at - now < timedelta(minutes=31)
    with database.transaction() as session:  # a person moves it: it stays moved
        ContactRepository(session, VAULT).schedule(contact.id, now + timedelta(hours=3))
    hopper.settle(campaign)
    assert hopper.claim(campaign, 1, now + timedelta(hours=2)) == ()
    later = now + timedelta(hours=4)
    (claimed,) = hopper.claim(campaign, 1, later)
    request = call_request(campaign, claimed)
    assert hopper.open(campaign, request, "line-0", later)
    ended(database)
    hopper.settle(campaign)
    hopper.settle(campaign)
    with database.transaction() as session:
        assert ContactRepository(session, VAULT).state(contact.id).callback_at is None


def test_a_caller_who_names_no_time_is_left_to_people(
    database: Database, campaign: Campaign, contact: Contact, tmp_path: Path, make: Any
) -> None:
    called_in(database, tmp_path, make, {})
    Hopper(database, VAULT, "dialer").settle(campaign)
    with database.transaction() as session:
        state = ContactRepository(session, VAULT).state(contact.id)
    assert (state.status, state.callback_at) == (ContactStatus.PENDING, None)


@pytest.mark.parametrize(
    ("user", "found"),
    [
        ("+8613900000000", ("+8613900000000",)),
        ("8613900000000", ("+8613900000000",)),
        ("13900000000", ("+8613900000000",)),
        ("02088888888", ("+862088888888",)),
        ("+9991234500009", ("+9991234500009",)),
        ("alice", ()),
        ("1001", ()),
    ],
)
def test_numbers_are_read_as_peers_write_them(user: str, found: tuple[str, ...]) -> None:
    assert numbers(user, ("+86",)) == found


def test_anybody_may_try_the_bot_where_that_is_configured(database: Database) -> None:
    found = Inbound(database, VAULT, open_playbook="loan").look_up({"From": "sip:me@127.0.0.1"})
    assert isinstance(found, CallRequest)
    assert (found.playbook_id, found.campaign_id, found.attempt_id) == ("loan", "", "")
