"""SIPp, a peer that nobody here wrote, calls the whole bot as a PBX would."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import text

from tests.integration.sipp import INVITE, a_law, channels, needs_sipp, sdp, sipp, speaks, talk
from voicebot import bootstrap
from voicebot.domain.audio import FRAME_BYTES
from voicebot.domain.campaign import Campaign, CampaignStatus, Contact
from voicebot.domain.ids import uuid7
from voicebot.domain.script import Style
from voicebot.registry import resources
from voicebot.service.supervisor import Supervisor
from voicebot.settings import Settings
from voicebot.speech.synthesis.clips import ClipLibrary
from voicebot.store.campaigns import CampaignRepository
from voicebot.store.contacts import ContactRepository
from voicebot.store.outcomes import CallDetail, OutcomeFilter, OutcomeRepository
from voicebot.store.pacing import PacingRepository
from voicebot.store.session import Database

pytestmark = [
    pytest.mark.acceptance,
    pytest.mark.timeout(180),
    needs_sipp,
]

SAID = "我现在有事，不要说了。"
ASKED = "我想找人工客服。"
WAIT_FOR_THE_OPENING_S = 13  # longer than the opening takes, which cannot be interrupted


async def test_a_pbx_passes_a_call_in_and_finds_it_in_the_database(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    settings = small(tmp_path)
    _, call = await passed_in(settings, database, database_url, speech())
    assert [turn["kind"] for turn in call.turns][:2] == ["answered", "speech"]
    assert call.turns[0]["script_id"] == "opening_greet"
    assert call.turns[1]["customer_text"].replace("，", "").startswith("我现在有事")
    assert call.turns[1]["script_id"] == "busy_offer"
    assert call.outcome is not None
    opened = tmp_path / "opened.wav"
    opened.write_bytes(bootstrap.recordings(settings).wav(call.outcome.recording))
    customer, bot = channels(opened)
    assert np.abs(np.frombuffer(customer, "<i2")).max() > 1000
    assert np.abs(np.frombuffer(bot, "<i2")).max() > 1000


async def test_who_asks_for_a_person_where_none_is_there_is_told_so_and_called_back(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    settings = small(tmp_path)
    campaign, call = await passed_in(settings, database, database_url, speech("wants_human", ASKED))
    scripts = [turn["script_id"] for turn in call.turns]
    assert scripts[-2:] == ["handover", "no_agent"], "handed over, and then the honest line"
    assert call.outcome is not None
    assert call.outcome.disposition == "callback"
    assert call.outcome.facts["callback_by"] == "person"
    with database.transaction() as session:
        rows = session.execute(text("SELECT campaign_id::text, reason, result FROM takeovers")).all()
        _, unanswered = PacingRepository(session).abandoned(campaign, call.started_at)
    assert [tuple(row) for row in rows] == [(campaign, "asked", "no_agent")]
    assert unanswered == 1, "the limit of abandoned calls is told"


def small(home: Path) -> Settings:
    """Settings for one call at a time, on free ports."""
    return Settings(home=home, sip_port=0, rtp_port=0, inference_port=0, line_port=0, calls=1)


async def passed_in(
    settings: Settings, database: Database, database_url: str, said: bytes
) -> tuple[str, CallDetail]:
    """Have a PBX pass one customer in who says this; return the campaign's id and the call as it is kept."""
    home = settings.home
    campaign, contact = on_a_list(settings, database)
    (home / "speech.alaw").write_bytes(a_law(said))
    headers = f"{campaign}\n      X-Contact-Id: {contact}"
    invite = INVITE.format(campaign=headers, sdp=sdp("[rtpstream_audio_port]"))
    scenario = invite.replace("      X-Attempt-Id: 42\n", "") + talk(speaks("speech.alaw"), 60_000)
    async with Supervisor(settings, database_url, home / "logs") as house:
        status, output = await sipp(home, scenario, house.lines[0].facts["sip_uri"], "-timeout", "90")
        assert status == 0, output
        return campaign, await stored(database, campaign)


def speech(person: str = "busy_calm", said: str = SAID) -> bytes:
    """A persona's line, said when the opening is over, and then silence."""
    library = ClipLibrary(resources.demo_dir() / "customers" / person)
    clip = library.find(said, Style.NEUTRAL)
    assert clip is not None
    second = FRAME_BYTES * 50
    return bytes(WAIT_FOR_THE_OPENING_S * second) + library.audio(clip).pcm + bytes(40 * second)


def on_a_list(settings: Settings, database: Database) -> tuple[str, str]:
    """Put one contact on a campaign's list; return both ids."""
    campaign = Campaign(
        id=str(uuid7()),
        name="from a PBX",
        playbook_id="consumer_loan",
        status=CampaignStatus.DRAFT,
        policy_pack="SIMULATION",
        trunk="sip:{number}@127.0.0.1:5099",
    )
    contact = Contact(str(uuid7()), campaign.id, "+999100200300", "Asia/Shanghai")
    with database.transaction() as session:
        CampaignRepository(session).add(campaign)
        ContactRepository(session, bootstrap.vault(settings)).add([contact], datetime.now(UTC))
    return campaign.id, contact.id


async def stored(database: Database, campaign_id: str) -> CallDetail:
    """Return the campaign's only call, once it has ended."""

    def look() -> CallDetail | None:
        with database.transaction() as session:
            outcomes = OutcomeRepository(session)
            found = list(outcomes.find(OutcomeFilter(campaign_id=campaign_id)))
            return outcomes.call(found[0].call_id) if found else None

    async with asyncio.timeout(20):
        while (call := await asyncio.to_thread(look)) is None:  # noqa: ASYNC110  # another process writes it
            await asyncio.sleep(0.2)
    return call
