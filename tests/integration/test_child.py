"""Processes of the supervisor."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from voicebot.service.child import Child, ChildError
from voicebot.service.supervisor import workers_needed

pytestmark = pytest.mark.integration

READY = "import time; from voicebot.service.child import announce; announce(port=7); time.sleep(60)"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + READY
COUNTING = """
import time
import numpy
from threadpoolctl import threadpool_info
from voicebot.service.child import announce
announce(threads=[one["num_threads"] for one in threadpool_info()])
time.sleep(60)
"""
BROKEN = "raise SystemExit('no such weights')"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, code in (("ready", READY), ("stubborn", STUBBORN), ("broken", BROKEN), ("counting", COUNTING)):
        (tmp_path / f"child_{name}.py").write_text(code)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=":")
    return tmp_path


async def test_a_child_is_started_when_it_says_so_and_ends_on_request(place: Path) -> None:
    child = Child("ready", "child_ready", log_file=place / "log")
    await child.start()
    assert child.facts == {"port": 7}
    await child.stop()
    assert child.process is not None
    assert child.process.returncode is not None


async def test_a_child_that_ignores_the_request_is_killed(place: Path) -> None:
    child = Child("stubborn", "child_stubborn", log_file=place / "log")
    await child.start()
    await asyncio.wait_for(child.stop(grace_s=0.2), 5)
    assert child.process is not None
    assert child.process.returncode == -9


async def test_a_child_computes_on_one_thread_of_its_own(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    child = Child("counting", "child_counting", log_file=place / "log")
    await child.start()
    await child.stop()
    assert child.facts["threads"]
    assert set(child.facts["threads"]) == {1}


async def test_a_child_that_cannot_start_says_why(place: Path) -> None:
    child = Child("broken", "child_broken", log_file=place / "log")
    with pytest.raises(ChildError, match="broken ended with status 1: no such weights") as caught:
        await child.start()
    assert str(place / "log") in caught.value.hint


@pytest.mark.parametrize(("calls", "workers"), [(1, 1), (3, 1), (4, 2), (24, 8), (64, 22)])
def test_as_many_workers_as_the_calls_need_with_one_leg_spare_in_each(calls: int, workers: int) -> None:
    assert workers_needed(calls) == workers
