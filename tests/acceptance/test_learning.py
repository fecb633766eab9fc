"""Feedback on a demo call changes what the next call says: real SIP, real engines, a real training.

A supervisor grades one turn of a call to a persona in the console and names a better script; the jobs process
retrains; a person makes the candidate live; the next call to the same persona gets the better script.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from voicebot.domain.users import Right
from voicebot.service.child import Child
from voicebot.store.api_tokens import ApiTokenRepository
from voicebot.store.session import Database

pytestmark = [pytest.mark.acceptance, pytest.mark.slow, pytest.mark.timeout(3600)]

PERSONA = "price"
SAID = "申请"  # in the turn that is graded
GRADED = 1  # calls; one pair of samples, for and against, is enough where the words come again
TRAINED_S = 2400.0  # at most


@dataclass(frozen=True, slots=True)
class House:
    """An installation: its home, its database, and its console."""

    home: Path
    environment: dict[str, str]
    console: httpx.AsyncClient

    async def voicebot(self, *words: str) -> str:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "voicebot.cli.main", *words,
            env=self.environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        said, _ = await process.communicate()
        assert process.returncode == 0, said.decode()[-4000:]
        return said.decode()

    async def call(self) -> tuple[str, dict[str, Any]]:
        """Call the persona as the demo does; return the call's id and the turn that is graded."""
        report = self.home / "demo.json"
        await self.voicebot("demo", "--only", PERSONA, "--json", str(report))
        (call,) = json.loads(report.read_text("utf-8"))["calls"]
        turns = [turn for turn in call["turns"] if SAID in turn["customer_text"]]
        assert turns, [turn["customer_text"] for turn in call["turns"]]
        return call["id"], turns[0]

    async def asked(self, method: str, path: str, **body: Any) -> Any:
        answer = await self.console.request(method, f"/api/v1{path}", json=body or None)
        assert answer.is_success, answer.text
        return answer.json()


@pytest.fixture
async def house(postgres_directory: Path, database_url: str) -> AsyncIterator[House]:
    """An installation whose console and jobs run."""
    home = postgres_directory / "learning"
    home.mkdir()
    settings = {
        "VOICEBOT_HOME": str(home), "VOICEBOT_DATABASE_URL": database_url, "VOICEBOT_CONSOLE_PORT": "0",
    }  # fmt: skip
    database = Database(database_url)
    with database.transaction() as session:
        scopes = [Right.GRADE, Right.SEE_CALLS, Right.TRAIN]
        token = ApiTokenRepository(session).make("supervisor", scopes, "test", None)
    database.dispose()
    console = Child("console", "voicebot.console", env=settings, log_file=home / "console.log")
    jobs = Child("jobs", "voicebot.service.jobs", env=settings, log_file=home / "jobs.log")
    await console.start()
    await jobs.start()
    try:
        async with httpx.AsyncClient(
            base_url=console.facts["url"], headers={"Authorization": f"Bearer {token}"}, timeout=60
        ) as client:
            yield House(home, os.environ | settings, client)
    finally:
        await jobs.stop()
        await console.stop()


async def trained(house: House) -> dict[str, Any]:
    """Wait until a training has ended; return it."""
    async with asyncio.timeout(TRAINED_S):
        while True:
            (found,) = (await house.asked("GET", "/trainings"))["items"]
            if found["state"] not in ("waiting", "running"):
                return dict(found)
            await asyncio.sleep(2)


async def test_what_a_supervisor_teaches_is_said_in_the_next_call(house: House) -> None:
    better = ""
    for _ in range(GRADED):
        call_id, turn = await house.call()
        others = [one["script_id"] for one in turn["candidates"] if one["script_id"] != turn["script_id"]]
        better = better or others[0]
        assert turn["script_id"] != better
        await house.asked(
            "POST", "/feedback", call_id=call_id, seq=turn["seq"], grade="差", better_script=better
        )
    await house.voicebot("feedback", "gather")
    await house.asked("POST", "/trainings", playbook="consumer_loan")
    training = await trained(house)
    assert training["state"] == "candidate", training["error"]
    assert training["samples"] >= 2 * GRADED
    name, _, version = training["model"].partition("-")
    moved = await house.asked("POST", f"/models/{name}/{version}/promote", why="heard the calls")
    assert (moved["state"], moved["data"]["playbook"]) == ("live", "consumer_loan")
    _, turn = await house.call()
    assert turn["script_id"] == better, turn
    assert turn["customer_text"]
