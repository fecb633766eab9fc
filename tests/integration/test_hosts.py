"""Several machines, made of network namespaces as root: `./run test all tests/integration/test_hosts.py`."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.integration.hosts import Host, needs_hosts, network
from voicebot.settings import Settings
from voicebot.store.session import Database
from voicebot.store.workers import ALIVE, INFERENCE, LINE, WorkerRepository

pytestmark = [pytest.mark.integration, pytest.mark.slow, needs_hosts, pytest.mark.timeout(2400)]

CUSTOMER = "8001"  # a persona who is interested enough to talk
PHONE_PORT = 5080


@pytest.fixture
def hosts() -> Iterator[Sequence[Host]]:
    with network(4) as made:
        yield made


def until(done: Callable[[], object], timeout_s: float, what: str) -> None:
    deadline = time.monotonic() + timeout_s
    while not done():
        assert time.monotonic() < deadline, what
        time.sleep(0.3)


def alive(database: Database, kind: str) -> set[str]:
    with database.transaction() as session:
        found = WorkerRepository(session).alive(kind, datetime.now(UTC))
    return {worker.address.partition(":")[0] for worker in found}


def test_lines_and_inference_of_several_machines_carry_calls_and_one_that_dies_is_left_out(
    hosts: Sequence[Host], database: Database, database_url: str, tmp_path: Path
) -> None:
    one, two, three, outside = hosts
    with ExitStack() as stack:

        def serve(host: Host, role: str, **more: str) -> subprocess.Popen[bytes]:
            home = tmp_path / host.namespace
            home.mkdir()
            shared = Settings().home / "models"
            shared.mkdir(parents=True, exist_ok=True)
            (home / "models").symlink_to(shared)  # weights are assembled once
            environment = {
                "VOICEBOT_HOME": str(home),
                "VOICEBOT_DATABASE_URL": database_url,
                "VOICEBOT_NUMBER_KEY": "A" * 43 + "=",
                "VOICEBOT_BIND": host.address,
                "VOICEBOT_CALLS": "3",
                "VOICEBOT_METRICS_PORT": "0",
                **more,
            }
            log = stack.enter_context((tmp_path / f"{host.namespace}.log").open("wb"))
            words = ("-m", "voicebot.cli.main", "serve", "--role", role)
            process = host.start(*words, environment=environment, stdout=log, stderr=log)
            stack.callback(end, process)
            return process

        servers = f"ipv4:{one.address}:50051,{two.address}:50051"
        for host in (one, two):
            serve(host, "inference")
        until(lambda: alive(database, INFERENCE) == {one.address, two.address}, 900, "inference serves")
        lines = serve(three, "line", VOICEBOT_INFERENCE=servers)
        until(lambda: alive(database, LINE) == {three.address}, 300, "lines serve")
        events = tmp_path / "phone.jsonl"
        place = ("--bind", outside.address, "--sip-port", str(PHONE_PORT), "--events", str(events))
        phone = outside.start(
            *("-m", "voicebot.cli.main", "simulate", *place), environment={"VOICEBOT_HOME": str(tmp_path)}
        )
        stack.callback(end, phone)
        until(events.exists, 120, "the customers' phone is there")
        time.sleep(1)

        def call() -> list[dict[str, object]]:
            done = one.start(
                "-m", "tests.integration.host_call", f"sip:{CUSTOMER}@{outside.address}:{PHONE_PORT}",
                environment={"VOICEBOT_DATABASE_URL": database_url}, stdout=subprocess.PIPE,
            )  # fmt: skip
            output, _ = done.communicate(timeout=300)
            return [json.loads(line) for line in output.splitlines()]

        (first,) = call()
        assert first["cause"] in ("bot_hung_up", "customer_hung_up"), first
        assert int(str(first["turns"])) >= 2
        assert float(str(first["mos"])) > 4, "two machines of one switch hear each other well"

        two.unplug()  # one of two inference servers is gone, and says nothing of it
        (second,) = call()
        assert int(str(second["turns"])) >= 2, "the other one serves"

        three.unplug()
        lines.send_signal(signal.SIGKILL)
        until(lambda: not alive(database, LINE), ALIVE.total_seconds() + 30, "a dead machine is left out")


def end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(5)


PROXY = """
import asyncio, sys
async def pump(reader, writer):
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
async def serve(reader, writer):
    near, far = await asyncio.open_unix_connection(sys.argv[1])
    await asyncio.gather(pump(reader, far), pump(near, writer))
async def main():
    server = await asyncio.start_server(serve, sys.argv[2], 5432)
    print("ready", flush=True)
    await server.serve_forever()
asyncio.run(main())
"""
QUERY = """
import sys, time
from sqlalchemy import text
from voicebot.store.session import Database
from voicebot.domain.errors import StoreError
database = Database(sys.argv[1])
database.check()
print("asked", flush=True)
began = time.monotonic()
try:
    with database.transaction() as session:
        session.execute(text("SELECT pg_sleep(8)"))
    print("answered", flush=True)
except StoreError:
    print(f"away {time.monotonic() - began:.0f}", flush=True)
"""


def test_a_database_whose_machine_vanishes_in_a_query_is_given_up_in_seconds(
    hosts: Sequence[Host], database_url: str
) -> None:
    """Half-open TCP: the query was acknowledged, and then nothing ever comes."""
    there, here, *_ = hosts
    folder = database_url.rpartition("host=")[2]
    name = database_url.rpartition("?")[0].rpartition("/")[2]
    proxy = there.start(
        "-c", PROXY, f"{folder}/.s.PGSQL.5432", there.address, environment={}, stdout=subprocess.PIPE
    )
    try:
        assert proxy.stdout is not None
        assert proxy.stdout.readline().strip() == b"ready"
        url = f"postgresql://voicebot@{there.address}/{name}?sslmode=disable"
        client = here.start("-c", QUERY, url, environment={}, stdout=subprocess.PIPE)
        assert client.stdout is not None
        assert client.stdout.readline().strip() == b"asked"
        time.sleep(1)
        there.unplug()
        output, _ = client.communicate(timeout=60)
        word, _, seconds = output.decode().strip().partition(" ")
        assert word == "away"
        assert int(seconds) < 45
    finally:
        end(proxy)
