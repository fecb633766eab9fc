"""A machine that answers ends the call: over SIP, RTP and 183, with what inference finds."""

from __future__ import annotations

import asyncio

import pytest

from tests.integration.scripted import Line, Memory, Server
from tests.integration.telephone import Telephone, loudness_of
from tests.integration.test_line_worker import ended, idle, phone, request, running, until
from voicebot.domain.answering import AnsweredBy, Finding, NumberStatus
from voicebot.domain.call import EndCause, PromptRef
from voicebot.domain.script import Action

__all__ = ["idle", "phone"]  # fixtures

pytestmark = pytest.mark.integration


def tell_at(server: Server, finding: Finding, *, answered: bool, ms: int) -> None:
    """Have a finding told once so much was overheard."""
    told: list[bool] = []

    def look(now_answered: bool) -> None:
        if now_answered is answered and server.overheard[answered] >= ms and not told:
            told.append(True)
            server.tell(finding)

    server.on_overheard = look


async def test_an_announcement_in_early_media_ends_the_call_before_it_is_answered(phone: Telephone) -> None:
    server, journal = Server([Line()]), Memory()
    tell_at(
        server, Finding(AnsweredBy.ANNOUNCEMENT, NumberStatus.SWITCHED_OFF, 2000), answered=False, ms=1000
    )
    async with running(server, journal) as worker:
        await worker.originate(request(phone, "early"))
        record = await ended(journal)
    assert (record.cause, record.answered_at, record.turns) == (EndCause.UNREACHABLE, None, 0)
    assert record.outcome.facts == {"number_status": "switched_off"}
    assert record.outcome.reasons[-1] == "听到提示语：已关机"
    assert server.closed == [EndCause.UNREACHABLE]
    assert set(server.overheard) == {False}


async def test_a_mailbox_ends_the_call_in_the_middle_of_the_greeting(phone: Telephone) -> None:
    server, journal = Server([Line(1000, 8000)]), Memory()
    tell_at(server, Finding(AnsweredBy.MAILBOX, NumberStatus.MAILBOX, 1500), answered=True, ms=1000)
    async with running(server, journal) as worker:
        await worker.originate(request(phone))
        record = await ended(journal)
    assert record.cause is EndCause.VOICEMAIL
    assert record.answered_at is not None
    assert (record.ended_at - record.answered_at).total_seconds() < 6
    assert record.turns == 1, "the greeting had begun at once"


async def test_a_message_is_left_after_the_beep(phone: Telephone) -> None:
    server, journal = Server([Line(1000, 8000)]), Memory()
    message = PromptRef("1700/800", "再见", 800, "tone")
    met = Finding(AnsweredBy.MAILBOX, NumberStatus.MAILBOX, 1500, message=message)
    tell_at(server, met, answered=True, ms=600)
    count = len(phone.events)
    async with running(server, journal) as worker:
        await worker.originate(request(phone))
        await until(lambda: server.overheard.get(True, 0) > 600)
        await asyncio.sleep(0.5)
        server.tell(Finding(AnsweredBy.MAILBOX, NumberStatus.MAILBOX, 3000, speak=True, message=message))
        record = await ended(journal)
    heard = phone.heard(phone.wait("Invited", after=count)["leg"])
    assert loudness_of(1700, heard[-2 * 8000 :]) > 0.3
    assert record.cause is EndCause.VOICEMAIL
    assert record.outcome.reasons[-1].endswith("已留言")


async def test_a_person_is_overheard_only_until_the_dialogue_knows_him(phone: Telephone) -> None:
    server, journal = Server([Line(1000, 600), Line(900, 3000), Line(700, 400, Action.HANG_UP)]), Memory()
    tell_at(server, Finding(AnsweredBy.PERSON, None, 800), answered=True, ms=400)
    async with running(server, journal) as worker:
        await worker.originate(request(phone))
        await until(lambda: journal.turns)
        await asyncio.sleep(1)
        phone.do("speak", ms=900)
        await until(lambda: len(journal.turns) == 2)
        overheard = server.overheard[True]
        await asyncio.sleep(1)
        assert server.overheard[True] == overheard
        phone.do("hang_up")
        record = await ended(journal)
    assert record.cause is EndCause.CUSTOMER_HUNG_UP
    assert record.outcome.facts == {}
