"""Several trunks in one line worker: each call goes out with its own trunk's account, number and codecs."""

from __future__ import annotations

import queue
import re
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from voicebot.campaign.dialer import call_request
from voicebot.domain.call import EndCause
from voicebot.domain.campaign import Campaign, CampaignStatus, Contact
from voicebot.domain.trunk import NumberFormat, Trunk
from voicebot.telephony import Ended, LegEvent, UserAgent

pytestmark = pytest.mark.integration


class Gateway:
    """A gateway that writes every INVITE down and is always busy."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.host = f"127.0.0.1:{self._socket.getsockname()[1]}"
        self.invites: queue.Queue[str] = queue.Queue()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening."""
        self._socket.sendto(b"END", self._socket.getsockname())
        self._thread.join(5)
        self._socket.close()

    def _serve(self) -> None:
        while (data := self._socket.recvfrom(65536))[0] != b"END":
            message, peer = data[0].decode(), data[1]
            if not message.startswith("INVITE"):
                continue
            self.invites.put(message)
            kept = re.findall(r"^(?:Via|From|Call-ID|CSeq):.*$", message, re.MULTILINE)
            to = re.findall(r"^To:.*$", message, re.MULTILINE)[0].strip()
            lines = [
                "SIP/2.0 486 Busy Here",
                *(line.strip() for line in kept),
                f"{to};tag=g",
                "Content-Length: 0",
            ]
            self._socket.sendto("\r\n".join([*lines, "", ""]).encode(), peer)


@pytest.fixture
def gateways() -> Iterator[tuple[Gateway, Gateway]]:
    made = Gateway(), Gateway()
    yield made
    for gateway in made:
        gateway.close()


def call(agent: UserAgent, campaign: Campaign, trunk: Trunk) -> Ended:
    """Call the campaign's contact as the dialer has it called."""
    contact = Contact("k", campaign.id, "+8613900000000", "Asia/Shanghai")
    request = call_request(campaign, contact, trunk)
    events: queue.Queue[LegEvent] = queue.Queue()
    leg = agent.call(request.to_uri, trunk=request.trunk, caller_id=request.caller_id, ring_timeout_s=10)
    leg.listen(events.put)
    while True:
        event = events.get(timeout=15)
        if isinstance(event, Ended):
            return event


def header(invite: str, name: str) -> str:
    return str(re.findall(rf"^{name}: *(.*?)\r?$", invite, re.MULTILINE)[0])


def codecs(invite: str) -> list[str]:
    """The voice codecs that are offered, in their order."""
    formats = re.findall(r"^m=audio \d+ \S+ (.*?)\r?$", invite, re.MULTILINE)[0].split()
    return [{"0": "PCMU", "8": "PCMA"}[one] for one in formats if one in ("0", "8")]


def test_each_call_takes_its_own_trunks_account_number_and_codecs(
    agent: UserAgent, gateways: tuple[Gateway, Gateway]
) -> None:
    north, south = gateways
    carriers = (
        Trunk(
            "north", north.host, ("+86",), user="4008", password="x", domain="north.test",
            caller_ids=("02088888888", "02099999999"), codecs=("PCMU",),
        ),
        Trunk(
            "south", south.host, ("+8613",), domain="south.test", number_format=NumberFormat.NATIONAL,
            dial_prefix="9", codecs=("PCMU", "PCMA"), causes={486: EndCause.NO_ANSWER.value},
        ),
    )  # fmt: skip
    agent.set_trunks(carriers, register=False)
    deadline = time.monotonic() + 10
    while agent.trunks != {"north", "south"}:
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.05)
    spring = Campaign(
        "c", "spring", "loan", CampaignStatus.RUNNING, "CN", trunk="north", caller_id="02099999999"
    )
    autumn = Campaign("d", "autumn", "loan", CampaignStatus.RUNNING, "CN", trunk="south", caller_id="95555")
    for _ in range(2):  # one after the other and again: no setting of one call stays for the next
        assert call(agent, spring, carriers[0]).cause is EndCause.BUSY
        invite = north.invites.get(timeout=5)
        assert invite.startswith(f"INVITE sip:+8613900000000@{north.host} ")
        assert "sip:02099999999@north.test" in header(invite, "From")
        assert codecs(invite) == ["PCMU"]
        assert call(agent, autumn, carriers[1]).cause is EndCause.NO_ANSWER
        invite = south.invites.get(timeout=5)
        assert invite.startswith(f"INVITE sip:913900000000@{south.host} ")
        assert "sip:95555@south.test" in header(invite, "From")
        assert codecs(invite) == ["PCMU", "PCMA"]
    assert north.invites.empty()
    assert south.invites.empty()
