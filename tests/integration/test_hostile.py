"""Hostile input on real sockets: the user agent survives, answers what can be answered, and goes on working.

The messages are built here after the kinds of trouble that RFC 4475 lists (odd but valid, and invalid in
syntax, in transport and in meaning); the fuzzer is seeded.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import re
import socket
import time
from collections.abc import Iterator

import pytest

from tests.integration.scripted import Line, Memory, Server
from tests.integration.telephone import Telephone
from tests.integration.test_line_worker import request as outbound
from tests.integration.test_line_worker import resolve, running, until
from voicebot.call.events import SessionConfig
from voicebot.call.prompts import PromptMemory
from voicebot.call.worker import LineWorker
from voicebot.telephony import UserAgentConfig
from voicebot.telephony.sip import KEYS_AT_ONCE, KEYS_PER_S

pytestmark = pytest.mark.integration

SDP = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 9 RTP/AVP 8\r\n"
OPUS = SDP.replace("RTP/AVP 8", "RTP/AVP 97") + "a=rtpmap:97 opus/48000\r\n"


@pytest.fixture(scope="module")
def victim() -> Iterator[Telephone]:
    phone = Telephone()
    yield phone
    phone.close()


@pytest.fixture
def wire(victim: Telephone) -> Iterator[socket.socket]:
    host, _, port = victim.host.partition(":")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.connect((host, int(port)))
        sock.settimeout(3)
        yield sock


def request(method: str = "OPTIONS", *, body: str = "", **changes: str | None) -> bytes:
    """Return a request; a header is changed by its name with _ for -, or left out (None)."""
    mark = f"{random.getrandbits(48):x}"
    headers: dict[str, str | None] = {
        "Via": f"SIP/2.0/UDP 127.0.0.1:5099;branch=z9hG4bK{mark};rport",
        "Max-Forwards": "70",
        "From": f"<sip:hostile@127.0.0.1>;tag={mark}",
        "To": "<sip:busy@127.0.0.1>",
        "Call-ID": f"{mark}@hostile",
        "CSeq": f"1 {method}",
        "Contact": "<sip:hostile@127.0.0.1:5099>",
        "Content-Type": "application/sdp" if body else None,
        "Content-Length": str(len(body)),
    }
    start = changes.pop("start", None) or f"{method} sip:busy@127.0.0.1 SIP/2.0"
    headers |= {name.replace("_", "-"): value for name, value in changes.items()}
    lines = [start, *(f"{name}: {value}" for name, value in headers.items() if value is not None)]
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode("latin-1")


def answer(wire: socket.socket) -> int:
    """Return the status of the next final answer, 0 if none comes."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            text = wire.recv(65535).decode("latin-1")
        except TimeoutError:
            return 0
        if text.startswith("SIP/2.0 ") and not text.startswith("SIP/2.0 1"):
            return int(text[8:11])
    return 0


ODD_BUT_VALID = {
    "folded and spaced headers": request(To="\r\n  <sip:busy@127.0.0.1>  \r\n\t;x=1"),
    "escapes in the user part": request(start="OPTIONS sip:%62usy@127.0.0.1 SIP/2.0"),
    "unknown headers with strange values": request(X_Strange='{"a": [1, 2]} \\ ;;,,', NewFangled="\x80\xff"),
    "compact header names": request(Call_ID=None, i="compact@hostile"),
    "many Via": request(
        Via=", ".join(f"SIP/2.0/UDP 127.0.0.1:5099;branch=z9hG4bK{n};rport" for n in range(40))
    ),
}


@pytest.mark.parametrize("message", ODD_BUT_VALID.values(), ids=ODD_BUT_VALID)
def test_odd_but_valid_requests_are_answered(wire: socket.socket, message: bytes) -> None:
    wire.send(message)
    assert answer(wire) == 200


RIGHT_ANSWERS = {  # what RFC 4475 asks for; to unknown methods, schemes and versions pjsip keeps silent
    "an extension that is required": (
        request("INVITE", body=SDP, Require="nothingSupportsThis, norThisEither"),
        420,
    ),
    "a body of an unknown kind": (
        request("INVITE", body="<audio/>", Content_Type="application/unknown"),
        415,
    ),
    "no codec in common": (request("INVITE", body=OPUS), 488),
    "a dialog that is not there": (request("INVITE", body=SDP, To="<sip:busy@127.0.0.1>;tag=none"), 481),
    "a CANCEL of nothing": (request("CANCEL"), 481),
}


