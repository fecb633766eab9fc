"""A customer talks on while the agent is silent: each line is heard once, suggested for, and kept."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.integration.scripted import Memory
from tests.integration.telephone import Telephone
from tests.integration.test_line_worker import ended, request, until
from tests.integration.test_takeover import Desk, suggestions, watched
from tests.unit import parts
from voicebot.call.events import SessionConfig
from voicebot.call.prompts import PromptMemory
from voicebot.call.turns import TurnTuning
from voicebot.call.worker import LineWorker
from voicebot.domain.call import Delivery
from voicebot.domain.speech import NOTHING_EXPECTED, Expectation, Transcript, UtteranceKind
from voicebot.telephony import UserAgentConfig

pytestmark = pytest.mark.integration

LINES, SPEECH_MS, ENDPOINT_MS = 20, 600, 400


class Stream(parts.Stream):
    """Hears how much was said."""

    def result(self, *, final: bool) -> Transcript:
        ms = len(self.pcm) // 16
        self.owner.heard_ms.append(ms)
        return Transcript(f"{ms} ms", confidence=0.9, engine="fake")


class Recognizer(parts.Recognizer):
    """Opens such streams."""

    def open(self, rate_hz: int, expected: Expectation = NOTHING_EXPECTED) -> Stream:
        return Stream(self, expected)


@pytest.fixture(scope="module")
def phones() -> Iterator[tuple[Telephone, Telephone]]:
    customer, agent = Telephone(), Telephone()
    yield customer, agent
    assert (customer.close(), agent.close()) == (0, 0)


async def test_each_line_is_recognised_alone_suggested_for_and_kept(
    phones: tuple[Telephone, Telephone],
) -> None:
    customer, agent = phones
    recognizer, journal = Recognizer(), Memory()
    config = SessionConfig(
        "w-1",
        parts.local(recognizer),
        journal,
        PromptMemory(),
        desk=Desk(agent.address("agent")),
        tuning=TurnTuning(endpoint_ms=ENDPOINT_MS),
    )
    worker = LineWorker(UserAgentConfig(sip_port=0, rtp_port=0), config)
    await worker.start()
    try:
        events = await watched(worker)
        begun = len(customer.events)
        call = replace(request(customer), playbook_id="loan", delivery=Delivery.SUGGEST)
        await worker.originate(replace(call, agent_id="agent0", agent_uri=agent.address("agent")))
        await until(lambda: any(event.kind == "delivery" for event in events))
        leg = (await asyncio.to_thread(customer.wait, "Invited", after=begun))["leg"]
        await asyncio.sleep(0.5)
        for number in range(LINES):
            customer.do("speak", leg=leg, ms=SPEECH_MS)
            await until(
                lambda number=number: sum(one.final for one in suggestions(events)) > number  # type: ignore[misc]
            )
        customer.do("hang_up", leg=leg)
        await ended(journal)
    finally:
        await worker.stop()
    spoken = [turn for turn in journal.turns if turn.kind is UtteranceKind.SPEECH]
    assert [turn.delivery for turn in spoken] == [Delivery.SUGGEST] * LINES
    assert all(turn.delivered is not None and turn.delivered.text == "" for turn in spoken)
    assert [turn.seq for turn in spoken] == list(range(spoken[0].seq, spoken[0].seq + LINES))
    assert "" not in [turn.understanding.transcript.text for turn in spoken]
    assert all(one.scripts for one in suggestions(events) if one.final)
    per_line_ms = sum(recognizer.heard_ms) / LINES
    assert per_line_ms < 4 * SPEECH_MS, "all that was said, again at each pause, would be eleven times a line"
    assert max(recognizer.heard_ms) < 3 * SPEECH_MS
    last = spoken[-1].understanding.transcript.text
    assert journal.records[0].outcome.reasons[-1] == last, "the last words count for the outcome"
