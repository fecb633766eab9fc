"""A line worker conducts calls over SIP and RTP with a scripted conversation."""

from __future__ import annotations

import asyncio
import wave
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.integration.phone import tone
from tests.integration.scripted import Line, Memory, Server
from tests.integration.telephone import Telephone, loudness_of
from voicebot.call.events import SessionConfig
from voicebot.call.prompts import PromptMemory
from voicebot.call.turns import TurnTuning
from voicebot.call.worker import LineWorker
from voicebot.domain.audio import Audio
from voicebot.domain.call import (
    CallEvent,
    CallRecord,
    CallRequest,
    Direction,
    Disposition,
    EndCause,
    Rejection,
)
from voicebot.domain.errors import CapacityError, TelephonyError
from voicebot.domain.script import Action
from voicebot.domain.speech import UtteranceKind
from voicebot.rpc.line_client import LineClient
from voicebot.rpc.line_server import LineServer
from voicebot.telephony import UserAgentConfig

pytestmark = pytest.mark.integration

HANG_UP = Line(700, 400, Action.HANG_UP)


@pytest.fixture(scope="module")
def phone() -> Iterator[Telephone]:
    telephone = Telephone()
    yield telephone
    assert telephone.close() == 0


@pytest.fixture(autouse=True)
def idle(phone: Telephone) -> Iterator[None]:
    yield
    phone.clear()


async def resolve(headers: Mapping[str, str], to_user: str, source: str) -> CallRequest | Rejection:
    campaign = headers.get("x-campaign-id", to_user)
    if campaign == "broken":
        raise RuntimeError("a bug")
    if campaign != "c-1":
        return Rejection(404, "unknown campaign")
    if "x-attempt-id" not in headers:
        return Rejection(400, "X-Attempt-Id is missing")
    attempt = headers["x-attempt-id"]
    return CallRequest(f"call-{attempt}", attempt, "c-1", "k-1", "p", Direction.INBOUND)


@asynccontextmanager
async def running(
    server: Server, journal: Memory | None = None, *, recordings: Path | None = None, no_media_s: float = 8
) -> AsyncIterator[LineWorker]:
    config = SessionConfig(
        "w-1",
        server.conversation,
        journal or Memory(),
        PromptMemory(),
        recordings,
        apology=Audio(tone(300, 500)),
        open_timeout_s=0.5,
        decide_timeout_s=1.0,
    )
    agent = UserAgentConfig(sip_port=0, rtp_port=0, no_media_s=no_media_s)
    worker = LineWorker(agent, config, resolve)
    await worker.start()
    try:
        yield worker
    finally:
        await worker.stop()


def request(phone: Telephone, user: str = "customer", number: int = 1, **more: str) -> CallRequest:
    return CallRequest(
        f"call-{number}",
        f"a-{number}",
        "c-1",
        "k-1",
        "p",
        Direction.OUTBOUND,
        to_uri=phone.address(user),
        headers={"X-Attempt-Id": f"a-{number}"},
        **more,  # type: ignore[arg-type]  # only text fields
    )


async def until(condition: Callable[[], object], timeout_s: float = 10) -> None:
    async with asyncio.timeout(timeout_s):
        while not condition():  # noqa: ASYNC110  # what is waited for happens in other processes
            await asyncio.sleep(0.02)


async def until_busy(worker: LineWorker, calls: int, timeout_s: float = 10) -> None:
    async with asyncio.timeout(timeout_s):
        while (await worker.status()).busy != calls:  # noqa: ASYNC110  # asked over, as its users do
            await asyncio.sleep(0.02)


async def ended(journal: Memory, count: int = 1, timeout_s: float = 10) -> CallRecord:
    await until(lambda: len(journal.records) >= count, timeout_s)
    return journal.records[-1]


def channels(path: Path) -> tuple[np.ndarray, np.ndarray]:
    with wave.open(str(path)) as file:
        assert (file.getnchannels(), file.getframerate(), file.getsampwidth()) == (2, 8000, 2)
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
    return samples[0::2], samples[1::2]


