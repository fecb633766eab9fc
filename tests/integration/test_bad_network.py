"""Bad networks between bot and customer, by a seeded relay: what the customer still gets, how it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.integration.relay import Relay, Weather
from tests.integration.scripted import Line, Memory, Server
from tests.integration.telephone import Telephone, loudness_of
from tests.integration.test_line_worker import HANG_UP, channels, ended, request, running, until
from voicebot.domain.call import EndCause

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
