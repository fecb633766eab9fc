"""Hostile sound: malformed RTP and RTCP, garbage, and a stranger who talks into a call."""

from __future__ import annotations

import random
import socket
import struct
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.telephone import Telephone, loudness_of

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def victim() -> Iterator[Telephone]:
    phone = Telephone()
    yield phone
    assert phone.close() == 0


def rtp(first: int, kind: int, payload: bytes, *, seq: int = 1) -> bytes:
    """Return an RTP packet with any first octet: version, padding, extension, number of sources."""
    return struct.pack("!BBHII", first, kind, seq, 160 * seq, 0xBADBAD) + payload


def rtcp(kind: int, words: int, payload: bytes, *, count: int = 1) -> bytes:
    """Return an RTCP packet that says what length it likes."""
    return struct.pack("!BBH", 0x80 | count, kind, words) + payload


WHO = struct.pack("!I", 0xBADBAD)
MALFORMED = (
    rtp(0x8F, 8, b""),  # sources that are not there
    rtp(0x90, 8, b"\xbe\xde\xff\xff"),  # an extension beyond the end
    rtp(0x90, 8, b"\xbe"),  # … cut off
    rtp(0xA0, 8, b"\xff"),  # padding beyond the packet
    rtp(0xA0, 8, b"\x00"),  # padding of nothing
    rtp(0x80, 8, b"")[:5],  # half a header
    b"\x80",
    b"",
    rtp(0xC0, 8, bytes(160)),  # version 3
    rtp(0x80, 111, bytes(160)),  # a payload of no known kind
    rtp(0x80, 101, b"\x01"),  # a key cut off
    rtp(0x80, 101, b"\xff\x80\xff\xff"),  # a key of an unknown number
    rtp(0x80, 8, bytes(65000)),  # the largest datagram
    *(rtp(0x80, 8, bytes(160), seq=seq) for seq in (0, 65535, 1, 32768, 2)),  # numbers that run round
    rtcp(200, 6, WHO + bytes(20), count=31),  # a report of 31 sources that are not there
    rtcp(201, 0xFFFF, WHO),  # … longer than the datagram
    rtcp(200, 0, b""),  # … of no length
    rtcp(202, 2, WHO + b"\x01\xff"),  # names without end
    rtcp(203, 1, WHO),  # a stranger's good-bye
    rtcp(203, 2, WHO + b"\xffbye"),  # … with a reason beyond the end
    rtcp(201, 1, WHO) * 50 + rtcp(204, 0, b""),  # many in one, and one of no length
    rtcp(206, 2, WHO + WHO, count=31),  # feedback of no kind
)


def test_malformed_rtp_and_rtcp_break_neither_the_call_nor_its_sound(victim: Telephone) -> None:
    caller = Telephone()
    try:
        at = len(victim.events)
        caller.do("call", uri=victim.address("customer"))
        leg = victim.wait("Invited", after=at, timeout_s=60)["leg"]
        caller.wait("Answered", timeout_s=60)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            for port in media_ports(victim.pid):
                for packet in MALFORMED:
                    sock.sendto(packet, ("127.0.0.1", port))
        time.sleep(0.5)
        caller.do("play", hz=1000, ms=1500)
        time.sleep(2)
        assert not [e for e in victim.events[at:] if e["event"] == "Ended"], (
            "no good-bye of a stranger counts"
        )
        heard = victim.heard(leg)
        assert loudness_of(1000, heard[-16 * 1800 :]) > 0.6, "the far end is heard as before"
        caller.do("hang_up")
        victim.wait("Ended", after=at)
    finally:
        caller.close()


def test_garbage_on_the_media_port_is_not_heard_as_a_hang_up(victim: Telephone) -> None:
    caller = Telephone()
    try:
        at = len(victim.events)
        caller.do("call", uri=victim.address("talks"))
        caller.wait("Answered", timeout_s=60)
        dice = random.Random(3550)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            for port in media_ports(victim.pid):
                for _ in range(200):
                    head = bytes([0x80 | dice.randrange(64), dice.randrange(256)])
                    sock.sendto(head + dice.randbytes(dice.randrange(1400)), ("127.0.0.1", port))
        caller.do("dtmf", digits="1234567890*#" * 4)
        leg = victim.wait("Invited", after=at)["leg"]
        time.sleep(1)
        assert not [e for e in victim.events[at:] if e["event"] == "Ended" and e.get("leg") == leg]
        caller.do("hang_up")
        victim.wait("Ended", after=at)
    finally:
        caller.close()


def media_ports(pid: int) -> list[int]:
    """Return the UDP ports that a process has open, from /proc."""
    inodes = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = str(link.readlink())
        except OSError:
            continue
        if target.startswith("socket:["):
            inodes.add(target[8:-1])
    rows = (line.split() for line in Path(f"/proc/{pid}/net/udp").read_text().splitlines()[1:])
    return [int(row[1].rpartition(":")[2], 16) for row in rows if row[9] in inodes]


def test_a_stranger_draws_no_sound_to_itself_and_is_not_heard_instead_of_the_caller(
    victim: Telephone,
) -> None:
    """What gets RTP through NAT (to answer where it comes from) must not give calls away."""
    caller = Telephone()
    try:
        at = len(victim.events)
        caller.do("call", uri=victim.address("talks"))
        leg = victim.wait("Invited", after=at)["leg"]
        caller.wait("Answered")
        time.sleep(0.5)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            stranger.bind(("127.0.0.2", 0))
            stranger.setblocking(False)
            caller.do("play", hz=1000, ms=2500)
            for seq in range(100):
                for port in media_ports(victim.pid):
                    stranger.sendto(rtp(0x80, 8, b"\xd5" * 160, seq=seq), ("127.0.0.1", port))
                time.sleep(0.02)
            with pytest.raises(BlockingIOError):
                stranger.recv(2000)
        assert loudness_of(440, caller.heard(0)[-16 * 1000 :]) > 0.6, "the caller hears as before"
        assert loudness_of(1000, victim.heard(leg)[-16 * 1500 :]) > 0.6, "and is heard"
        caller.do("hang_up")
        victim.wait("Ended", after=at)
    finally:
        caller.close()