async def test_a_whole_call_is_conducted_recorded_and_journaled(phone: Telephone, tmp_path: Path) -> None:
    server, journal = Server([Line(1000, 1000), HANG_UP]), Memory()
    count = len(phone.events)
    async with running(server, journal, recordings=tmp_path) as worker:
        events = worker.watch()
        await worker.originate(request(phone))
        await until(lambda: len(journal.turns) == 1)
        await asyncio.sleep(1.4)  # the opening is over
        phone.do("speak", ms=900)
        record = await ended(journal)
        seen = [(await anext(events)).kind for _ in range(6)]
    assert seen == ["dialling", "ringing", "answered", "turn", "turn", "ended"]
    assert record.cause is EndCause.BOT_HUNG_UP
    assert (record.turns, record.sip_status, record.worker) == (2, 200, "w-1")
    assert journal.answers == ["call-1@w-1"]
    assert server.closed == [EndCause.BOT_HUNG_UP]
    assert server.committed == [turn.seq + 1 for turn in journal.turns]
    opening, answer = journal.turns
    assert opening.kind is UtteranceKind.ANSWERED
    assert answer.kind is UtteranceKind.SPEECH
    assert 0.8 < answer.end_s - answer.start_s < 1.1
    assert answer.timings_ms["endpoint_ms"] == TurnTuning().endpoint_ms
    assert answer.timings_ms["wait_ms"] == 20, "the decision was there before the endpoint"
    assert 1300 <= server.speech[2] <= 1700, "look-back, speech and the pause"

    heard = phone.heard(phone.wait("Invited", after=count)["leg"])
    assert loudness_of(1000, heard[8000:16000]) > 0.9
    customer, bot = channels(tmp_path / record.recording)
    assert len(customer) == len(bot)
    assert loudness_of(1000, bot[3200:9600].tobytes()) > 0.9
    assert not customer[: len(customer) // 3].any() or max(abs(customer[: len(customer) // 3])) <= 8
    assert max(abs(customer)) > 2000


async def test_speech_over_a_prompt_stops_it_and_the_next_turn_knows(phone: Telephone) -> None:
    server, journal = Server([Line(1000, 6000), HANG_UP]), Memory()
    async with running(server, journal) as worker:
        await worker.originate(request(phone))
        await until(lambda: journal.turns)
        await asyncio.sleep(1)
        phone.do("speak", ms=900)
        await ended(journal)
    utterance = server.asked[1]
    assert utterance.barged_in
    assert utterance.heard_ms is not None
    assert 1000 < utterance.heard_ms < 2200


async def test_the_silent_customer_is_asked_again_then_released(phone: Telephone) -> None:
    lines = [Line(1000, 300, patience_ms=600), Line(900, 300, patience_ms=600), HANG_UP]
    server, journal = Server(lines), Memory()
    async with running(server, journal) as worker:
        await worker.originate(request(phone))
        record = await ended(journal)
    assert [turn.kind for turn in journal.turns] == ["answered", "silence", "silence"]
    assert record.cause is EndCause.BOT_HUNG_UP


async def test_the_customer_hangs_up(phone: Telephone) -> None:
    server, journal = Server([Line(1000, 5000)]), Memory()
    async with running(server, journal) as worker:
        await worker.originate(request(phone))
        await until(lambda: journal.turns)
        phone.do("hang_up")
        record = await ended(journal)
    assert record.cause is EndCause.CUSTOMER_HUNG_UP
    assert server.closed == [EndCause.CUSTOMER_HUNG_UP]


async def test_keys_are_an_answer(phone: Telephone) -> None:
    server, journal = Server([Line(1000, 4000), HANG_UP]), Memory()
    async with running(server, journal) as worker:
        await worker.originate(request(phone))
        await until(lambda: journal.turns)
        phone.do("dtmf", digits="9")
        await ended(journal)
    assert server.asked[1].dtmf == "9"
    assert [turn.kind for turn in journal.turns] == ["answered", "dtmf"]


@pytest.mark.parametrize(
    ("user", "cause"),
    [("busy", EndCause.BUSY), ("decline", EndCause.REJECTED), ("rings", EndCause.NO_ANSWER)],
)
async def test_an_unanswered_call_is_journaled_without_turns(
    phone: Telephone, user: str, cause: EndCause
) -> None:
    journal = Memory()
    async with running(Server([HANG_UP]), journal) as worker:
        await worker.originate(replace(request(phone, user), ring_timeout_s=0.6))
        record = await ended(journal)
    assert (record.cause, record.turns, record.answered_at) == (cause, 0, None)
    assert journal.answers == []


async def test_a_takeover_hands_the_customer_to_the_agent(phone: Telephone) -> None:
    journal = Memory()
    count = len(phone.events)
    async with running(Server([Line(700, 400, Action.TRANSFER)]), journal) as worker:
        await worker.originate(request(phone, transfer_uri=phone.address("agent")))
        record = await ended(journal)
    assert record.cause is EndCause.TRANSFERRED
    assert [e["user"] for e in phone.events[count:] if e["event"] == "Invited"] == ["customer", "agent"]


async def test_a_refused_takeover_returns_the_customer_to_the_bot(phone: Telephone) -> None:
    server, journal = Server([Line(700, 400, Action.TRANSFER), HANG_UP]), Memory()
    async with running(server, journal) as worker:
        await worker.originate(request(phone, transfer_uri=phone.address("busy")))
        record = await ended(journal)
    assert record.cause is EndCause.BOT_HUNG_UP
    assert [turn.kind for turn in journal.turns] == ["answered", "silence"]


async def test_inference_that_fails_once_is_asked_again_from_the_snapshot(phone: Telephone) -> None:
    server, journal = Server([Line(1000, 500), HANG_UP], break_at=(1,)), Memory()
    async with running(server, journal) as worker:
        await worker.originate(request(phone))
        await until(lambda: journal.turns)
        await asyncio.sleep(0.9)
        phone.do("speak", ms=800)
        record = await ended(journal)
    assert record.cause is EndCause.BOT_HUNG_UP
    assert server.opened_with == [b"", b"1"]
    assert server.speech[2] > 2 * 1200, "the new stream got the whole utterance again"
    assert len(journal.turns) == 2


@pytest.mark.parametrize("how", ["breaks", "hangs"])
async def test_without_inference_the_call_ends_politely_and_the_others_go_on(
    phone: Telephone, how: str
) -> None:
    failing = {"break_at" if how == "breaks" else "hang_at": (2, 3)}
    server = Server([Line(1000, 4000, patience_ms=400)], **failing)  # type: ignore[arg-type]  # one of two
    journal = Memory()
    count = len(phone.events)
    async with running(server, journal) as worker:
        await worker.originate(request(phone, number=1))
        await until(lambda: len(journal.turns) == 1)
        await worker.originate(request(phone, number=2))
        await until(lambda: len(journal.turns) == 2)
        phone.do("dtmf", digits="5", leg=phone.wait("Invited", after=count)["leg"])
        record = await ended(journal)
        await until_busy(worker, 1)  # the record is written before the leg is given back
        await asyncio.sleep(0.5)
        assert (await worker.status()).busy == 1, "the other goes on"
    assert record.request.call_id == "call-1"
    assert record.cause is EndCause.FAILURE
    assert loudness_of(300, phone.heard(phone.wait("Invited", after=count)["leg"])[-12000:]) > 0.5


async def test_nobody_is_called_while_inference_is_away(phone: Telephone) -> None:
    server, journal = Server([HANG_UP], down=True), Memory()
    count = len(phone.events)
    async with running(server, journal) as worker:
        await worker.originate(request(phone))
        record = await ended(journal)
    assert record.cause is EndCause.FAILURE
    assert record.outcome.disposition is Disposition.DROPPED
    assert not [e for e in phone.events[count:] if e["event"] == "Invited"]


async def test_a_call_whose_first_server_has_vanished_is_conducted_by_the_next(phone: Telephone) -> None:
    server, journal = Server([HANG_UP], lost_openings=1), Memory()
    async with running(server, journal) as worker:
        await worker.originate(request(phone))
        record = await ended(journal)
    assert record.cause is EndCause.BOT_HUNG_UP
    assert len(journal.turns) == 1


async def test_one_leg_is_kept_free_and_more_calls_are_refused(phone: Telephone) -> None:
    journal = Memory()
    async with running(Server([Line(1000, 9000)]), journal) as worker:
        assert worker.capacity == 3
        for number in range(3):
            await worker.originate(request(phone, number=number))
        with pytest.raises(CapacityError, match="3 of 3"):
            await worker.originate(request(phone, number=4))
        await until(lambda: len(journal.turns) == 3)
        count = len(phone.events)
        phone.do("call", uri=worker.sip_uri, headers={"X-Campaign-Id": "c-1", "X-Attempt-Id": "5"})
        refused = await asyncio.to_thread(phone.wait, "Ended", after=count)
        assert refused["status"] == 503
        assert (await worker.status()).busy == 3


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"X-Campaign-Id": "c-9", "X-Attempt-Id": "1"}, 404),
        ({"X-Campaign-Id": "c-1"}, 400),
        ({}, 404),
        ({"X-Campaign-Id": "broken"}, 500),
    ],
)
async def test_an_invite_with_bad_headers_gets_a_clear_answer(
    phone: Telephone, headers: dict[str, str], status: int
) -> None:
    count = len(phone.events)
    async with running(Server([HANG_UP])) as worker:
        phone.do("call", uri=worker.sip_uri, headers=headers)
        ended_event = await asyncio.to_thread(phone.wait, "Ended", after=count)
    assert ended_event["status"] == status


