"""The hopper: nobody is called twice, nobody against the rules, and a crash tells no lies."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from voicebot.call.journal import PostgresJournal
from voicebot.campaign.dialer import call_request
from voicebot.campaign.hopper import LEASE, Hopper
from voicebot.dialogue.state import CALLBACK_BY, CALLBACK_TIME, PERSON
from voicebot.domain.call import Delivery, Disposition, IntentLevel, Outcome
from voicebot.domain.campaign import Campaign, CampaignStatus, Contact
from voicebot.domain.ids import uuid7
from voicebot.store.agents import AgentRepository
from voicebot.store.campaigns import CampaignRepository
from voicebot.store.contacts import ContactRepository
from voicebot.store.crypto import NumberVault
from voicebot.store.do_not_call import DoNotCallRepository
from voicebot.store.session import Database
from voicebot.store.workers import LINE, Worker, WorkerRepository

pytestmark = pytest.mark.integration

KEY = bytes(range(32))


@pytest.fixture
def vault() -> NumberVault:
    return NumberVault(KEY)


def now() -> datetime:
    return datetime.now(UTC)


def add_campaign(
    database: Database, vault: NumberVault, numbers: int, name: str = "loans", first: int = 0, **changes: Any
) -> Campaign:
    campaign = Campaign(
        id=str(uuid7()),
        name=name,
        playbook_id="loan",
        status=CampaignStatus.RUNNING,
        policy_pack="SIMULATION",
        trunk="sip:{number}@127.0.0.1:5090",
    )
    campaign = replace(campaign, **changes)
    contacts = [
        Contact(str(uuid7()), campaign.id, f"+8613900{first + index:06d}", "Asia/Shanghai")
        for index in range(numbers)
    ]
    with database.transaction() as session:
        CampaignRepository(session).add(campaign)
        assert len(ContactRepository(session, vault).add(contacts, now())) == numbers
    return campaign


def add_worker(
    database: Database, worker_id: str = "line-0", *, started_at: datetime | None = None, **more: Any
) -> None:
    started = started_at or now() - timedelta(hours=1)
    worker = Worker(worker_id, LINE, "127.0.0.1:50100", "sip:bot@127.0.0.1", 4, 0, started, now())
    with database.transaction() as session:
        WorkerRepository(session).beat(replace(worker, **more))


def one(database: Database, query: str) -> Any:
    with database.transaction() as session:
        return session.execute(text(query)).scalar()


def test_claimers_at_the_same_time_get_every_contact_once(database: Database, vault: NumberVault) -> None:
    campaign = add_campaign(database, vault, 400)
    claimed: list[str] = []

    def claim(name: str) -> None:
        hopper = Hopper(database, vault, name)
        while contacts := hopper.claim(campaign, 20, now()):
            claimed.extend(contact.id for contact in contacts)

    threads = [threading.Thread(target=claim, args=(f"claimer-{index}",)) for index in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(claimed) == 400
    assert max(Counter(claimed).values()) == 1


def test_two_campaigns_never_have_one_number_in_two_calls(database: Database, vault: NumberVault) -> None:
    first, second = add_campaign(database, vault, 1), add_campaign(database, vault, 1, "wealth")
    one_hopper, other_hopper = Hopper(database, vault, "a"), Hopper(database, vault, "b")
    (contact,) = one_hopper.claim(first, 5, now())
    (same_person,) = other_hopper.claim(second, 5, now())
    assert one_hopper.open(first, call_request(first, contact), "line-0", now())
    assert not other_hopper.open(second, call_request(second, same_person), "line-0", now())
    assert Hopper(database, vault, "c").claim(second, 5, now() + LEASE * 2) == ()


def test_a_claimer_killed_with_a_lease_loses_it_and_with_an_attempt_blocks_the_number(
    database: Database, database_url: str, vault: NumberVault
) -> None:
    campaign = add_campaign(database, vault, 2)
    code = (
        "import sys,time;from datetime import *;from voicebot.campaign.dialer import call_request;"
        "from voicebot.campaign.hopper import Hopper;from voicebot.store.crypto import NumberVault;"
        "from voicebot.store.session import Database;"
        "h=Hopper(Database(sys.argv[1]),NumberVault(bytes(range(32))),'doomed');c,=h.campaigns();"
        "n=datetime.now(timezone.utc);a,b=h.claim(c,2,n);assert h.open(c,call_request(c,a),'line-0',n);"
        "print('claimed',flush=True);time.sleep(60)"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen(
        [sys.executable, "-c", code, database_url], stdout=subprocess.PIPE, env=environment
    ) as claimer:
        assert claimer.stdout is not None
        assert claimer.stdout.readline() == b"claimed\n"
        claimer.kill()
    hopper = Hopper(database, vault, "successor")
    assert hopper.claim(campaign, 5, now()) == ()
    later = now() + LEASE * 2
    assert len(hopper.claim(campaign, 5, later)) == 1
    hopper.sweep(later)  # no such worker beats: nobody knows whether the other was dialled
    assert one(database, "SELECT status FROM call_attempts") == "unknown"
    claimable = hopper.claim(campaign, 5, later + timedelta(days=30))
    assert len(claimable) == 1
    assert one(database, "SELECT count(*) FROM contacts WHERE status = 'calling'") == 1


def test_an_unknown_attempt_is_settled_once_its_worker_is_back_and_has_replayed(
    database: Database, vault: NumberVault
) -> None:
    campaign = add_campaign(database, vault, 1)
    hopper = Hopper(database, vault, "dialer", unknown_gap=timedelta(minutes=10))
    add_worker(database)
    (contact,) = hopper.claim(campaign, 1, now())
    assert hopper.open(campaign, call_request(campaign, contact), "line-0", now())
    hopper.sweep(now())
    assert one(database, "SELECT status FROM call_attempts") == "open"
    later = now() + timedelta(minutes=20)
    reborn: dict[str, Any] = {"started_at": later - timedelta(minutes=1), "seen_at": later}
    add_worker(database, **reborn, spool_pending=3)
    hopper.sweep(later)
    assert one(database, "SELECT status FROM call_attempts") == "unknown"
    add_worker(database, **reborn)
    hopper.sweep(later)
    assert one(database, "SELECT status FROM call_attempts") == "ended"
    assert one(database, "SELECT disposition || origin FROM outcomes") == "droppedrule"
    assert one(database, "SELECT count(*) FROM audit_log WHERE action = 'settle_unknown'") == 1
    assert hopper.settle(campaign) == 1
    assert one(database, "SELECT status FROM contacts") == "pending"


@pytest.mark.parametrize("hours", [-5, 5])
def test_a_clock_that_jumps_while_calls_run_and_ring_has_nobody_called_twice(
    database: Database, vault: NumberVault, tmp_path: Path, make: Any, hours: int
) -> None:
    campaign = add_campaign(database, vault, 2)
    hopper = Hopper(database, vault, "dialer", unknown_gap=timedelta(minutes=10))
    add_worker(database)
    talking, ringing = (call_request(campaign, contact) for contact in hopper.claim(campaign, 2, now()))
    for request in (talking, ringing):
        assert hopper.open(campaign, request, "line-0", now())
    journal = PostgresJournal(database, tmp_path, "line-0")
    journal.answered(talking, "line-0")
    assert journal.flush(10)
    jumped = now() + timedelta(hours=hours)
    hopper.sweep(jumped)  # before the worker's next heartbeat
    add_worker(database, seen_at=jumped, busy=2)
    for second in range(0, 40, 10):  # and after it
        hopper.sweep(jumped + timedelta(seconds=second))
        assert hopper.settle(campaign) == 0, "neither call is over"
        assert hopper.claim(campaign, 5, jumped + timedelta(seconds=second)) == ()
    for request in (talking, ringing):
        journal.ended(make.record(request, Disposition.REFUSED, IntentLevel.E))
    assert journal.flush(10)
    journal.close()
    assert one(database, "SELECT count(*) FROM call_attempts WHERE status = 'ended'") == 2
    assert one(database, "SELECT count(*) FROM outcomes WHERE disposition = 'refused'") == 2
    assert hopper.settle(campaign) == 2
    assert one(database, "SELECT count(*) FROM contacts WHERE status = 'done'") == 2


def test_a_spoken_no_is_kept_with_its_turn_and_stops_every_campaign(
    database: Database, vault: NumberVault, tmp_path: Path, make: Any
) -> None:
    campaign, other = add_campaign(database, vault, 1), add_campaign(database, vault, 1, "wealth")
    hopper = Hopper(database, vault, "dialer")
    (contact,) = hopper.claim(campaign, 1, now())
    request = call_request(campaign, contact)
    assert hopper.open(campaign, request, "line-0", now())
    journal = PostgresJournal(database, tmp_path, "line-0")
    journal.answered(request, "line-0")
    journal.turn(make.turn(request.call_id, 1, do_not_call=True))
    assert journal.flush(10)
    assert one(database, "SELECT origin_id FROM do_not_call") == request.call_id
    journal.ended(make.record(request, Disposition.DO_NOT_CALL, IntentLevel.F, opted_out=True))
    assert journal.flush(10)
    journal.close()
    assert hopper.settle(campaign) == 1
    assert hopper.finish(campaign, now())
    assert hopper.claim(other, 5, now()) == ()
    assert one(database, "SELECT refusal FROM contacts WHERE status = 'done' AND refusal IS NOT NULL") == (
        "do_not_call"
    )


def test_a_no_that_comes_between_claim_and_invite_still_counts(
    database: Database, vault: NumberVault
) -> None:
    campaign = add_campaign(database, vault, 1)
    hopper = Hopper(database, vault, "dialer")
    (contact,) = hopper.claim(campaign, 1, now())
    with database.transaction() as session:
        DoNotCallRepository(session, vault).add([contact.number], "person", "manager", now())
    assert not hopper.open(campaign, call_request(campaign, contact), "line-0", now())
    assert one(database, "SELECT status || refusal FROM contacts") == "donedo_not_call"
    assert one(database, "SELECT count(*) FROM call_attempts WHERE status <> 'ended'") == 0
    assert one(database, "SELECT attempts FROM contacts") == 0


def test_a_number_in_a_call_whose_worker_has_an_unreplayed_spool_is_not_claimable(
    database: Database, vault: NumberVault, tmp_path: Path, make: Any
) -> None:
    campaign, other = add_campaign(database, vault, 1), add_campaign(database, vault, 1, "wealth")
    hopper = Hopper(database, vault, "dialer")
    (contact,) = hopper.claim(campaign, 1, now())
    request = call_request(campaign, contact)
    assert hopper.open(campaign, request, "line-0", now())
    journal = PostgresJournal(database, tmp_path, "line-0")
    journal.ended(make.record(request))
    assert journal.flush(10)
    journal.close()
    add_worker(database, spool_pending=1)
    assert hopper.claim(other, 5, now()) == ()
    add_worker(database, spool_pending=0)
    assert len(hopper.claim(other, 5, now())) == 1


def test_who_asked_for_a_person_and_found_nobody_is_called_back_by_one(
    database: Database, vault: NumberVault, tmp_path: Path, make: Any
) -> None:
    campaign = add_campaign(database, vault, 1, max_attempts=1)
    hopper = Hopper(database, vault, "dialer")
    (contact,) = hopper.claim(campaign, 1, now())
    request = call_request(campaign, contact)
    assert hopper.open(campaign, request, "line-0", now())
    facts = {CALLBACK_TIME: "+30m", CALLBACK_BY: PERSON}
    outcome = Outcome(Disposition.CALLBACK, IntentLevel.C, ("no agent",), facts)
    journal = PostgresJournal(database, tmp_path, "line-0")
    journal.ended(replace(make.record(request), outcome=outcome))
    assert journal.flush(10)
    journal.close()
    assert hopper.settle(campaign) == 1
    assert hopper.claim(campaign, 1, now()) == ()
    due = now() + timedelta(minutes=31)
    assert hopper.claim(campaign, 1, due) == (), "nobody is ready"
    assert one(database, "SELECT refusal FROM contacts") == "no_agent"
    later = due + timedelta(minutes=2)
    with database.transaction() as session:
        agents = AgentRepository(session)
        agents.save("eve", "Eve", "sip:eve@127.0.0.1")
        agents.set_available("eve", True, later)
    (contact,) = hopper.claim(campaign, 1, later)
    again = hopper.open(campaign, call_request(campaign, contact), "line-0", later)
    assert again is not None
    assert (again.delivery, again.agent_id, again.agent_uri) == (
        Delivery.SUGGEST,
        "eve",
        "sip:eve@127.0.0.1",
    )


def test_numbers_do_not_stand_in_the_database_in_clear(database: Database, vault: NumberVault) -> None:
    add_campaign(database, vault, 1)
    row = one(database, "SELECT contacts::text FROM contacts")
    assert "13900000000" not in row
    assert one(database, "SELECT number_masked FROM contacts") == "+86139****0000"
