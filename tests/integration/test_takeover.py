"""Customer, bot and agent over SIP: the takeover joins them, and whatever fails gives the customer back."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from tests.integration.phone import tone
from tests.integration.scripted import Line, Memory, Server
from tests.integration.telephone import Telephone, loudness_of
from tests.integration.test_line_worker import HANG_UP, ended, request, until
from voicebot.call.briefing import SUMMARY
from voicebot.call.events import SessionConfig
from voicebot.call.music import music
from voicebot.call.plan import TakeoverTimes
from voicebot.call.prompts import PromptMemory
from voicebot.call.worker import LineWorker, Resolve
from voicebot.domain.audio import Audio
from voicebot.domain.call import CallEvent, CallRequest, Delivery, EndCause, Overheard
from voicebot.domain.errors import TelephonyError
from voicebot.domain.people import (
    Agent,
    Briefing,
    Suggestion,
    TakeoverKind,
    TakeoverReason,
    TakeoverResult,
    TakeoverStage,
)
from voicebot.domain.script import Action
from voicebot.rpc.line_client import LineClient
from voicebot.rpc.line_server import LineServer
from voicebot.telephony import UserAgentConfig

pytestmark = pytest.mark.integration

OVER = Line(700, 300, Action.TRANSFER)


class Desk:
    """Agents in memory: whose phone is called what."""

    def __init__(self, *uris: str) -> None:
        self.free = [Agent(f"agent{number}", "", uri, True) for number, uri in enumerate(uris)]
        self.deeds: list[tuple[str, str]] = []

    async def reserve(self, call_id: str, campaign_id: str, agent_id: str = "") -> Agent | None:
        return self.free.pop(0) if self.free else None

    async def staffed(self, campaign_id: str) -> bool:
        return bool(self.free)

    async def show(self, agent: Agent, briefing: Briefing) -> None:
        self.deeds.append((agent.id, f"shown {briefing.reason.value}"))

    async def connected(self, agent: Agent, call_id: str) -> None:
        self.deeds.append((agent.id, "connected"))

    async def release(self, agent: Agent, call_id: str, *, missed: bool = False, away: bool = False) -> None:
        self.deeds.append((agent.id, "away" if away else "missed" if missed else "released"))


@pytest.fixture(scope="module")
def phone() -> Iterator[Telephone]:
    telephone = Telephone()
    yield telephone
    assert telephone.close() == 0


@pytest.fixture(scope="module")
def agent_phone() -> Iterator[Telephone]:
    telephone = Telephone()
    yield telephone
    assert telephone.close() == 0


@pytest.fixture(autouse=True)
def idle(phone: Telephone, agent_phone: Telephone) -> Iterator[None]:
    yield
    phone.clear()
    agent_phone.clear()


@asynccontextmanager
async def running(
    server: Server,
    journal: Memory,
    desk: Desk | None,
    resolve: Resolve | None = None,
    stalled_s: float = 15.0,
) -> AsyncIterator[LineWorker]:
    config = SessionConfig(
        "w-1",
        server.conversation,
        journal,
        PromptMemory(),
        apology=Audio(tone(300, 500)),
        desk=desk,
        takeover=TakeoverTimes(queue_s=4, ring_s=1.0, refer_s=3),
    )
    worker = LineWorker(UserAgentConfig(sip_port=0, rtp_port=0, stalled_s=stalled_s), config, resolve)
    await worker.start()
    try:
        yield worker
    finally:
        await worker.stop()


async def watched(worker: LineWorker) -> list[CallEvent]:
    events: list[CallEvent] = []
    stream = worker.watch()

    async def follow() -> None:
        async for event in stream:
            events.append(event)  # noqa: PERF401  # read while it grows

    asyncio.get_running_loop().follower = asyncio.create_task(follow())  # type: ignore[attr-defined]  # kept alive
    return events


async def first_of(worker: LineWorker, count: int) -> list[CallEvent]:
    stream, found = worker.watch(), list[CallEvent]()
    async with asyncio.timeout(5):
        while len(found) < count:
            found.append(await anext(stream))
    return found


def suggestions(events: list[CallEvent]) -> list[Suggestion]:
    return [event.suggestion for event in events if event.suggestion is not None]


def stages(events: list[CallEvent]) -> list[TakeoverStage]:
    return [event.takeover.stage for event in events if event.takeover is not None]


async def test_an_agent_is_briefed_and_bridged_and_the_bot_suggests(
    phone: Telephone, agent_phone: Telephone
) -> None:
    server, journal = Server([OVER, Line(800, 300)]), Memory()
    desk = Desk(agent_phone.address("agent"))
    customer_at, agent_at = len(phone.events), len(agent_phone.events)
    async with running(server, journal, desk) as worker:
        events = await watched(worker)
        await worker.originate(request(phone))
        await until(lambda: TakeoverStage.CONNECTED in stages(events))
        assert stages(events) == ["waiting", "ringing", "briefing", "connected"]
        shown = events[[event.kind for event in events].index("takeover") + 1].takeover
        assert shown is not None
        assert shown.briefing is not None
        assert (shown.agent_id, shown.briefing.lines) == ("agent0", (("bot", "好的"),))
        invite = agent_phone.wait("Invited", after=agent_at)
        assert invite["headers"]["X-Attempt-Id"] == "a-1"
        assert "%E5%AE%A2%E6%88%B7" in invite["headers"][SUMMARY]
        customer = phone.wait("Invited", after=customer_at)["leg"]
        assert server.spoken, "the briefing was spoken"

        heard: list[Overheard] = []

        async def overhear() -> None:
            async for chunk in worker.listen("call-1"):
                heard.append(chunk)  # noqa: PERF401  # read while it grows

        listening = asyncio.create_task(overhear())
        phone.do("speak", leg=customer, ms=900)
        await until(lambda: any(event.suggestion for event in events))
        await until(lambda: any(event.suggestion and event.suggestion.final for event in events))
        agent_phone.do("speak", leg=invite["leg"], ms=1500)
        await until(lambda: server.agent_said)
        await until(lambda: any(turn.delivered for turn in journal.turns))
        listening.cancel()
        assert (await worker.status()).busy == 2, "a bridged call counts for two"
        agent_phone.do("hang_up", leg=invite["leg"])
        record = await ended(journal)
    first = next(event.suggestion for event in events if event.suggestion)
    assert first.scripts[0].text == "年化百分之四"
    assert first.after_ms < 600, "frame time: 200 ms of silence, and the decision"
    generation, start_s, end_s = server.agent_said[0]
    assert generation == first.generation
    assert 1.2 < end_s - start_s < 1.8
    spoken = [turn for turn in journal.turns if turn.delivered]
    assert spoken[0].delivery is Delivery.SUGGEST
    assert record.cause is EndCause.TRANSFERRED
    assert desk.deeds == [("agent0", "shown script"), ("agent0", "connected"), ("agent0", "released")]
    (takeover,) = journal.takeovers
    assert (takeover.result, takeover.kind) == (TakeoverResult.CONNECTED, TakeoverKind.BRIDGE)
    customers, ours = b"".join(c.customer for c in heard), b"".join(c.ours for c in heard)
    assert len(customers) == len(ours) > 16000
    assert max(customers) > 0, "whoever listens in hears both"
    agent_heard = agent_phone.heard(invite["leg"])
    assert loudness_of(1500, agent_heard[: 2 * 8000]) > 0.3, "the briefing came first"
    assert loudness_of(1500, phone.heard(customer)) < 0.05, "which the customer does not hear"


async def test_the_bot_takes_the_customer_back_and_gives_again(
    phone: Telephone, agent_phone: Telephone
) -> None:
    server, journal = Server([OVER, Line(800, 700)]), Memory()
    customer_at, agent_at = len(phone.events), len(agent_phone.events)
    async with running(server, journal, Desk(agent_phone.address("agent"))) as worker:
        events = await watched(worker)
        await worker.originate(request(phone))
        with pytest.raises(TelephonyError, match="nobody of ours"):
            await worker.deliver("call-1", Delivery.SUGGEST)
        await until(lambda: TakeoverStage.CONNECTED in stages(events))
        late = [event.kind for event in await first_of(worker, 4)]
        assert late == ["answered", "turn", "takeover", "delivery"], "who watches from now on knows as much"
        agent_leg = agent_phone.wait("Invited", after=agent_at)["leg"]
        customer = phone.wait("Invited", after=customer_at)["leg"]
        await worker.deliver("call-1", Delivery.SPEAK)
        await until(lambda: len(journal.turns) == 2)
        agent_phone.do("play", leg=agent_leg, hz=440, ms=3000)
        await asyncio.sleep(1.2)
        assert loudness_of(440, phone.heard(customer)[-8000:]) < 0.1, "the agent is not heard now"
        await worker.deliver("call-1", Delivery.SUGGEST)
        await asyncio.sleep(0.8)
        assert loudness_of(440, phone.heard(customer)[-4000:]) > 0.5
        assert len(journal.turns) == 2, "and the bot is silent"
        assert server.deliveries == [Delivery.SUGGEST, Delivery.SPEAK, Delivery.SUGGEST]
        await worker.hang_up("call-1")
        await ended(journal)


async def test_an_agent_who_does_not_answer_is_passed_over(phone: Telephone, agent_phone: Telephone) -> None:
    desk = Desk(agent_phone.address("rings"), agent_phone.address("agent"))
    journal = Memory()
    async with running(Server([OVER]), journal, desk) as worker:
        events = await watched(worker)
        await worker.originate(request(phone))
        await until(lambda: TakeoverStage.CONNECTED in stages(events))
        await worker.hang_up("call-1")
        await ended(journal)
    assert ("agent0", "missed") in desk.deeds
    assert ("agent1", "connected") in desk.deeds


@pytest.mark.parametrize("target", ["busy", "decline", "rings"])
async def test_without_an_agent_the_customer_is_the_bots_again(
    phone: Telephone, agent_phone: Telephone, target: str
) -> None:
    server, journal = Server([OVER, HANG_UP]), Memory()
    desk = Desk(agent_phone.address(target))
    async with running(server, journal, desk) as worker:
        await worker.originate(request(phone))
        record = await ended(journal)
    assert record.cause is EndCause.BOT_HUNG_UP
    assert [turn.kind for turn in journal.turns] == ["answered", "silence"]
    assert [takeover.result for takeover in journal.takeovers] == [TakeoverResult.NO_AGENT]


async def test_a_customer_who_hangs_up_while_waiting_is_an_abandoned_one(
    phone: Telephone, agent_phone: Telephone
) -> None:
    customer_at = len(phone.events)
    desk, journal = Desk(agent_phone.address("rings"), agent_phone.address("rings")), Memory()
    async with running(Server([OVER]), journal, desk) as worker:
        events = await watched(worker)
        await worker.originate(request(phone))
        await until(lambda: TakeoverStage.RINGING in stages(events))
        await asyncio.sleep(0.5)
        customer = phone.wait("Invited", after=customer_at)["leg"]
        heard = phone.heard(customer)[-6400:]
        phone.do("hang_up", leg=customer)
        await ended(journal)
    assert [takeover.result for takeover in journal.takeovers] == [TakeoverResult.ABANDONED]
    assert desk.deeds[-1] == ("agent0", "released")
    assert max(abs(sample - 256 * (sample > 127)) for sample in heard[1::2]) > 0, "there was music"
    assert len(music()) % 320 == 0


def conducted(
    phone: Telephone, agent_phone: Telephone, user: str = "customer", agent: str = "eve"
) -> CallRequest:
    """A call that the dialer begins for a reserved agent."""
    return replace(
        request(phone, user),
        delivery=Delivery.SUGGEST,
        agent_id="eve",
        agent_uri=agent_phone.address(agent),
        ring_timeout_s=1.5,
    )


async def test_a_call_of_people_rings_the_agent_first_and_suggests_from_the_first_word(
    phone: Telephone, agent_phone: Telephone
) -> None:
    server, journal, desk = Server([Line(1000, 600), Line(700, 300)]), Memory(), Desk()
    customer_at, agent_at = len(phone.events), len(agent_phone.events)
    async with running(server, journal, desk) as worker:
        events = await watched(worker)
        await worker.originate(conducted(phone, agent_phone))
        agent = (await asyncio.to_thread(agent_phone.wait, "Answered", after=agent_at))["leg"]
        customer = (await asyncio.to_thread(phone.wait, "Answered", after=customer_at))["leg"]
        await until(lambda: ("eve", "connected") in desk.deeds)
        phone.do("speak", leg=customer, ms=1500)
        agent_phone.do("play", leg=agent, hz=440, ms=2500)
        await until(lambda: [e for e in events if e.suggestion is not None and e.suggestion.final])
        await asyncio.sleep(0.5)
        assert loudness_of(440, phone.heard(customer)) > 0.3, "the customer hears the agent"
        assert loudness_of(1000, phone.heard(customer)) < 0.05, "and no opening of the bot"
        assert any(agent_phone.heard(agent)[-16000:])
        phone.do("hang_up", leg=customer)
        record = await ended(journal)
    invited = [event["event"] for event in (*agent_phone.events[agent_at:], *phone.events[customer_at:])]
    assert invited.count("Invited") == 2
    assert desk.deeds[0] == ("eve", "shown campaign")
    assert desk.deeds[-1] == ("eve", "released")
    assert record.cause is EndCause.CUSTOMER_HUNG_UP
    assert [(one.reason, one.result, one.agent_id) for one in journal.takeovers] == [
        (TakeoverReason.CAMPAIGN, TakeoverResult.CONNECTED, "eve")
    ]


async def test_an_agent_who_hangs_up_in_the_briefing_gives_the_customer_back(
    phone: Telephone, agent_phone: Telephone
) -> None:
    server, journal, agent_at = Server([OVER, HANG_UP]), Memory(), len(agent_phone.events)
    desk = Desk(agent_phone.address("agent"))
    async with running(server, journal, desk) as worker:
        await worker.originate(request(phone))
        answered = await asyncio.to_thread(agent_phone.wait, "Answered", after=agent_at)
        agent_phone.do("hang_up", leg=answered["leg"])
        record = await ended(journal)
    assert record.cause is EndCause.BOT_HUNG_UP, "the bot spoke again, and ended the call itself"
    assert [turn.kind for turn in journal.turns] == ["answered", "silence"]
    assert journal.takeovers[0].result is TakeoverResult.NO_AGENT
    assert desk.deeds[-1] == ("agent0", "released")


async def test_a_briefing_that_can_not_be_said_is_shown_and_the_agent_still_gets_the_customer(
    phone: Telephone, agent_phone: Telephone
) -> None:
    server, journal, desk = Server([OVER], mute=True), Memory(), Desk(agent_phone.address("agent"))
    async with running(server, journal, desk) as worker:
        await worker.originate(request(phone))
        await until(lambda: ("agent0", "connected") in desk.deeds)
        await worker.hang_up("call-1")
        await ended(journal)
    assert desk.deeds[0] == ("agent0", "shown script")
    assert [takeover.result for takeover in journal.takeovers] == [TakeoverResult.CONNECTED]


class BrokenDesk(Desk):
    """Its screens can not be written."""

    async def show(self, agent: Agent, briefing: Briefing) -> None:
        raise RuntimeError("the screen is gone")


async def test_whatever_breaks_in_a_takeover_the_bot_speaks_again(
    phone: Telephone, agent_phone: Telephone
) -> None:
    server, journal = Server([OVER, HANG_UP]), Memory()
    desk = BrokenDesk(agent_phone.address("agent"))
    async with running(server, journal, desk) as worker:
        await worker.originate(request(phone))
        record = await ended(journal)
    assert record.cause is EndCause.BOT_HUNG_UP
    assert [turn.kind for turn in journal.turns] == ["answered", "silence"]
    assert [(one.result, one.detail) for one in journal.takeovers] == [
        (TakeoverResult.FAILED, "unexpected error")
    ]
    assert desk.deeds == [("agent0", "released")]


async def test_an_agent_whose_phone_dies_gives_the_customer_back(phone: Telephone) -> None:
    server, journal, mortal = Server([OVER, HANG_UP]), Memory(), await asyncio.to_thread(Telephone)
    desk = Desk(mortal.address("agent"))
    async with running(server, journal, desk, stalled_s=1.5) as worker:
        await worker.originate(request(phone))
        await until(lambda: ("agent0", "connected") in desk.deeds)
        await asyncio.sleep(0.5)
        os.kill(mortal.pid, signal.SIGKILL)  # no BYE comes, and no sound
        record = await ended(journal)
    mortal.close()
    assert record.cause is EndCause.BOT_HUNG_UP, "the bot spoke again, and ended the call itself"
    assert [turn.kind for turn in journal.turns] == ["answered", "silence"]
    assert desk.deeds[-1] == ("agent0", "released")


async def test_a_call_that_is_not_answered_yet_can_not_be_handed_over(
    phone: Telephone, agent_phone: Telephone
) -> None:
    customer_at, journal = len(phone.events), Memory()
    async with running(Server([OVER]), journal, Desk(agent_phone.address("agent"))) as worker:
        await worker.originate(request(phone, "rings"))
        await asyncio.to_thread(phone.wait, "Invited", after=customer_at)
        with pytest.raises(TelephonyError, match="not answered"):
            await worker.take_over("call-1")
        await worker.hang_up("call-1")
        await ended(journal)
    assert journal.takeovers == []


async def test_a_suggestion_that_comes_after_the_customer_has_finished_is_final_at_once(
    phone: Telephone, agent_phone: Telephone
) -> None:
    server, journal, customer_at = Server([Line(1000, 300, late_s=1.5)]), Memory(), len(phone.events)
    async with running(server, journal, Desk()) as worker:
        events = await watched(worker)
        await worker.originate(conducted(phone, agent_phone))
        customer = (await asyncio.to_thread(phone.wait, "Answered", after=customer_at))["leg"]
        await until(lambda: any(event.kind == "delivery" for event in events))
        phone.do("speak", leg=customer, ms=900)
        await until(lambda: any(one.generation > 1 for one in suggestions(events)))
        await worker.hang_up("call-1")
        await ended(journal)
    first = next(one for one in suggestions(events) if one.generation > 1)  # what is before is the opening
    assert first.final


async def test_an_agent_who_does_not_pick_up_spares_the_customer(
    phone: Telephone, agent_phone: Telephone
) -> None:
    journal, desk, customer_at = Memory(), Desk(), len(phone.events)
    async with running(Server([OVER]), journal, desk) as worker:
        await worker.originate(conducted(phone, agent_phone, agent="busy"))
        record = await ended(journal)
    assert record.cause is EndCause.NOT_DIALLED
    assert desk.deeds[-1] == ("eve", "missed")
    assert not [event for event in phone.events[customer_at:] if event["event"] == "Invited"]


async def test_a_customer_who_does_not_answer_frees_the_agent_at_once(
    phone: Telephone, agent_phone: Telephone
) -> None:
    journal, desk, agent_at = Memory(), Desk(), len(agent_phone.events)
    async with running(Server([OVER]), journal, desk) as worker:
        await worker.originate(conducted(phone, agent_phone, user="rings"))
        record = await ended(journal)
        await asyncio.to_thread(agent_phone.wait, "Ended", after=agent_at)
    assert record.cause is EndCause.NO_ANSWER
    assert desk.deeds[-1] == ("eve", "released")
    assert journal.takeovers == []


async def test_an_agent_who_leaves_before_the_answer_ends_the_ringing(
    phone: Telephone, agent_phone: Telephone
) -> None:
    journal, desk, agent_at, customer_at = Memory(), Desk(), len(agent_phone.events), len(phone.events)
    async with running(Server([OVER]), journal, desk) as worker:
        await worker.originate(replace(conducted(phone, agent_phone, user="rings"), ring_timeout_s=30.0))
        await asyncio.to_thread(phone.wait, "Invited", after=customer_at)
        answered = await asyncio.to_thread(agent_phone.wait, "Answered", after=agent_at)
        agent_phone.do("hang_up", leg=answered["leg"])
        record = await ended(journal)
    assert (record.cause, record.answered_at) == (EndCause.FAILURE, None)
    assert desk.deeds[-1] == ("eve", "released")


async def test_an_attended_transfer_leaves_us_out(phone: Telephone, agent_phone: Telephone) -> None:
    journal, desk = Memory(), Desk(agent_phone.address("agent"))
    async with running(Server([OVER]), journal, desk) as worker:
        await worker.originate(replace(request(phone), takeover=TakeoverKind.ATTENDED))
        record = await ended(journal)
    assert record.cause is EndCause.TRANSFERRED
    assert [takeover.kind for takeover in journal.takeovers] == [TakeoverKind.ATTENDED]
    assert desk.deeds[-1] == ("agent0", "away"), "who talks elsewhere gets no calls"


async def test_a_blind_transfer_to_an_agent_carries_the_context_and_passes_over_who_is_busy(
    phone: Telephone, agent_phone: Telephone
) -> None:
    journal, agent_at = Memory(), len(agent_phone.events)
    desk = Desk(agent_phone.address("busy"), agent_phone.address("agent"))
    async with running(Server([OVER]), journal, desk) as worker:
        await worker.originate(replace(request(phone), takeover=TakeoverKind.BLIND))
        record = await ended(journal)
    assert record.cause is EndCause.TRANSFERRED
    busy, invited = [event for event in agent_phone.events[agent_at:] if event["event"] == "Invited"]
    assert (busy["user"], invited["user"]) == ("busy", "agent")
    assert invited["headers"]["X-Call-Id"] == "call-1"
    assert invited["headers"]["X-Reason"] == "script"
    assert [deed for deed in desk.deeds if deed[1] in ("missed", "connected", "away")] == [
        ("agent0", "missed"),
        ("agent1", "connected"),
        ("agent1", "away"),
    ]
    assert [takeover.kind for takeover in journal.takeovers] == [TakeoverKind.BLIND]


async def test_a_refused_refer_becomes_a_bridge(phone: Telephone, agent_phone: Telephone) -> None:
    """The customer's far end, a bot as well, obeys no REFER."""
    journal = Memory()
    async with running(Server([OVER]), journal, None) as worker:
        stubborn = await stubborn_phone()
        try:
            await worker.originate(
                replace(request(phone), to_uri=stubborn.uri, transfer_uri=agent_phone.address("agent"))
            )
            await until(lambda: journal.takeovers)
            await asyncio.sleep(0.3)
            await worker.hang_up("call-1")
            await ended(journal)
        finally:
            stubborn.close()
    (takeover,) = journal.takeovers
    assert (takeover.kind, takeover.result) == (TakeoverKind.BRIDGE, TakeoverResult.CONNECTED)


