"""What the machine under the voicebot may do: fill its disk, jump its clock, kill its processes."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any

import pytest

from tests.integration.scripted import Line, Memory, Server
from tests.integration.telephone import Telephone
from tests.integration.test_line_worker import HANG_UP, ended, request, running, until
from voicebot.call import account
from voicebot.call.journal import PostgresJournal
from voicebot.domain.call import EndCause
from voicebot.store.session import Database
from voicebot.telephony import Recording

pytestmark = pytest.mark.integration
FULL = Path("/dev/full")  # every write fails with ENOSPC


@pytest.fixture(scope="module")
def phone() -> Iterator[Telephone]:
    telephone = Telephone()
    yield telephone
    assert telephone.close() == 0


# -- a full disk --


@pytest.mark.skipif(not FULL.exists(), reason="no /dev/full here")
def test_a_full_disk_ends_the_recording_and_what_comes_later_fills_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "call.wav"
    recording = Recording(path)
    os.dup2(os.open(FULL, os.O_WRONLY), recording._file.fileno())
    for _ in range(200):
        recording.write(bytes(320), bytes(320))
    deadline = time.monotonic() + 5
    while recording._thread.is_alive() and time.monotonic() < deadline:
        time.sleep(0.01)
    waiting = recording._frames.qsize()
    for _ in range(500):
        recording.write(bytes(320), bytes(320))
    assert recording._frames.qsize() == waiting
    recording.close()


async def test_with_a_full_disk_a_call_goes_on_without_its_recording(
    phone: Telephone, tmp_path: Path
) -> None:
    blocked = tmp_path / "recordings"
    blocked.write_text("where the folder should be")  # as when no directory can be made
    journal = Memory()
    async with running(Server([Line(1000, 300, HANG_UP.action)]), journal, recordings=blocked) as worker:
        await worker.originate(request(phone))
        record = await ended(journal)
    assert record.cause is EndCause.BOT_HUNG_UP
    assert record.recording == ""


@pytest.mark.skipif(not FULL.exists(), reason="no /dev/full here")
def test_with_a_full_disk_the_journal_still_reaches_the_database(
    database: Database, tmp_path: Path, make: Any
) -> None:
    journal = PostgresJournal(database, tmp_path, "line-0")
    os.dup2(os.open(FULL, os.O_WRONLY | os.O_APPEND), journal._spool._file)
    made = make.request()
    journal.answered(made, "line-0")
    journal.turn(make.turn(made.call_id, 1, do_not_call=True))
    journal.ended(make.record(made))
    assert journal.flush(10)
    assert journal.spool_pending == 0


# -- a clock that jumps --


class Jumping(datetime):
    """A wall clock that can be set."""

    off = timedelta(0)

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Jumping:
        real = datetime.now(tz) + cls.off
        return cls(*real.timetuple()[:6], real.microsecond, tzinfo=tz)


@pytest.mark.parametrize("hours", [-5, 5])
async def test_a_clock_that_jumps_in_a_call_changes_neither_its_course_nor_its_length(
    phone: Telephone, monkeypatch: pytest.MonkeyPatch, hours: int
) -> None:
    monkeypatch.setattr(account, "datetime", Jumping)
    monkeypatch.setattr(Jumping, "off", timedelta(0))
    journal = Memory()
    async with running(Server([Line(1000, 500), HANG_UP]), journal) as worker:
        await worker.originate(request(phone))
        await until(lambda: len(journal.turns) == 1)
        monkeypatch.setattr(Jumping, "off", timedelta(hours=hours))
        await asyncio.sleep(0.9)
        phone.do("speak", ms=700)
        record = await ended(journal)
    assert record.cause is EndCause.BOT_HUNG_UP
    assert record.answered_at is not None
    assert timedelta(seconds=1) < record.ended_at - record.answered_at < timedelta(seconds=20)
    assert record.started_at <= record.answered_at


# -- a killed supervisor --

WORK = """
import asyncio, sys
from voicebot.service.child import Child
async def main():
    child = Child("jobs", "voicebot.service.jobs", log_file=None)
    await child.start()
    print(child.process.pid, flush=True)
    await asyncio.sleep(600)
asyncio.run(main())
"""


def test_the_processes_of_a_killed_supervisor_end_by_themselves(database_url: str, tmp_path: Path) -> None:
    environment = {**os.environ, "VOICEBOT_DATABASE_URL": database_url, "VOICEBOT_HOME": str(tmp_path)}
    with subprocess.Popen(
        [sys.executable, "-c", WORK], stdout=subprocess.PIPE, env=environment, text=True, cwd=ROOT
    ) as supervisor:
        assert supervisor.stdout is not None
        child = int(next(line for line in supervisor.stdout if line.strip().isdigit()))
        assert alive(child)
        supervisor.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 20
    while alive(child) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not alive(child), "nobody holds the ports when the next one starts"


ROOT = Path(__file__).resolve().parents[2]


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"
