"""Kamailio in front of line workers, with the shipped configuration, over real SIP."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.integration.sipp import free_port
from tests.integration.telephone import Telephone
from voicebot.domain.errors import SettingsError
from voicebot.service.fleet import dispatcher_list
from voicebot.store.workers import LINE, Worker

pytestmark = pytest.mark.integration
CONFIG = Path(__file__).resolve().parents[2] / "dialplans" / "kamailio" / "kamailio.cfg"
needs_kamailio = pytest.mark.skipif(
    shutil.which("kamailio") is None, reason="Kamailio is not installed (apt install kamailio)"
)


def a_worker(name: str, uri: str, *, capacity: int = 3, draining: bool = False) -> Worker:
    now = datetime.now(UTC)
    return Worker(name, LINE, "127.0.0.1:1", uri, capacity, 0, now, now, draining)


@contextmanager
def kamailio(listing: str) -> Iterator[str]:
    """Run Kamailio over a dispatcher.list; yield host:port."""
    with tempfile.TemporaryDirectory(prefix="vb-kam-") as folder:
        port = free_port()
        Path(folder, "dispatcher.list").write_text(listing)
        # fmt: off  # options and their values in a line
        command = [
            "kamailio",
            "-f",
            str(CONFIG),
            "-DD",
            "-E",
            "-m",
            "32",
            "-M",
            "4",
            "-Y",
            folder,
            "-A",
            f"LISTEN=udp:127.0.0.1:{port}",
            "-A",
            f'LIST="{folder}/dispatcher.list"',
            "-A",
            f'CONTROL="unix:{folder}/kamailio_ctl"',
        ]
        # fmt: on
        with Path(folder, "log").open("w") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        try:
            deadline = time.monotonic() + 20
            while not Path(folder, "kamailio_ctl").exists():
                if process.poll() is not None or time.monotonic() > deadline:
                    raise AssertionError(Path(folder, "log").read_text()[-2000:])
                time.sleep(0.05)
            yield f"127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(10)


@pytest.fixture
def phones() -> Iterator[tuple[Telephone, Telephone, Telephone]]:
    """A trunk and two workers."""
    made = (Telephone(), Telephone(), Telephone())
    yield made
    for phone in made:
        phone.close()


def invited(phone: Telephone) -> int:
    return sum(event["event"] == "Invited" for event in phone.events)


@needs_kamailio
def test_calls_go_to_the_least_loaded_worker_and_a_bye_frees_it(
    phones: tuple[Telephone, Telephone, Telephone],
) -> None:
    trunk, one, two = phones
    workers = [a_worker("one", one.uri, capacity=1), a_worker("two", two.uri, capacity=1)]
    with kamailio(dispatcher_list(workers, [f"sip:{trunk.host}"])) as front:
        for _ in range(2):
            at = len(trunk.events)
            trunk.do("call", uri=f"sip:campaign@{front}", headers={"X-Campaign-Id": "c-1"})
            trunk.wait("Answered", after=at)
        assert (invited(one), invited(two)) == (1, 1)
        assert one.wait("Invited")["headers"]["X-Campaign-Id"] == "c-1"

        at = len(trunk.events)
        trunk.do("call", uri=f"sip:campaign@{front}")
        assert trunk.wait("Ended", after=at)["status"] == 503  # both are full: a clean answer, at once

        at = len(trunk.events)
        one.do("hang_up", leg=0)
        trunk.wait("Ended", after=at)
        at = len(trunk.events)
        trunk.do("call", uri=f"sip:campaign@{front}")
        trunk.wait("Answered", after=at)
        assert invited(one) == 2


@needs_kamailio
def test_a_killed_worker_that_is_chosen_costs_a_moment_not_the_call(
    phones: tuple[Telephone, Telephone, Telephone],
) -> None:
    trunk, one, two = phones
    workers = [a_worker("one", one.uri), a_worker("two", two.uri)]
    with kamailio(dispatcher_list(workers, [f"sip:{trunk.host}"])) as front:
        at = len(trunk.events)
        trunk.do("call", uri=f"sip:campaign@{front}")
        trunk.wait("Answered", after=at)
        busy, idle = (one, two) if invited(one) else (two, one)
        os.kill(idle.pid, signal.SIGKILL)  # it has the fewest calls, so it is chosen next
        at = len(trunk.events)
        trunk.do("call", uri=f"sip:campaign@{front}")
        trunk.wait("Answered", after=at)
        assert invited(busy) == 2


@needs_kamailio
def test_a_worker_whose_machine_swallows_everything_is_asked_first_and_costs_a_moment(
    phones: tuple[Telephone, Telephone, Telephone],
) -> None:
    """No ICMP error tells that nobody is there, as when a machine is gone: only the silence does."""
    trunk, one, two = phones
    workers = [a_worker("one", one.uri), a_worker("two", two.uri)]
    with (
        kamailio(dispatcher_list(workers, [f"sip:{trunk.host}"])) as front,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as grave,
    ):
        at = len(trunk.events)
        trunk.do("call", uri=f"sip:campaign@{front}")
        trunk.wait("Answered", after=at)
        busy, idle = (one, two) if invited(one) else (two, one)
        os.kill(idle.pid, signal.SIGKILL)  # it has the fewest calls, so it is chosen next
        idle.close()
        host, _, port = idle.host.partition(":")
        grave.bind((host, int(port)))
        grave.settimeout(0.1)
        at = len(trunk.events)
        trunk.do("call", uri=f"sip:campaign@{front}", headers={"X-Campaign-Id": "c-1"})
        trunk.wait("Answered", after=at)
        asked = []
        with contextlib.suppress(TimeoutError):
            while True:
                asked.append(grave.recvfrom(65535)[0])
    invites = [message for message in asked if message.startswith(b"INVITE ")]
    assert invites, "the dead worker was not the first choice"
    assert b"X-Campaign-Id: c-1" in invites[0]
    assert [
        event["headers"].get("X-Campaign-Id") for event in busy.events if event["event"] == "Invited"
    ] == [
        None,
        "c-1",
    ]


@needs_kamailio
def test_an_unknown_source_is_no_trunk_and_an_answer_about_the_call_goes_back(
    phones: tuple[Telephone, Telephone, Telephone],
) -> None:
    trunk, one, stranger = phones
    with kamailio(dispatcher_list([a_worker("one", one.uri)], [f"sip:{trunk.host}"])) as front:
        stranger.do("call", uri=f"sip:campaign@{front}")
        assert stranger.wait("Ended")["status"] == 403
        trunk.do("call", uri=f"sip:busy@{front}")
        assert trunk.wait("Ended")["status"] == 486
        one.do("call", uri=f"sip:talks@{front}")  # a worker dials out through the trunk
        assert trunk.wait("Invited")["user"] == "talks"


def test_a_draining_worker_and_one_without_legs_are_not_listed() -> None:
    workers = [
        a_worker("host-line-0", "sip:127.0.0.1:5060"),
        a_worker("host-line-1", "sip:127.0.0.1:5061", draining=True),
        a_worker("host-line-2", "sip:127.0.0.1:5062", capacity=0),
    ]
    text = dispatcher_list(workers, ["sip:10.0.0.9:5060", "sip:10.0.0.10:5060"])
    assert text.splitlines()[1:] == [
        "1 sip:127.0.0.1:5060 0 0 duid=host-line-0;maxload=3",
        "2 sip:10.0.0.9:5060 0 2",
        "2 sip:10.0.0.10:5060 0 1",
    ]
    with pytest.raises(SettingsError, match="no trunk"):
        dispatcher_list(workers, [])
