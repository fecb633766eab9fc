"""The dialer: runs a campaign through line workers to its end, within every limit."""

from __future__ import annotations

import asyncio
import shutil
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text

from voicebot.call.journal import PostgresJournal
from voicebot.campaign import management, trunks
from voicebot.campaign.dialer import Dialer
from voicebot.campaign.hopper import Hopper
from voicebot.campaign.readiness import ContactVoice
from voicebot.campaign.retry import DAY_PARTS
from voicebot.domain.call import (
    CallRecord,
    CallRequest,
    Delivery,
    Disposition,
    EndCause,
    IntentLevel,
    Outcome,
)
from voicebot.domain.campaign import Campaign, CampaignStatus, Contact, Mode
from voicebot.domain.errors import CapacityError, TelephonyError
from voicebot.domain.ids import uuid7
from voicebot.domain.trunk import Trunk
from voicebot.store.agents import AgentRepository
from voicebot.store.campaigns import CampaignRepository
from voicebot.store.contacts import ContactRepository
from voicebot.store.crypto import NumberVault
from voicebot.store.embedded import EmbeddedPostgres
from voicebot.store.migrate import migrate
from voicebot.store.session import Database
from voicebot.store.workers import LINE, Worker, WorkerRepository

pytestmark = pytest.mark.integration

VAULT = NumberVault(bytes(32))
SHANGHAI = ZoneInfo("Asia/Shanghai")
HOUR = timedelta(hours=1)  # the heartbeat of these tests lasts
INTERESTED = Outcome(Disposition.INTERESTED, IntentLevel.B, ("said yes",))


class Line:
    """A line worker without a line: every call it takes ends after a moment, as told."""

    def __init__(
        self, journal: PostgresJournal, ends: Callable[[CallRequest], Outcome] = lambda _: INTERESTED
    ) -> None:
        self.journal = journal
        self.ends = ends
        self.calls: list[CallRequest] = []
        self.hung_up: list[str] = []
        self.running = 0
        self.most = 0
        self._taken = asyncio.Condition()
        self._tasks: set[asyncio.Task[None]] = set()

    async def originate(self, address: str, request: CallRequest) -> None:
        self.calls.append(request)
        self.running += 1
        self.most = max(self.most, self.running)
        async with self._taken:
            self._taken.notify_all()
        task = asyncio.create_task(self._conduct(request))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def hang_up(self, address: str, call_id: str) -> None:
        self.hung_up.append(call_id)

    async def reached(self, calls: int) -> None:
        """Wait until so many calls were placed."""
        async with self._taken:
            await self._taken.wait_for(lambda: len(self.calls) >= calls)

    async def _conduct(self, request: CallRequest) -> None:
        now = datetime.now(UTC)
        self.journal.answered(request, "line-0")
        await asyncio.sleep(0.05)
        outcome = self.ends(request)
        self.running -= 1
        self.journal.ended(
            CallRecord(request, EndCause.BOT_HUNG_UP, outcome, now, now, datetime.now(UTC), worker="line-0")
        )


def prepare(database: Database, numbers: int, first: int = 0, **changes: Any) -> Campaign:
    campaign = Campaign(
        str(uuid7()), f"c{uuid4().hex[:6]}", "loan", CampaignStatus.RUNNING, "SIMULATION",
        trunk="sip:{number}@127.0.0.1:5090",
    )  # fmt: skip
    campaign = replace(campaign, **changes)
    contacts = [
        Contact(str(uuid7()), campaign.id, f"+8613900{first + index:06d}", "Asia/Shanghai", {"surname": "王"})
        for index in range(numbers)
    ]
    with database.transaction() as session:
        CampaignRepository(session).add(campaign)
        ContactRepository(session, VAULT).add(contacts, datetime.now(UTC))
    beat(database)
    return campaign


def beat(database: Database, capacity: int = 4) -> None:
    now = datetime.now(UTC)
    with database.transaction() as session:
        WorkerRepository(session).beat(
            Worker("line-0", LINE, "127.0.0.1:1", "", capacity, 0, now - HOUR, now + HOUR)
        )


def status(database: Database, campaign: Campaign) -> CampaignStatus:
    with database.transaction() as session:
        return CampaignRepository(session).find(campaign.id).status


def one(database: Database, query: str) -> Any:
    with database.transaction() as session:
        return session.execute(text(query)).scalar()


async def dial_until(dialer: Dialer, done: Callable[[], bool]) -> None:
    stop = asyncio.Event()
    running = asyncio.create_task(dialer.run(stop))
    await finished(done)
    stop.set()
    await running


