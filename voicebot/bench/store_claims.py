"""Claimers of the hopper as processes of their own: how fast, and what happens when they are killed."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import text

from voicebot.campaign.dialer import call_request
from voicebot.campaign.hopper import BATCH, LEASE, Hopper
from voicebot.domain.campaign import Campaign
from voicebot.store.campaigns import CampaignRepository
from voicebot.store.crypto import NumberVault
from voicebot.store.session import Database

SPEED = "claims, checked by the rules"
DOUBLE = "numbers dialled twice"
SECONDS = 8.0  # of claiming at full speed
KILLS = 12
KILLED_CONTACTS = 3000
FASTER = 60  # a second of the killed claimers' clock, so that leases of the dead run out while we wait


def measure(
    database: Database, key: bytes, campaign: Campaign, contacts: int, claimers: int, seed: int
) -> list[dict[str, Any]]:
    """Return rows: claims a second; then dials, kills and numbers dialled twice."""
    return [
        {
            "what": SPEED,
            "figure": _speed(database, key, campaign, claimers),
            "unit": "claims/s",
            "n": claimers,
        },
        *_killed(database, key, campaign, contacts, claimers, seed),
    ]


def _speed(database: Database, key: bytes, campaign: Campaign, claimers: int) -> float:
    with tempfile.TemporaryDirectory() as place:
        logs = [Path(place) / str(index) for index in range(claimers)]
        processes = [_start(database, key, campaign, "claim", log, f"fast-{log.name}") for log in logs]
        for process in processes:
            assert process.wait() == 0
        rates = [log.read_text().split() for log in logs]
    return sum(int(claims) / float(seconds) for claims, seconds in rates)


def _killed(
    database: Database, key: bytes, campaign: Campaign, contacts: int, claimers: int, seed: int
) -> list[dict[str, Any]]:
    chance = random.Random(seed)  # noqa: S311 - when to kill, not a secret
    _leave(database, campaign, min(contacts, KILLED_CONTACTS))
    with tempfile.TemporaryDirectory() as place:
        logs: list[Path] = []
        running: list[subprocess.Popen[bytes]] = []
        kills = 0
        deadline = time.monotonic() + 240
        while time.monotonic() < deadline:
            running = [process for process in running if process.poll() is None]
            if kills >= KILLS and _left(database, campaign) == 0:
                break
            while len(running) < claimers:
                logs.append(Path(place) / f"{len(logs)}.log")
                running.append(_start(database, key, campaign, "dial", logs[-1], f"dialer-{len(logs)}"))
            time.sleep(chance.uniform(0.8, 2.0))
            if kills < KILLS:
                victim = chance.choice(running)
                victim.send_signal(signal.SIGKILL)
                victim.wait()
                kills += 1
        for process in running:
            process.kill()
            process.wait()
        dialled = Counter(number for log in logs if log.exists() for number in log.read_text().split())
    twice = sum(count > 1 for count in dialled.values())
    return [
        {"what": "numbers dialled", "figure": len(dialled), "unit": f"{kills} claimers killed"},
        {"what": DOUBLE, "figure": twice, "unit": ""},
        {"what": "contacts left waiting", "figure": _left(database, campaign), "unit": ""},
    ]


def _leave(database: Database, campaign: Campaign, contacts: int) -> None:
    """Let so many contacts wait, unleased; the others are done."""
    with database.transaction() as session:
        session.execute(
            text(
                """
                UPDATE contacts SET lease_until = NULL, leased_by = NULL,
                  status = CASE WHEN id IN (SELECT id FROM contacts ORDER BY id LIMIT :n)
                    THEN 'pending' ELSE 'done' END
                WHERE campaign_id = CAST(:campaign AS uuid)
                """
            ),
            {"n": contacts, "campaign": campaign.id},
        )


def _left(database: Database, campaign: Campaign) -> int:
    query = "SELECT count(*) FROM contacts WHERE status = 'pending' AND campaign_id = CAST(:campaign AS uuid)"
    with database.transaction() as session:
        return int(session.execute(text(query), {"campaign": campaign.id}).scalar_one())


def _start(
    database: Database, key: bytes, campaign: Campaign, mode: str, log: Path, name: str
) -> subprocess.Popen[bytes]:
    url = database.engine.url.render_as_string(hide_password=False)
    command = [sys.executable, "-m", __name__, mode, url, key.hex(), campaign.name, name, str(log)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL)  # noqa: S603 - our own module


def _claim(hopper: Hopper, campaign: Campaign, log: Path) -> None:
    now, claims = datetime.now(UTC), 0
    began = time.monotonic()
    while time.monotonic() - began < SECONDS:
        found = hopper.claim(campaign, BATCH, now)
        claims += len(found)
        if not found:
            break
    log.write_text(f"{claims} {time.monotonic() - began}")


def _dial(hopper: Hopper, campaign: Campaign, log: Path) -> None:
    began = datetime.now(UTC)
    with log.open("a") as file:
        while True:
            now = began + (datetime.now(UTC) - began) * FASTER
            found = hopper.claim(campaign, BATCH, now)
            if not found:
                time.sleep(0.2)
            for contact in found:
                at = began + (datetime.now(UTC) - began) * FASTER
                if hopper.open(campaign, call_request(campaign, contact), "line-0", at):
                    # where the INVITE would go out
                    file.write(f"{contact.number}\n")
                    file.flush()
                    os.fsync(file.fileno())


def main() -> None:
    """Be one claimer."""
    mode, url, key, campaign_name, name, log = sys.argv[1:]
    database = Database(url, pool_size=1)
    with database.transaction() as session:
        campaign = CampaignRepository(session).find(campaign_name)
    hopper = Hopper(database, NumberVault(bytes.fromhex(key)), name)
    {"claim": _claim, "dial": _dial}[mode](hopper, campaign, Path(log))


assert timedelta(seconds=FASTER) >= LEASE

if __name__ == "__main__":
    main()