async def test_an_inbound_call_is_answered_and_conducted(phone: Telephone) -> None:
    journal = Memory()
    async with running(Server([Line(1000, 500), HANG_UP]), journal) as worker:
        phone.do("call", uri=worker.sip_uri, headers={"X-Campaign-Id": "c-1", "X-Attempt-Id": "7"})
        await until(lambda: journal.turns)
        await asyncio.sleep(0.9)
        phone.do("speak", ms=700)
        record = await ended(journal)
    assert record.request.attempt_id == "7"
    assert record.cause is EndCause.BOT_HUNG_UP
    assert record.turns == 2


async def test_drain_lets_the_running_call_end(phone: Telephone) -> None:
    journal = Memory()
    async with running(Server([Line(1000, 1500, Action.HANG_UP)]), journal) as worker:
        await worker.originate(request(phone))
        draining = asyncio.create_task(worker.drain())
        await asyncio.sleep(0.1)
        with pytest.raises(CapacityError, match="draining"):
            await worker.originate(request(phone, number=2))
        await draining
    assert journal.records[0].cause is EndCause.BOT_HUNG_UP


async def test_stopping_the_worker_journals_what_was_running(phone: Telephone) -> None:
    journal = Memory()
    async with running(Server([Line(1000, 9000)]), journal) as worker:
        await worker.originate(request(phone))
        await until(lambda: journal.turns)
    assert [record.cause for record in journal.records] == [EndCause.BOT_HUNG_UP]


