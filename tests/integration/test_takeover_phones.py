"""Takeovers with telephones that nobody here wrote: baresip as customer and agent, SIPp as a trunk."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from tests.integration.baresip import MODULES, Baresip
from tests.integration.phone import tone
from tests.integration.scripted import Memory, Server
from tests.integration.sipp import ANSWERED, INVITE, a_law, needs_sipp, request, sdp, sipp, speaks
from tests.integration.telephone import loudness_of
from tests.integration.test_line_worker import HANG_UP, ended, until
from tests.integration.test_takeover import OVER, Desk, running
from voicebot.domain.call import CallRequest, Direction, EndCause, Rejection
from voicebot.domain.people import TakeoverKind, TakeoverResult

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(
        shutil.which("baresip") is None or not MODULES.is_dir(),
        reason="baresip is not installed (apt install baresip-core)",
    ),
]

CUSTOMER_HZ, AGENT_HZ = 900, 440


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[Baresip]:
    phone = Baresip(tmp_path / "agent", user="agent", hz=AGENT_HZ)
    yield phone
    phone.close()


@pytest.fixture
def customer(tmp_path: Path) -> Iterator[Baresip]:
    phone = Baresip(tmp_path / "customer", user="customer", hz=CUSTOMER_HZ)
    yield phone
    phone.close()


def hears(phone: Baresip, hz: float) -> Callable[[], bool]:
    """Whether half a second of what a phone heard last is a tone."""
    return lambda: loudness_of(hz, phone.heard()[-8000:]) > 0.9


def call_of(**more: object) -> CallRequest:
    request = CallRequest("call-1", "a-1", "c-1", "k-1", "p", Direction.OUTBOUND)
    return replace(request, **more)  # type: ignore[arg-type]  # fields of a request


@pytest.mark.parametrize("kind", [TakeoverKind.BRIDGE, TakeoverKind.BLIND, TakeoverKind.ATTENDED])
async def test_two_phones_hear_each_other_whichever_way_they_are_joined(
    customer: Baresip, agent: Baresip, kind: TakeoverKind
) -> None:
    journal, desk = Memory(), Desk(agent.uri)
    async with running(Server([OVER]), journal, desk) as worker:
        await worker.originate(call_of(to_uri=customer.uri, takeover=kind))
        await until(lambda: journal.takeovers, 20)
        await until(hears(customer, AGENT_HZ), 20)
        await until(hears(agent, CUSTOMER_HZ), 20)
        if kind is TakeoverKind.BRIDGE:
            agent.do("hangup")
            await until(lambda: ("agent0", "released") in desk.deeds)
            await worker.hang_up("call-1")
        record = await ended(journal)
        if kind is not TakeoverKind.BRIDGE:  # they talk without us
            await until(hears(customer, AGENT_HZ), 20)
            assert desk.deeds[-1] == ("agent0", "away")
    (takeover,) = journal.takeovers
    assert (takeover.kind, takeover.result) == (kind, TakeoverResult.CONNECTED)
    if kind is not TakeoverKind.BRIDGE:
        assert record.cause is EndCause.TRANSFERRED


REFUSING = (
    ANSWERED
    + speaks("speech.alaw", times=-1)
    + request("REFER", "405 Method Not Allowed")
    + request("BYE", timeout_ms=20_000)
    + "</scenario>\n"
)


@needs_sipp
@pytest.mark.parametrize("kind", [TakeoverKind.BLIND, TakeoverKind.ATTENDED])
async def test_behind_a_trunk_that_refuses_refer_the_agent_is_bridged(
    tmp_path: Path, agent: Baresip, kind: TakeoverKind
) -> None:
    async def resolve(headers: Mapping[str, str], user: str, source: str) -> CallRequest | Rejection:
        return call_of(direction=Direction.INBOUND, transfer_uri=agent.uri, takeover=kind)

    (tmp_path / "speech.alaw").write_bytes(a_law(tone(CUSTOMER_HZ, 2000)))
    scenario = INVITE.format(campaign="c-1", sdp=sdp("[rtpstream_audio_port]")) + REFUSING
    journal = Memory()
    async with running(Server([OVER]), journal, None, resolve) as worker:
        trunk = asyncio.create_task(sipp(tmp_path, scenario, worker.sip_uri))
        await until(lambda: journal.takeovers or trunk.done(), 20)
        assert not trunk.done(), trunk.result()
        await until(hears(agent, CUSTOMER_HZ), 20)
        await worker.hang_up("call-1")
        status, output = await trunk
        await ended(journal)
    assert status == 0, output
    (takeover,) = journal.takeovers
    assert (takeover.kind, takeover.result) == (TakeoverKind.BRIDGE, TakeoverResult.CONNECTED)


SILENT = (
    ANSWERED
    + speaks("speech.alaw", times=-1)
    + request("REFER", "202 Accepted")  # and no NOTIFY ever
    + request("BYE", timeout_ms=30_000)
    + "</scenario>\n"
)


@needs_sipp
@pytest.mark.parametrize("kind", [TakeoverKind.BLIND, TakeoverKind.ATTENDED])
async def test_a_trunk_that_never_says_how_a_transfer_went_leaves_nobody_in_silence(
    tmp_path: Path, agent: Baresip, kind: TakeoverKind
) -> None:
    """A blind transfer gives the customer back to the bot; who is on the phone already is bridged."""

    async def resolve(headers: Mapping[str, str], user: str, source: str) -> CallRequest | Rejection:
        return call_of(direction=Direction.INBOUND, transfer_uri=agent.uri, takeover=kind)

    (tmp_path / "speech.alaw").write_bytes(a_law(tone(CUSTOMER_HZ, 2000)))
    scenario = INVITE.format(campaign="c-1", sdp=sdp("[rtpstream_audio_port]")) + SILENT
    journal, blind = Memory(), kind is TakeoverKind.BLIND
    async with running(Server([OVER, HANG_UP]), journal, None, resolve) as worker:
        trunk = asyncio.create_task(sipp(tmp_path, scenario, worker.sip_uri))
        await until(lambda: journal.takeovers or trunk.done(), 30)
        assert not trunk.done(), trunk.result()
        if not blind:
            await until(hears(agent, CUSTOMER_HZ), 20)
            await worker.hang_up("call-1")
        record = await ended(journal)
        status, output = await trunk
    assert status == 0, output
    (takeover,) = journal.takeovers
    result = TakeoverResult.NO_AGENT if blind else TakeoverResult.CONNECTED
    assert (takeover.kind, takeover.result) == (kind if blind else TakeoverKind.BRIDGE, result)
    if blind:
        assert record.cause is EndCause.BOT_HUNG_UP, "the bot spoke again, and ended the call itself"
