"""A campaign as it really goes: 30 people over SIP, while processes are killed and Postgres stops."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import shutil
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from voicebot import bootstrap
from voicebot.campaign import do_not_call, management
from voicebot.campaign.hopper import Hopper
from voicebot.domain.campaign import Campaign, CampaignStatus, Contact
from voicebot.domain.errors import StoreError
from voicebot.domain.ids import uuid7
from voicebot.service.child import Child
from voicebot.service.supervisor import Supervisor
from voicebot.settings import Settings
from voicebot.store.campaigns import CampaignRepository
from voicebot.store.contacts import ContactRepository
from voicebot.store.crypto import NumberVault
from voicebot.store.embedded import EmbeddedPostgres
from voicebot.store.migrate import migrate
from voicebot.store.session import Database

pytestmark = pytest.mark.acceptance

# persona's number -> how many such people are on the list
PEOPLE = {"8009": 10, "8010": 6, "8007": 8, "8012": 2, "8004": 1}
ON_A_LIST, WITHOUT_ZONE = 2, 1  # of those besides, who must not be called
AWAY_S = 30.0  # Postgres, in the middle


@dataclass
class Scene:
    """Everything that runs."""

    database: Database
    postgres: EmbeddedPostgres
    supervisor: Supervisor
    campaign: Campaign
    vault: NumberVault
    events: Path

    def one(self, query: str) -> Any:
        with self.database.transaction() as session:
            return session.execute(text(query)).scalar()

    def rows(self, query: str) -> list[Any]:
        with self.database.transaction() as session:
            return list(session.execute(text(query)).all())

    def phone(self, kind: str) -> list[dict[str, Any]]:
        lines = self.events.read_text("utf-8").splitlines()
        return [event for event in map(json.loads, lines) if event["event"] == kind]


def people(campaign: Campaign, times: int) -> Iterator[Contact]:
    run = secrets.randbelow(90_000) + 10_000
    numbers = [number for number, count in PEOPLE.items() for _ in range(count * times)]
    for index, number in enumerate([*numbers, *["8007"] * (ON_A_LIST + WITHOUT_ZONE)]):
        zone = "Asia/Shanghai" if index < len(numbers) + ON_A_LIST else ""
        yield Contact(str(uuid7()), campaign.id, f"+999{run}{index:03d}{number}", zone)


async def until(done: Callable[[], object], timeout_s: float) -> None:
    async with asyncio.timeout(timeout_s):
        while True:
            try:
                if await asyncio.to_thread(done):
                    return
            except StoreError:
                pass  # Postgres is away: that is part of the plan
            await asyncio.sleep(0.25)


async def attempts(scene: Scene, count: int, timeout_s: float) -> None:
    await until(lambda: scene.one("SELECT count(*) FROM call_attempts") >= count, timeout_s)


def kill(child: Child) -> None:
    assert child.process is not None
    os.kill(child.process.pid, signal.SIGKILL)


def dialer(scene: Scene) -> Child:
    return next(child for child in scene.supervisor.children if child.name == "dialer")


async def go_wrong(scene: Scene, times: int) -> None:
    """Kill a line worker in a call, then the dialer, then take Postgres away."""
    await until(
        lambda: scene.one(
            "SELECT count(*) FROM call_attempts WHERE worker LIKE '%line-0' AND status = 'open' "
            "AND answered_at IS NOT NULL"
        ),
        120 * times,
    )
    kill(scene.supervisor.lines[0])
    await attempts(scene, 10 * times, 180 * times)
    kill(dialer(scene))
    await attempts(scene, 15 * times, 180 * times)
    await asyncio.to_thread(scene.postgres.stop)
    await asyncio.sleep(AWAY_S)
    await asyncio.to_thread(scene.postgres.start)


def settle(scene: Scene) -> bool:
    """Do what an operator does about calls whose line worker died; return whether the campaign is over."""
    with scene.database.transaction() as session:
        status = CampaignRepository(session).find(scene.campaign.id).status
        progress = CampaignRepository(session).progress(scene.campaign.id)
    if status is CampaignStatus.FINISHED:
        return True
    if progress.pending == 0 or progress.unknown:
        now = datetime.now(UTC)
        if progress.pending == 0 and scene.one(
            "SELECT max(created_at) < now() - interval '40 seconds' FROM call_attempts"
        ):
            # An attempt whose commit was lost with Postgres was never dialled: in five minutes it is unknown.
            Hopper(scene.database, scene.vault, "operator").sweep(now + timedelta(minutes=6))
        gap = timedelta(seconds=20)
        management.settle_unknown(scene.database, scene.campaign.id, "operator", now, gap)
    return False


async def conduct(home: Path, postgres: EmbeddedPostgres, url: str, times: int) -> Scene:
    settings = Settings().model_copy(
        update={
            "home": home, "database_url": url, "bind": "127.0.0.1", "calls": 4, "sip_port": 0, "rtp_port": 0,
            "inference_port": 0, "line_port": 0, "metrics_port": 0, "console_port": 0,
        }
    )  # fmt: skip
    database, vault, logs = Database(url), bootstrap.vault(settings), home / "logs"
    events = logs / "customer.jsonl"
    logs.mkdir(parents=True, exist_ok=True)
    phone = Child(
        "customer",
        "voicebot.service.customers",
        ("--role", "customer", "--events", str(events)),
        log_file=logs / "customer.log",
    )
    await phone.start()
    try:
        async with Supervisor(settings, url, logs) as supervisor:
            campaign = Campaign(
                str(uuid7()), "acceptance", "consumer_loan", CampaignStatus.RUNNING, "SIMULATION",
                trunk=f"sip:{{number}}@{phone.facts['sip_uri'].rpartition('@')[2].partition(';')[0]}",
                max_calls=3, max_attempts=1, ring_timeout_s=5.0,
            )  # fmt: skip
            contacts = list(people(campaign, times))
            with database.transaction() as session:
                CampaignRepository(session).add(campaign)
                ContactRepository(session, vault).add(contacts, datetime.now(UTC))
            listed = [one.number for one in contacts if one.zone][-ON_A_LIST:]
            for number in listed:
                do_not_call.add(database, vault, number, "asked", "test", datetime.now(UTC))
            scene = Scene(database, postgres, supervisor, campaign, vault, events)
            await go_wrong(scene, times)
            await until(lambda: settle(scene), 240 * times)
            return scene
    finally:
        await phone.stop()


def check(scene: Scene, times: int) -> None:
    total = sum(PEOPLE.values()) * times + ON_A_LIST + WITHOUT_ZONE
    # everybody has one true story
    assert scene.rows("SELECT status, count(*) FROM contacts GROUP BY 1") == [("done", total)]
    dialled = scene.rows(
        "SELECT contact_id, id, status, cause, answered_at, disposition, worker FROM call_attempts "
        "WHERE cause IS DISTINCT FROM 'not_dialled'"
    )
    assert {row.status for row in dialled} == {"ended"}
    assert max(Counter(row.contact_id for row in dialled).values()) == 1
    refused = scene.rows("SELECT refusal FROM contacts WHERE refusal IS NOT NULL")
    assert Counter(row.refusal for row in refused) == {"do_not_call": ON_A_LIST, "zone_unknown": WITHOUT_ZONE}
    assert len(dialled) == total - ON_A_LIST - WITHOUT_ZONE
    # nobody's phone rang twice, nor for an attempt that is not in the books
    rang = Counter(event["attempt"] for event in scene.phone("call"))
    assert set(rang.values()) == {1}
    assert set(rang) <= {str(row.id) for row in dialled}
    # who answered is known to have answered, or the story says that the line died
    closed = {
        row.subject.partition(":")[2]
        for row in scene.rows("SELECT subject FROM audit_log WHERE action = 'settle_unknown'")
    }
    answered = {event["attempt"] for event in scene.phone("answered")}
    for row in dialled:
        if str(row.id) not in closed:
            assert (row.answered_at is not None) == (str(row.id) in answered), row
    # nothing is lost, and the sums are the rows
    outcomes = scene.rows("SELECT attempt_id, disposition, opted_out, contact_id FROM outcomes")
    assert Counter(row.attempt_id for row in outcomes) == Counter(row.id for row in dialled)
    with scene.database.transaction() as session:
        progress = CampaignRepository(session).progress(scene.campaign.id)
    assert sum(progress.dispositions.values()) == len(outcomes)
    assert progress.dispositions == Counter(row.disposition for row in dialled)
    assert sum(progress.refusals.values()) == len(refused)
    # a spoken "no" holds
    assert (
        scene.one(
            "SELECT count(*) FROM outcomes o JOIN contacts c ON c.id = o.contact_id WHERE o.opted_out "
            "AND NOT EXISTS (SELECT FROM do_not_call d WHERE d.number_lookup = c.number_lookup)"
        )
        == 0
    )
    # the accidents took place
    assert scene.supervisor.lines[0].restarts >= 1
    assert dialer(scene).restarts >= 1


@pytest.mark.parametrize(
    "times",
    [
        pytest.param(1, id="30", marks=pytest.mark.timeout(420)),
        pytest.param(4, id="111", marks=[pytest.mark.slow, pytest.mark.timeout(1800)]),
        pytest.param(11, id="nightly300", marks=[pytest.mark.slow, pytest.mark.timeout(5400)]),
    ],
)
async def test_everybody_gets_one_true_story(postgres_directory: Path, times: int) -> None:
    place = postgres_directory / f"campaign{times}"
    place.mkdir()
    place.chmod(0o755)
    postgres = EmbeddedPostgres(place / "pg", durable=False)
    url = postgres.start()
    try:
        database = Database(url)
        migrate(database, datetime.now(UTC))
        database.dispose()
        home = place / "home"
        home.mkdir()
        scene = await conduct(home, postgres, url, times)
        check(scene, times)
        scene.database.dispose()
    finally:
        postgres.stop()
        shutil.rmtree(place, ignore_errors=True)
