"""The torture messages of RFC 4475 against the user agent: what may be answered is, and nothing breaks."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator

import pytest

from tests.integration.telephone import Telephone
from tests.integration.torture import SILENCE, Torture, request
from tests.integration.torture_cases import CASES

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def victim() -> Iterator[Telephone]:
    phone = Telephone()
    yield phone
    assert phone.close() == 0


@pytest.fixture
def wire(victim: Telephone) -> Iterator[socket.socket]:
    host, _, port = victim.host.partition(":")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.connect((host, int(port)))
        yield sock


PROBE = Torture("a sound request", request("OPTIONS sip:busy@127.0.0.1 SIP/2.0", "X-Probe: 1"), (200,))


QUIET_S = 0.7  # nothing comes so long after the sound request was answered: it was thrown away


def answers(wire: socket.socket, case: Torture) -> tuple[int, bool]:
    """Send a message and a sound one after it; return the first one's final answer (SILENCE if none came),
    and whether the second one's came.
    """
    probe = PROBE.message()
    probe_id = call_id(probe.decode())
    wire.send(case.message())
    wire.send(probe)
    first, alive = SILENCE, False
    try:
        while not (first and alive):
            wire.settimeout(QUIET_S if alive else 5)
            text = wire.recv(65535).decode("utf-8", "replace")
            if not text.startswith("SIP/2.0 ") or text.startswith("SIP/2.0 1"):
                continue
            if call_id(text) == probe_id:
                alive = True
            else:
                first = first or int(text[8:11])
                if " INVITE" in text:
                    finish(wire, text)
    except TimeoutError:
        pass
    return first, alive


def finish(wire: socket.socket, answer: str) -> None:
    """Acknowledge an answer to an INVITE, and hang up: what is half open holds a leg for half a minute."""
    kept = [line for line in answer.split("\r\n") if line.startswith(("Via:", "From:", "To:", "Call-ID:"))]
    number = int(re.findall(r"(?m)^CSeq: (\d+)", answer)[0])
    for method, cseq in (("ACK", number), ("BYE", number + 1)):
        head = [f"{method} sip:busy@127.0.0.1 SIP/2.0", *kept, f"CSeq: {cseq} {method}", "Max-Forwards: 70"]
        wire.send(("\r\n".join([*head, "Content-Length: 0"]) + "\r\n\r\n").encode())


def call_id(text: str) -> str:
    found = re.search(r"(?im)^(?:call-id|i)\s*:\s*(\S+)", text)
    return found[1] if found else ""


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_torture_message_gets_a_right_answer_and_the_next_one_too(
    wire: socket.socket, victim: Telephone, case: Torture
) -> None:
    known = len(victim.events)
    status, alive = answers(wire, case)
    assert alive, "it answers the next request"
    assert status in case.answers + case.tolerated, f"{case.section}: {status}"
    talking = [
        event for event in victim.events[known:] if event["event"] == "Invited" and event["user"] == "talks"
    ]
    assert not talking, "what stands behind a message is none"


ODD_REASONS = {
    "in Cyrillic": "= 2**3 * 5**2 но сто девяносто девять - простое",
    "none": "",
    "long": "x" * 2000,
    "control characters": "\x01\x02",
}


@pytest.fixture(scope="module")
def caller() -> Iterator[Telephone]:
    phone = Telephone()
    yield phone
    assert phone.close() == 0


@pytest.mark.parametrize("reason", ODD_REASONS.values(), ids=ODD_REASONS)
def test_an_odd_reason_for_our_own_call_ends_it_as_its_status_says(caller: Telephone, reason: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as far:
        far.bind(("127.0.0.1", 0))
        far.settimeout(5)
        at = len(caller.events)
        caller.do("call", uri=f"sip:odd@127.0.0.1:{far.getsockname()[1]}")
        while not (invite := far.recvfrom(65535))[0].startswith(b"INVITE"):
            pass
        kept = [
            line
            for line in invite[0].decode().split("\r\n")
            if line.startswith(("Via:", "From:", "Call-ID:", "CSeq:"))
        ]
        to = re.findall(r"(?m)^To: (.+?)\r", invite[0].decode())[0]
        lines = [f"SIP/2.0 486 {reason}", *kept, f"To: {to};tag=odd", "Content-Length: 0"]
        far.sendto(("\r\n".join(lines) + "\r\n\r\n").encode(), invite[1])
        ended = caller.wait("Ended", after=at)
        assert ended["status"] == 486
