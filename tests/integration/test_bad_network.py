"""Bad networks between bot and customer, by a seeded relay: what the customer still gets, how it ends."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from tests.integration.relay import Relay, Weather
from tests.integration.scripted import Line, Memory, Server
from tests.integration.telephone import Telephone, loudness_of
from tests.integration.test_line_worker import HANG_UP, channels, ended, request, running, until
from voicebot.campaign.retry import next_attempt
from voicebot.campaign.trunk import trunk_uri
from voicebot.domain.call import Disposition, EndCause
from voicebot.domain.trunk import Transport, Trunk

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def phone() -> Iterator[Telephone]:
    telephone = Telephone()
    yield telephone
    assert telephone.close() == 0


WEATHERS = [
    pytest.param(Weather(loss=0.05, jitter_ms=20), id="5 % lost"),
    pytest.param(Weather(loss=0.1, jitter_ms=60, reorder=0.05, double=0.03), id="10 % lost, in disorder"),
    pytest.param(Weather(loss=0.2, jitter_ms=40), id="20 % lost"),
]


@pytest.mark.parametrize("weather", WEATHERS)
async def test_an_utterance_stays_one_utterance_and_is_answered(
    phone: Telephone, weather: Weather, tmp_path: Path
) -> None:
    server, journal = Server([Line(1000, 1000), HANG_UP]), Memory()
    count = len(phone.events)
    with Relay(phone.host, seed=7, media=weather) as relay:
        async with running(server, journal, recordings=tmp_path) as worker:
            await worker.originate(replace(request(phone), to_uri=f"sip:customer@{relay.host}"))
            await until(lambda: len(journal.turns) == 1)
            await asyncio.sleep(1.5)  # the opening is over
            phone.do("speak", ms=900)
            record = await ended(journal)
        assert relay.dropped > 0.5 * weather.loss * relay.passed
    assert record.cause is EndCause.BOT_HUNG_UP
    assert [turn.kind.value for turn in journal.turns] == ["answered", "speech"]
    said = journal.turns[1]
    assert 0.6 < said.end_s - said.start_s < 1.4
    heard = phone.heard(phone.wait("Invited", after=count)["leg"])
    assert loudness_of(1000, heard[8000:14000]) > 0.6, "the prompt is heard"
    customer, bot = channels(tmp_path / record.recording)
    assert len(customer) == len(bot) > 2 * 8000
    assert record.quality is not None
    assert record.quality.heard_loss > 0.3 * weather.loss, "the loss is seen"
    assert record.quality.mos < 4.3


async def test_signalling_that_is_lost_is_sent_again(phone: Telephone) -> None:
    server, journal = Server([Line(1000, 300, HANG_UP.action)]), Memory()
    with Relay(phone.host, seed=3, signalling=Weather(loss=0.4)) as relay:
        async with running(server, journal) as worker:
            await worker.originate(replace(request(phone), to_uri=f"sip:customer@{relay.host}"))
            record = await ended(journal, timeout_s=40)
        assert relay.dropped > 0
    assert record.cause is EndCause.BOT_HUNG_UP
    assert record.answered_at is not None


async def test_a_customer_whose_line_goes_dead_is_asked_again_and_released(phone: Telephone) -> None:
    lines = [Line(1000, 300, patience_ms=600), Line(900, 300, patience_ms=600), HANG_UP]
    server, journal = Server(lines), Memory()
    with Relay(phone.host, seed=1) as relay:
        async with running(server, journal) as worker:
            await worker.originate(replace(request(phone), to_uri=f"sip:talks@{relay.host}"))
            await until(lambda: len(journal.turns) == 1)
            await asyncio.sleep(0.5)
            relay.cut = True  # a cable is pulled: no packet comes any more, and no goodbye
            record = await ended(journal, timeout_s=20)
            assert (await worker.status()).busy == 0, "the leg is free again"
    assert record.cause is EndCause.BOT_HUNG_UP
    assert journal.turns[-1].kind.value == "silence"


async def test_a_slow_decision_is_waited_for_and_nothing_is_said_twice(phone: Telephone) -> None:
    server, journal = Server([Line(1000, 400), Line(800, 600, late_s=0.8), HANG_UP]), Memory()
    count = len(phone.events)
    async with running(server, journal) as worker:
        await worker.originate(request(phone))
        await until(lambda: len(journal.turns) == 1)
        await asyncio.sleep(0.8)
        phone.do("speak", ms=700)
        await until(lambda: len(journal.turns) == 2)
        await asyncio.sleep(1.0)
        phone.do("speak", ms=700)
        record = await ended(journal)
    assert record.cause is EndCause.BOT_HUNG_UP
    assert server.committed == sorted(set(server.committed))
    assert len(journal.turns) == 3
    assert loudness_of(800, phone.heard(phone.wait("Invited", after=count)["leg"])) > 0.1


async def test_a_trunk_that_answers_503_frees_the_leg_at_once_and_is_tried_again_soon(
    phone: Telephone,
) -> None:
    journal, loop = Memory(), asyncio.get_running_loop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as trunk:
        trunk.bind(("127.0.0.1", 0))
        trunk.setblocking(False)
        async with running(Server([Line()]), journal) as worker:
            uri = f"sip:13900000000@127.0.0.1:{trunk.getsockname()[1]}"
            await worker.originate(replace(request(phone), to_uri=uri))
            invite, source = await loop.sock_recvfrom(trunk, 65535)
            kept = re.findall(r"(?m)^((?:Via|From|To|Call-ID|CSeq): .+)\r$", invite.decode())
            full = ["SIP/2.0 503 Service Unavailable", *kept, "Retry-After: 30", "Content-Length: 0"]
            await loop.sock_sendto(trunk, ("\r\n".join(full) + "\r\n\r\n").encode(), source)
            record = await ended(journal)
            assert (await worker.status()).busy == 0
    assert (record.cause, record.sip_status) == (EndCause.UNREACHABLE, 503)
    again = next_attempt(Disposition.UNREACHABLE, 1, 3, record.ended_at, sip_status=record.sip_status)
    assert again == record.ended_at + timedelta(minutes=10), "congestion is over soon"


async def test_a_trunk_whose_tcp_is_half_open_costs_that_call_its_ringing_time_and_others_nothing(
    phone: Telephone,
) -> None:
    """It takes the connection and the INVITE, and nothing ever comes back."""
    journal = Memory()
    with socket.create_server(("127.0.0.1", 0)) as far:
        far.settimeout(10)
        host = f"127.0.0.1:{far.getsockname()[1]}"
        trunk = Trunk("carrier", host, ("+86",), transport=Transport.TCP)
        async with running(Server([Line(1000, 300, HANG_UP.action)]), journal) as worker:
            worker.set_trunks([trunk], register=False)
            await until(lambda: worker._agent.trunks == {"carrier"})
            uri = trunk_uri(trunk, "+8613900000000")
            silent = replace(request(phone), to_uri=uri, trunk="carrier", ring_timeout_s=3.0)
            await worker.originate(silent)
            taken, _ = await asyncio.to_thread(far.accept)
            with taken:
                taken.settimeout(10)
                assert (await asyncio.to_thread(taken.recv, 65535)).startswith(b"INVITE ")
                await worker.originate(request(phone, number=2))
                other = await ended(journal)
                assert (other.request.call_id, other.cause) == ("call-2", EndCause.BOT_HUNG_UP)
                record = await ended(journal, 2)
                assert (record.request.call_id, record.cause) == ("call-1", EndCause.UNREACHABLE)
                await until(lambda: worker._used() == 0, 40)