@pytest.mark.parametrize(("message", "status"), RIGHT_ANSWERS.values(), ids=RIGHT_ANSWERS)
def test_what_can_not_be_done_gets_the_right_answer(wire: socket.socket, message: bytes, status: int) -> None:
    wire.send(message)
    assert answer(wire) == status


INVALID = {
    "no start line": b"\r\n\r\n\r\n",
    "another protocol": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "version 7": request(start="OPTIONS sip:busy@127.0.0.1 SIP/7.0"),
    "no Via": request(Via=None),
    "no Call-ID": request(Call_ID=None),
    "negative CSeq": request(CSeq="-1 OPTIONS"),
    "CSeq beyond 32 bits": request(CSeq="36893488147419103232 OPTIONS"),
    "CSeq of another method": request(CSeq="1 INVITE"),
    "length that lies, more": request(Content_Length="9999"),
    "length that lies, negative": request(Content_Length="-999"),
    "unclosed quote": request(From='"hostile <sip:hostile@127.0.0.1>;tag=1'),
    "unclosed bracket": request(To="<sip:busy@127.0.0.1"),
    "a NUL in a header": request(X_Nul="a\0b"),
    "a header of 60 000 characters": request(X_Long="a" * 60000),
    "a thousand headers": request(**{f"X_{n}": "y" for n in range(1000)}),
    "unknown scheme": request(start="OPTIONS nobodyKnowsThis:totallyopaque SIP/2.0"),
    "SDP that is none": request("INVITE", body="not sdp at all"),
    "SDP cut off": request("INVITE", body=SDP[:40]),
    "SDP with a port beyond all": request("INVITE", body=SDP.replace("audio 9", "audio 99999999999")),
    "SDP with a thousand media": request("INVITE", body=SDP + "m=audio 9 RTP/AVP 8\r\n" * 1000),
    "an answer to nothing": b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bKx\r\nCall-ID: x\r\n"
    b"CSeq: 1 INVITE\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>;tag=2\r\nContent-Length: 0\r\n\r\n",
    "bare garbage": bytes(range(256)) * 40,
}


@pytest.mark.parametrize("message", INVALID.values(), ids=INVALID)
def test_invalid_messages_kill_nothing(wire: socket.socket, victim: Telephone, message: bytes) -> None:
    wire.send(message)
    wire.send(request())
    assert answer(wire) >= 200, "it still answers"


def test_a_fuzzer_kills_nothing(wire: socket.socket, victim: Telephone) -> None:
    dice = random.Random(4475)
    seeds = [request(), request("INVITE", body=SDP), request("REGISTER"), request("BYE"), *INVALID.values()]
    for _ in range(600):
        message = bytearray(dice.choice(seeds))
        for _ in range(dice.randint(1, 12)):
            at = dice.randrange(len(message))
            match dice.randrange(4):
                case 0:
                    message[at] = dice.randrange(256)
                case 1:
                    del message[at : at + dice.randint(1, 30)]
                case 2:
                    message[at:at] = bytes(dice.randrange(256) for _ in range(dice.randint(1, 30)))
                case 3:
                    message[at:at] = message[at : at + 60] * dice.randint(1, 20)
            message = message or bytearray(b"x")
        wire.send(bytes(message[:60000]))
        if dice.random() < 0.05:
            time.sleep(0.02)  # let it read: a full socket buffer would only drop
    caller = Telephone()
    try:
        caller.do("call", uri=victim.address("talks"))
        caller.wait("Answered", timeout_s=60)  # slots of half-open INVITEs may have to be freed first
    finally:
        caller.close()


# -- floods --


def invite(source: str, number: int) -> bytes:
    return request(
        "INVITE",
        Via=f"SIP/2.0/UDP {source}:5099;branch=z9hG4bK{source}-{number}-{random.getrandbits(32):x};rport",
        Call_ID=f"flood-{number}@{source}",
        From=f"<sip:flood@{source}>;tag=f{number}",
        body=SDP,
    )


