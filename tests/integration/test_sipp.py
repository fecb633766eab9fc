"""SIPp, a peer that nobody here wrote, calls a line worker."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.integration.phone import voice
from tests.integration.scripted import Line, Memory, Server
from tests.integration.sipp import (
    INVITE,
    a_law,
    channels,
    free_port,
    needs_sipp,
    refused,
    sdp,
    sipp,
    speaks,
    talk,
)
from tests.integration.telephone import loudness_of
from tests.integration.test_line_worker import ended, running
from voicebot.domain.call import EndCause
from voicebot.domain.script import Action

pytestmark = [pytest.mark.integration, needs_sipp]


async def test_sipp_speaks_and_is_answered(tmp_path: Path) -> None:
    (tmp_path / "speech.alaw").write_bytes(a_law(bytes(16 * 1800) + voice(1000) + bytes(16 * 3000)))
    scenario = INVITE.format(campaign="c-1", sdp=sdp("[rtpstream_audio_port]")) + talk(speaks("speech.alaw"))
    server = Server([Line(1000, 800), Line(700, 500, Action.HANG_UP)])
    journal = Memory()
    async with running(server, journal, recordings=tmp_path) as worker:
        status, output = await sipp(tmp_path, scenario, worker.sip_uri)
        record = await ended(journal)
    assert status == 0, output
    assert record.cause is EndCause.BOT_HUNG_UP
    assert [turn.kind for turn in journal.turns] == ["answered", "speech"]
    assert 0.8 < journal.turns[1].end_s - journal.turns[1].start_s < 1.2
    customer, bot = channels(tmp_path / record.recording)
    assert np.abs(np.frombuffer(customer, "<i2")).max() > 2000
    assert loudness_of(1000, bot[16 * 400 : 16 * 1000]) > 0.9


async def test_sipp_hears_the_prompt(tmp_path: Path) -> None:
    """SIPp echoes what it hears: the prompt comes back as the customer's voice."""
    scenario = INVITE.format(campaign="c-1", sdp=sdp("[media_port]")) + talk()
    server, journal = Server([Line(1000, 1500, Action.HANG_UP)]), Memory()
    async with running(server, journal, recordings=tmp_path) as worker:
        status, output = await sipp(
            tmp_path, scenario, worker.sip_uri, "-rtp_echo", "-mi", "127.0.0.1", "-mp", str(free_port())
        )
        record = await ended(journal)
    assert status == 0, output
    customer, _ = channels(tmp_path / record.recording)
    assert loudness_of(1000, customer[16 * 700 : 16 * 1500]) > 0.9


@pytest.mark.parametrize(
    ("campaign", "offer", "status", "header"),
    [
        ("c-9", sdp("6000"), 404, 'Reason: SIP;cause=404;text="unknown campaign"'),
        ("c-1", sdp("6000", "18", "a=rtpmap:18 G729/8000"), 488, "SIP/2.0 488"),
    ],
    ids=["unknown campaign", "a codec we lack"],
)
async def test_sipp_is_refused_with_a_reason(
    tmp_path: Path, campaign: str, offer: str, status: int, header: str
) -> None:
    scenario = INVITE.format(campaign=campaign, sdp=offer) + refused(status, header)
    async with running(Server([Line()])) as worker:
        code, output = await sipp(tmp_path, scenario, worker.sip_uri)
    assert code == 0, output


async def test_a_caller_without_rtp_is_released_while_nothing_else_breaks(tmp_path: Path) -> None:
    scenario = INVITE.format(campaign="c-1", sdp=sdp("9")) + talk()
    journal = Memory()
    async with running(Server([Line(1000, 9000)]), journal, no_media_s=1.0) as worker:
        status, output = await sipp(tmp_path, scenario, worker.sip_uri)
        record = await ended(journal)
    assert status == 0, output
    assert record.cause is EndCause.NO_MEDIA
