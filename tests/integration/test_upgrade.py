"""An upgrade, machine after machine: who talks goes on, new calls go elsewhere, nobody is cut off."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import text

from tests.integration.telephone import Telephone
from tests.integration.test_inference_server import process
from tests.integration.test_line_worker import until
from voicebot.domain.call import CallRequest, Direction
from voicebot.domain.errors import CapacityError
from voicebot.domain.ids import uuid7
from voicebot.service.child import Child
from voicebot.service.fleet import dispatcher_list
from voicebot.service.lines import Lines
from voicebot.service.supervisor import Supervisor
from voicebot.settings import Settings
from voicebot.store.session import Database
from voicebot.store.workers import LINE, WorkerRepository

pytestmark = pytest.mark.integration
TRUNKS = ["sip:127.0.0.1:5060"]


@pytest.fixture(scope="module")
def phone() -> Iterator[Telephone]:
    telephone = Telephone()
    yield telephone
    assert telephone.close() == 0


@asynccontextmanager
async def another_machine(settings: Settings, database_url: str, log: Path) -> AsyncIterator[str]:
    """Run the second line worker as it runs elsewhere; yield its address."""
    env = {**settings.as_environment(), "VOICEBOT_DATABASE_URL": database_url}
    child = Child("line-1", "voicebot.service.line", ("--index", "1"), env=env, log_file=log)
    await child.start()
    try:
        yield f"127.0.0.1:{child.facts['port']}"
    finally:
        await child.stop()


def call(phone: Telephone) -> CallRequest:
    return CallRequest(str(uuid7()), "", "", "", "loan", Direction.OUTBOUND, phone.address("customer"))


def machine(home: Path, port: int, drain_s: float) -> Settings:
    free = Settings(sip_port=0, rtp_port=0, line_port=0, metrics_port=0, calls=3)
    update = {"home": home, "inference": f"127.0.0.1:{port}", "drain_s": drain_s}
    return free.model_copy(update=update)


async def test_a_machine_that_is_upgraded_lets_its_calls_end_and_others_take_the_new_ones(
    database: Database, database_url: str, phone: Telephone, tmp_path: Path
) -> None:
    def free() -> list[str]:
        with database.transaction() as session:
            return [worker.id[-6:] for worker, _ in WorkerRepository(session).free(datetime.now(UTC))]

    lines = Lines()
    async with process() as (_, port):
        settings = machine(tmp_path / "one", port, drain_s=60)
        other = machine(tmp_path / "two", port, drain_s=60)
        async with another_machine(other, database_url, tmp_path / "two.log") as elsewhere:
            supervisor = Supervisor(settings, database_url, tmp_path / "logs", roles=("line",))
            await supervisor.__aenter__()
            (child,) = supervisor.lines
            here = f"127.0.0.1:{child.facts['port']}"
            assert sorted(free()) == ["line-0", "line-1"]
            running = call(phone)
            at = len(phone.events)
            await lines.originate(here, running)
            leg = phone.wait("Invited", after=at)["leg"]
            phone.wait("Answered", after=at)

            ending = asyncio.create_task(supervisor.__aexit__(None, None, None))  # SIGTERM to the service
            await until(lambda: free() == ["line-1"])
            with pytest.raises(CapacityError, match="draining"):
                await lines.originate(here, call(phone))
            with database.transaction() as session:
                workers = WorkerRepository(session).alive(LINE, datetime.now(UTC))
            listed = dispatcher_list(workers, TRUNKS)
            assert "line-1" in listed
            assert "line-0" not in listed
            at = len(phone.events)
            await lines.originate(elsewhere, call(phone))
            phone.wait("Answered", after=at)
            await asyncio.sleep(3)
            assert not [event for event in phone.events if event["event"] == "Ended"], "nobody is cut off"
            assert not ending.done()

            phone.do("hang_up", leg=leg)
            async with asyncio.timeout(20):
                await ending
            assert child.process is not None
            assert child.process.returncode == 0
            with database.transaction() as session:
                query = text("SELECT cause FROM calls WHERE id = :id")
                assert session.execute(query, {"id": running.call_id}).scalar_one() == "customer_hung_up"
            assert free() == ["line-1"]
            async with Supervisor(
                settings, database_url, tmp_path / "logs", roles=("line",)
            ):  # the new version
                assert sorted(free()) == ["line-0", "line-1"]
            phone.clear()
        await lines.close()


async def test_who_still_talks_at_the_end_of_the_grace_is_cut_off_and_the_service_ends(
    database_url: str, phone: Telephone, tmp_path: Path
) -> None:
    lines = Lines()
    async with process() as (_, port):
        settings = machine(tmp_path / "one", port, drain_s=2)
        supervisor = Supervisor(settings, database_url, tmp_path / "logs", roles=("line",))
        async with supervisor:
            at = len(phone.events)
            await lines.originate(f"127.0.0.1:{supervisor.lines[0].facts['port']}", call(phone))
            phone.wait("Answered", after=at)
            began = asyncio.get_running_loop().time()
        assert asyncio.get_running_loop().time() - began < 15
        await lines.close()
    phone.clear()