def ack(answer: str) -> bytes:
    """Return the ACK of a final answer that is no 2xx (RFC 3261, 17.1.1.3)."""
    kept = [line for line in answer.split("\r\n") if line.startswith(("Via:", "From:", "To:", "Call-ID:"))]
    head = ["ACK sip:busy@127.0.0.1 SIP/2.0", *kept, "CSeq: 1 ACK", "Max-Forwards: 70", "Content-Length: 0"]
    return ("\r\n".join(head) + "\r\n\r\n").encode("latin-1")


async def answers(worker: LineWorker, source: str, count: int, *, acknowledging: bool = True) -> list[str]:
    """Send so many INVITEs from an address, one after the other; return the final answers that came."""
    host, _, port = worker.sip_uri.partition("@")[2].partition(":")
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((source, 0))
        sock.setblocking(False)
        found: dict[str, str] = {}

        async def read(wait_s: float) -> None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    while len(found) < count:
                        text = (await loop.sock_recvfrom(sock, 65535))[0].decode("latin-1")
                        if text.startswith("SIP/2.0 1"):
                            continue
                        found.setdefault(re.findall(r"(?m)^Call-ID: (\S+)", text)[0], text)
                        if acknowledging:
                            await loop.sock_sendto(sock, ack(text), (host, int(port)))

        for number in range(count):
            await loop.sock_sendto(sock, invite(source, number), (host, int(port)))
            await read(0.02)
        await read(3)
    return list(found.values())


async def test_a_flood_from_one_source_is_turned_away_and_others_are_served(victim: Telephone) -> None:
    journal = Memory()
    config = UserAgentConfig(sip_port=0, rtp_port=0, invites_per_s=0.001, invites_at_once=20)
    session = SessionConfig("w", Server([Line(1000, 9000)]).conversation, journal, PromptMemory())
    worker = LineWorker(config, session, resolve)
    await worker.start()
    try:
        await worker.originate(outbound(victim))
        await until(lambda: len(journal.turns) == 1, 30)
        flood = await answers(worker, "127.0.0.1", 60)
        turned_away = [text for text in flood if "too many calls" in text]
        assert len(turned_away) >= 20
        assert all("Retry-After: 5" in text for text in turned_away)
        other = await answers(worker, "127.0.0.2", 1)
        assert "too many calls" not in other[0], "another source has a share of its own"
        assert not journal.records, "the running call goes on"
    finally:
        await worker.stop()


async def test_a_flood_that_never_acknowledges_kills_nothing_and_the_running_call_goes_on(
    victim: Telephone,
) -> None:
    journal = Memory()
    async with running(Server([Line(1000, 9000)]), journal) as worker:
        await worker.originate(outbound(victim))
        await until(lambda: len(journal.turns) == 1)
        flood = await answers(worker, "127.0.0.1", 60, acknowledging=False)
        assert {text[8:11] for text in flood} <= {"404", "486", "503"}
        assert not journal.records, "the running call goes on"


async def test_strangers_are_turned_away_where_sources_are_named() -> None:
    config = UserAgentConfig(sip_port=0, rtp_port=0, sources=("127.0.0.3",))
    worker = LineWorker(
        config, SessionConfig("w", Server([]).conversation, Memory(), PromptMemory()), resolve
    )
    await worker.start()
    try:
        (stranger,) = await answers(worker, "127.0.0.1", 1)
        assert stranger.startswith("SIP/2.0 403")
        (known,) = await answers(worker, "127.0.0.3", 1)
        assert known.startswith("SIP/2.0 404"), "it gets as far as the campaign that it does not name"
    finally:
        await worker.stop()


async def test_a_flood_of_keys_is_cut_to_what_a_hand_can_press(victim: Telephone) -> None:
    journal, server = Memory(), Server([Line(1000, 300, patience_ms=60_000)])
    async with running(server, journal) as worker:
        at = len(victim.events)
        await worker.originate(outbound(victim))
        await until(lambda: len(journal.turns) == 1)
        leg = victim.wait("Invited", after=at)["leg"]
        began = time.monotonic()
        for _ in range(300):
            victim.do("dtmf", digits="1", info=True, leg=leg)
        await asyncio.sleep(4)
        assert not journal.records, "the call goes on"
        most = KEYS_AT_ONCE + KEYS_PER_S * (time.monotonic() - began)
        assert 0 < len(server.asked) <= most + 2