async def test_the_line_is_controlled_over_grpc(phone: Telephone) -> None:
    journal = Memory()
    async with running(Server([Line(1000, 9000)]), journal) as worker:
        server = LineServer(worker, "127.0.0.1:0")
        port = await server.start()
        client = LineClient(f"127.0.0.1:{port}")
        events: list[CallEvent] = []

        async def follow() -> None:
            async for event in client.watch():
                events.append(event)  # noqa: PERF401  # read while it grows

        following = asyncio.create_task(follow())
        assert (await client.status()).capacity == 3
        await asyncio.sleep(0.1)
        for number in range(3):
            await client.originate(request(phone, number=number))
        with pytest.raises(CapacityError, match="3 of 3") as full:
            await client.originate(request(phone, number=9))
        assert "VOICEBOT_CALLS" in full.value.hint
        await until(lambda: len(journal.turns) == 3)
        assert (await client.status()).busy == 3
        await client.hang_up("call-1")
        with pytest.raises(TelephonyError, match="no call call-7"):
            await client.hang_up("call-7")
        await ended(journal)
        await until(lambda: any(event.kind == "ended" for event in events))
        record = next(event.record for event in events if event.kind == "ended")
        assert record == journal.records[0]
        assert [event.turn for event in events if event.turn is not None] == journal.turns
        following.cancel()
        await client.close()
        await server.stop()


async def test_whoever_follows_a_line_no_more_costs_it_nothing(phone: Telephone) -> None:
    async with running(Server([Line(1000, 9000)]), Memory()) as worker:
        server = LineServer(worker, "127.0.0.1:0")
        client = LineClient(f"127.0.0.1:{await server.start()}")
        await client.originate(request(phone))

        async def first_event() -> None:
            async for _ in client.watch():
                return

        async def first_sound() -> None:
            async for _ in client.listen("call-1"):
                return

        for _ in range(5):
            await first_event()
            await first_sound()
        line = worker._calls["call-1"].line
        await until(lambda: not worker._watchers and not line._taps)
        assert worker._calls, "the call goes on"
        await client.close()
        await server.stop()


async def test_a_line_that_is_not_there_is_told_so() -> None:
    client = LineClient("127.0.0.1:1")
    with pytest.raises(TelephonyError, match="no line worker answers at"):
        await client.status()
    await client.close()