async def stubborn_phone() -> Telephone:
    return await asyncio.to_thread(Telephone, 0, False)


async def test_a_supervisor_takes_a_call_over_and_whispers_by_grpc(
    phone: Telephone, agent_phone: Telephone
) -> None:
    server, journal = Server([Line(1000, 9000)]), Memory()
    customer_at, agent_at = len(phone.events), len(agent_phone.events)
    async with running(server, journal, Desk(agent_phone.address("agent"))) as worker:
        served = LineServer(worker, "127.0.0.1:0")
        client = LineClient(f"127.0.0.1:{await served.start()}")
        events = await watched(worker)
        await client.originate(request(phone))
        await until(lambda: journal.turns)
        with pytest.raises(TelephonyError, match="nobody of ours"):
            await client.whisper("call-1", agent_phone.address("boss"))
        await client.take_over("call-1", "agent0")
        await until(lambda: TakeoverStage.CONNECTED in stages(events))
        with pytest.raises(TelephonyError, match="a person is on this call"):
            await client.take_over("call-1", "agent0")
        await client.whisper("call-1", agent_phone.address("boss"))
        await until(lambda: sum(e["event"] == "Answered" for e in agent_phone.events[agent_at:]) == 2)
        legs = {e["user"]: e["leg"] for e in agent_phone.events[agent_at:] if e["event"] == "Invited"}
        customer = phone.wait("Invited", after=customer_at)["leg"]
        agent_phone.do("play", leg=legs["boss"], hz=440, ms=3000)
        phone.do("play", leg=customer, hz=900, ms=3000)
        await asyncio.sleep(1.5)
        assert loudness_of(440, agent_phone.heard(legs["agent"])[-8000:]) > 0.3
        assert loudness_of(900, agent_phone.heard(legs["boss"])[-8000:]) > 0.3
        assert loudness_of(440, phone.heard(customer)[-8000:]) < 0.05, "the customer hears no whisper"
        async for heard in client.listen("call-1"):
            assert len(heard.customer) == len(heard.ours) == 1600
            break
        await client.hang_up("call-1")
        await ended(journal)
        await client.close()
        await served.stop()
    assert journal.takeovers[0].reason is TakeoverReason.SUPERVISOR