async def finished(done: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not await asyncio.to_thread(done):  # noqa: ASYNC110 - the database tells, not an event
            await asyncio.sleep(0.05)


async def test_a_campaign_is_dialled_to_its_end_within_its_own_and_the_lines_limit(
    database: Database, tmp_path: Path
) -> None:
    campaign = prepare(database, 12, max_calls=2)
    journal = PostgresJournal(database, tmp_path, "line-0")
    line = Line(journal)
    dialer = Dialer(Hopper(database, VAULT, "dialer"), line, poll_s=0.02)
    await dial_until(dialer, lambda: status(database, campaign) is CampaignStatus.FINISHED)
    journal.close()
    assert max(Counter(call.contact_id for call in line.calls).values()) == 1
    assert len(line.calls) == 12
    assert line.most == 2
    assert sorted(call.to_uri for call in line.calls)[0] == "sip:+8613900000000@127.0.0.1:5090"
    first = line.calls[0]
    assert first.headers["X-Attempt-Id"] == first.attempt_id
    assert first.slots == {"surname": "王"}
    assert one(database, "SELECT count(*) FROM outcomes WHERE disposition = 'interested'") == 12
    assert one(database, "SELECT count(*) FROM call_attempts WHERE status = 'ended'") == 12


class Speechless(ContactVoice):
    """A voice that can say no slot of a contact."""

    def __init__(self) -> None:
        self.asked: list[dict[str, str]] = []

    async def speakable(self, playbook_id: str, slots: Mapping[str, str]) -> dict[str, str]:
        self.asked.append(dict(slots))
        return {}


async def test_a_contact_whose_name_cannot_be_spoken_is_called_without_it(
    database: Database, tmp_path: Path
) -> None:
    campaign = prepare(database, 1)
    journal = PostgresJournal(database, tmp_path, "line-0")
    line, voice = Line(journal), Speechless()
    dialer = Dialer(Hopper(database, VAULT, "dialer"), line, voice, poll_s=0.02)
    await dial_until(dialer, lambda: status(database, campaign) is CampaignStatus.FINISHED)
    journal.close()
    assert voice.asked == [{"surname": "王"}]
    assert [call.slots for call in line.calls] == [{}]


async def test_a_full_line_gives_the_contact_back_and_it_is_called_later(
    database: Database, tmp_path: Path
) -> None:
    campaign = prepare(database, 1)
    journal = PostgresJournal(database, tmp_path, "line-0")

    class Full(Line):
        async def originate(self, address: str, request: CallRequest) -> None:
            self.most += 1
            if self.most == 1:
                raise CapacityError("every leg is in use")
            await super().originate(address, request)

    line = Full(journal)
    dialer = Dialer(Hopper(database, VAULT, "dialer"), line, poll_s=0.02)
    await dial_until(dialer, lambda: status(database, campaign) is CampaignStatus.FINISHED)
    journal.close()
    assert len(line.calls) == 1
    assert one(database, "SELECT attempts FROM contacts") == 1


async def test_a_line_that_dies_while_taking_a_call_leaves_it_unknown_and_not_redialled(
    database: Database, tmp_path: Path
) -> None:
    campaign = prepare(database, 1)

    class Dead(Line):
        async def originate(self, address: str, request: CallRequest) -> None:
            self.calls.append(request)
            raise TelephonyError("the line worker went away")

    journal = PostgresJournal(database, tmp_path, "line-0")
    line = Dead(journal)
    dialer = Dialer(Hopper(database, VAULT, "dialer"), line, poll_s=0.02)
    await dial_until(dialer, lambda: bool(line.calls))
    for _ in range(5):
        await dialer.step()
    journal.close()
    assert len(line.calls) == 1
    assert one(database, "SELECT status FROM call_attempts") == "unknown"
    assert status(database, campaign) is CampaignStatus.RUNNING


async def test_busy_is_tried_again_up_to_the_limit_of_attempts(database: Database, tmp_path: Path) -> None:
    campaign = prepare(database, 1, max_attempts=2)
    journal = PostgresJournal(database, tmp_path, "line-0")
    line = Line(journal, lambda _: Outcome(Disposition.BUSY, IntentLevel.F, ("486",)))
    clock = [datetime.now(UTC)]
    dialer = Dialer(Hopper(database, VAULT, "dialer"), line, poll_s=0.02, clock=lambda: clock[0])
    await dial_until(
        dialer, lambda: one(database, "SELECT status = 'pending' AND attempts = 1 FROM contacts") is True
    )
    assert len(line.calls) == 1
    clock[0] += timedelta(minutes=20)
    await dial_until(dialer, lambda: status(database, campaign) is CampaignStatus.FINISHED)
    journal.close()
    assert len(line.calls) == 2


async def test_a_paused_campaign_dials_nobody_and_one_that_drains_stops(
    database: Database, tmp_path: Path
) -> None:
    paused = prepare(database, 1, status=CampaignStatus.PAUSED)
    draining = prepare(database, 1, status=CampaignStatus.DRAINING)
    journal = PostgresJournal(database, tmp_path, "line-0")
    line = Line(journal)
    dialer = Dialer(Hopper(database, VAULT, "dialer"), line, poll_s=0.02)
    await dial_until(dialer, lambda: status(database, draining) is CampaignStatus.STOPPED)
    journal.close()
    assert line.calls == []
    assert status(database, paused) is CampaignStatus.PAUSED


async def test_a_campaign_that_is_stopped_hangs_up_its_calls_and_begins_no_more(
    database: Database, tmp_path: Path
) -> None:
    campaign = prepare(database, 3, max_calls=1)
    journal = PostgresJournal(database, tmp_path, "line-0")
    answered = asyncio.Event()

    class Talking(Line):
        async def hang_up(self, address: str, call_id: str) -> None:
            await super().hang_up(address, call_id)
            answered.set()

        async def _conduct(self, request: CallRequest) -> None:
            await answered.wait()  # a talk that ends by our hanging up only
            await super()._conduct(request)

    line = Talking(journal)
    dialer = Dialer(Hopper(database, VAULT, "dialer"), line, poll_s=0.02)
    stop = asyncio.Event()
    running = asyncio.create_task(dialer.run(stop))
    await line.reached(1)
    await asyncio.to_thread(management.stop, database, campaign.id, "ann", datetime.now(UTC))
    await finished(lambda: status(database, campaign) is CampaignStatus.STOPPED)
    stop.set()
    await running
    journal.close()
    assert len(line.calls) == 1
    assert set(line.hung_up) == {line.calls[0].call_id}
    assert one(database, "SELECT count(*) FROM contacts WHERE status = 'pending'") == 2


async def test_free_lines_go_to_the_campaign_of_the_higher_priority(
    database: Database, tmp_path: Path
) -> None:
    low, high = prepare(database, 4), prepare(database, 4, first=100, priority=5, max_calls=4)
    journal = PostgresJournal(database, tmp_path, "line-0")
    line = Line(journal)
    dialer = Dialer(Hopper(database, VAULT, "dialer"), line, poll_s=0.02)
    await dialer.step()
    assert {call.campaign_id for call in line.calls} == {high.id}
    await dial_until(dialer, lambda: status(database, low) is CampaignStatus.FINISHED)
    journal.close()


async def test_a_trunks_own_limit_holds_for_all_its_campaigns_together(
    database: Database, tmp_path: Path
) -> None:
    trunks.save(database, VAULT, Trunk("gw", "127.0.0.1:5070", ("+86",), max_calls=3), "ann")
    first = prepare(database, 4, trunk="gw", max_calls=2)
    second = prepare(database, 4, first=100, trunk="gw", max_calls=2)
    other = prepare(database, 4, first=200, max_calls=1)
    journal = PostgresJournal(database, tmp_path, "line-0")
    line = Line(journal)
    beat(database, capacity=10)
    await Dialer(Hopper(database, VAULT, "dialer"), line, poll_s=0.02).step()
    counted = Counter(call.campaign_id for call in line.calls)
    assert counted[first.id] + counted[second.id] == 3
    assert counted[other.id] == 1
    assert {call.trunk for call in line.calls} == {"gw", ""}
    await asyncio.sleep(0.2)
    journal.close()


async def test_a_progressive_campaign_dials_for_ready_agents_only_each_reserved_for_one_call(
    database: Database, tmp_path: Path
) -> None:
    prepare(database, 5, max_calls=5, mode=Mode.PROGRESSIVE)
    journal = PostgresJournal(database, tmp_path, "line-0")
    line = Line(journal)
    dialer = Dialer(Hopper(database, VAULT, "dialer"), line, poll_s=0.02)
    await dialer.step()
    assert line.calls == [], "nobody is ready"

    def ready(*logins: str) -> None:
        with database.transaction() as session:
            agents = AgentRepository(session)
            for login in logins:
                agents.save(login, login.title(), f"sip:{login}@127.0.0.1:5099")
                agents.set_available(login, True, datetime.now(UTC))

    ready("eve", "bob")
    for _ in range(3):
        await dialer.step()
    assert {(call.agent_id, call.agent_uri) for call in line.calls} == {
        ("eve", "sip:eve@127.0.0.1:5099"), ("bob", "sip:bob@127.0.0.1:5099"),
    }  # fmt: skip
    assert {call.delivery for call in line.calls} == {Delivery.SUGGEST}
    assert len(line.calls) == 2, "both are taken: their calls hold them"
    first = line.calls[0]
    with database.transaction() as session:
        AgentRepository(session).release(first.agent_id, first.call_id, datetime.now(UTC))
        AgentRepository(session).set_available(first.agent_id, False, datetime.now(UTC))
    await dialer.step()
    assert len(line.calls) == 2, "who went away gets no call"
    ready(first.agent_id)
    await dialer.step()
    assert [call.agent_id for call in line.calls[2:]] == [first.agent_id]
    await asyncio.sleep(0.2)
    journal.close()


async def test_the_fewer_answer_the_more_ring_at_once(database: Database, tmp_path: Path) -> None:
    """Eight may talk, more may ring: how many, the answers of the calls before tell."""
    campaign = prepare(database, 60, max_calls=40, max_talks=8)
    pacing, now = Hopper(database, VAULT, "dialer").pacing, datetime.now(UTC)
    unknown = pacing.shares([campaign], 40, now)[campaign.id]
    calls = text(
        "INSERT INTO call_attempts (id, campaign_id, contact_id, call_id, number_lookup, direction, status, "
        "created_at, answered_at, ended_at, cause) "
        "SELECT gen_random_uuid(), campaign_id, id, gen_random_uuid(), number_lookup, 'outbound', 'ended', "
        ":at, CASE WHEN :answered THEN :at END, :at, 'no_answer' FROM contacts"
    )
    given = {}
    for rarely in (True, False):
        with database.transaction() as session:
            session.execute(text("DELETE FROM call_attempts"))
            session.execute(calls, {"at": now - HOUR, "answered": not rarely})
        given[rarely] = pacing.shares([campaign], 40, now)[campaign.id]
    assert given[False] == 8, "everybody answers: none rings for whom there is no room"
    assert given[False] < unknown < given[True]


async def test_who_did_not_answer_is_called_at_another_time_of_day(
    database: Database, tmp_path: Path
) -> None:
    prepare(database, 1, max_attempts=2)
    journal = PostgresJournal(database, tmp_path, "line-0")
    line = Line(journal, lambda _: Outcome(Disposition.NO_ANSWER, IntentLevel.F, ("487",)))
    hopper = Hopper(database, VAULT, "dialer")
    await dial_until(
        Dialer(hopper, line, poll_s=0.02),
        lambda: one(database, "SELECT status = 'pending' AND attempts = 1 FROM contacts") is True,
    )
    journal.close()
    with database.transaction() as session:
        first, again = session.execute(
            text("SELECT a.ended_at, c.next_at FROM call_attempts a JOIN contacts c ON c.id = a.contact_id")
        ).one()

    def part(at: datetime) -> int:
        return next(part for part, (_, end) in enumerate(DAY_PARTS) if at.astimezone(SHANGHAI).hour < end)

    assert again - first >= timedelta(hours=3)
    assert part(again) != part(first)


async def test_an_unusable_campaign_does_not_stop_the_others(database: Database, tmp_path: Path) -> None:
    prepare(database, 1, policy_pack="MARS")
    good = prepare(database, 1)
    journal = PostgresJournal(database, tmp_path, "line-0")
    line = Line(journal)
    dialer = Dialer(Hopper(database, VAULT, "dialer"), line, poll_s=0.02)
    await dial_until(dialer, lambda: status(database, good) is CampaignStatus.FINISHED)
    journal.close()
    assert len(line.calls) == 1


async def test_postgres_away_in_the_middle_of_a_campaign_calls_nobody_twice(
    postgres_directory: Path, tmp_path: Path
) -> None:
    place = postgres_directory / uuid4().hex[:8]
    server = EmbeddedPostgres(place, durable=False)
    database = Database(server.start())
    migrate(database, datetime.now(UTC))
    prepare(database, 20)
    journal = PostgresJournal(database, tmp_path, "line-0")
    line = Line(journal)
    dialer = Dialer(Hopper(database, VAULT, "dialer"), line, poll_s=0.02)
    stop = asyncio.Event()
    running = asyncio.create_task(dialer.run(stop))
    await line.reached(4)
    await asyncio.to_thread(server.stop)
    await asyncio.sleep(0.5)
    await asyncio.to_thread(server.start)
    settled = "SELECT count(*) = 0 FROM contacts WHERE status = 'pending'"
    ended = "SELECT count(*) FROM outcomes"
    await finished(lambda: one(database, settled) and one(database, ended) == len(line.calls))
    stop.set()
    await running
    journal.close()
    calls = Counter(call.contact_id for call in line.calls)
    assert max(calls.values()) == 1
    # A commit whose answer was lost with the server leaves an attempt open that nobody dialled.
    assert len(calls) + one(database, "SELECT count(*) FROM call_attempts WHERE status = 'open'") == 20
    database.dispose()
    server.stop()
    shutil.rmtree(place, ignore_errors=True)
