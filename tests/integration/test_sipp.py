"""SIPp, a peer that nobody here wrote, calls a line worker."""

from __future__ import annotations

import asyncio
import io
import shutil
import socket
import wave
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.integration.phone import voice
from tests.integration.scripted import Line, Memory, Server
from tests.integration.telephone import loudness_of
from tests.integration.test_line_worker import ended, running
from voicebot.domain.call import EndCause
from voicebot.domain.script import Action

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(shutil.which("sipp") is None, reason="SIPp is not installed (apt install sip-tester)"),
]

SDP = """v=0
      o=sipp 1 1 IN IP4 127.0.0.1
      s=-
      c=IN IP4 127.0.0.1
      t=0 0
      m=audio {port} RTP/AVP {codecs}
      {maps}"""

INVITE = """<?xml version="1.0" encoding="UTF-8"?>
<scenario name="caller">
  <send retrans="500"><![CDATA[
      INVITE sip:[service]@[remote_ip]:[remote_port] SIP/2.0
      Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch]
      From: <sip:13800000000@[local_ip]:[local_port]>;tag=[call_number]
      To: <sip:[service]@[remote_ip]:[remote_port]>
      Call-ID: [call_id]
      CSeq: 1 INVITE
      Contact: <sip:13800000000@[local_ip]:[local_port]>
      Max-Forwards: 70
      X-Campaign-Id: {campaign}
      X-Attempt-Id: 42
      Content-Type: application/sdp
      Content-Length: [len]

      {sdp}
  ]]></send>
  <recv response="100" optional="true"/>
  <recv response="180" optional="true"/>
"""

TALK = """  <recv response="200" rrs="true"/>
  <send><![CDATA[
      ACK [next_url] SIP/2.0
      Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch]
      [last_From:]
      [last_To:]
      [last_Call-ID:]
      CSeq: 1 ACK
      Max-Forwards: 70
      Content-Length: 0

  ]]></send>
  {media}
  <recv request="BYE" timeout="15000"/>
  <send><![CDATA[
      SIP/2.0 200 OK
      [last_Via:]
      [last_From:]
      [last_To:]
      [last_Call-ID:]
      [last_CSeq:]
      Content-Length: 0

  ]]></send>
</scenario>
"""

REFUSED = """  <recv response="{status}">
    <action>
      <ereg regexp="{header}" search_in="msg" check_it="true" assign_to="found"/>
      <log message="[$found]"/>
    </action>
  </recv>
  <send><![CDATA[
      ACK sip:[service]@[remote_ip]:[remote_port] SIP/2.0
      Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch]
      [last_From:]
      [last_To:]
      [last_Call-ID:]
      CSeq: 1 ACK
      Max-Forwards: 70
      Content-Length: 0

  ]]></send>
</scenario>
"""


def sdp(port: str, codecs: str = "8", maps: str = "a=rtpmap:8 PCMA/8000") -> str:
    return SDP.format(port=port, codecs=codecs, maps=maps)


def a_law(pcm: bytes) -> bytes:
    """Return 16-bit PCM as G.711 A-law."""
    coded = io.BytesIO()
    soundfile.write(coded, np.frombuffer(pcm, "<i2"), 8000, format="RAW", subtype="ALAW")
    return coded.getvalue()


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def errors_in(folder: Path) -> str:
    """Return what SIPp complained about."""
    return "".join(file.read_text() for file in folder.glob("*_errors.log"))


async def sipp(folder: Path, scenario: str, uri: str, *more: str) -> tuple[int, str]:
    """Run one call of a scenario; return SIPp's exit status (0 = as expected) and what it printed."""
    path = folder / "scenario.xml"
    path.write_text(scenario)
    process = await asyncio.create_subprocess_exec(
        "sipp", uri.partition("@")[2], "-sf", str(path), "-m", "1", "-i", "127.0.0.1", "-s", "campaign",
        "-p", str(free_port()), "-timeout", "25", "-timeout_error", "-trace_err", *more,
        cwd=folder,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={"TERM": "xterm", "PATH": "/usr/bin:/bin"},
    )  # fmt: skip  # options and their values in a line
    output, _ = await process.communicate()
    return process.returncode or 0, output.decode(errors="replace")[-3000:] + errors_in(folder)


def channels(path: Path) -> tuple[bytes, bytes]:
    with wave.open(str(path)) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
    return samples[0::2].tobytes(), samples[1::2].tobytes()


async def test_sipp_speaks_and_is_answered(tmp_path: Path) -> None:
    (tmp_path / "speech.alaw").write_bytes(a_law(bytes(16 * 1800) + voice(1000) + bytes(16 * 3000)))
    media = '<nop><action><exec rtp_stream="speech.alaw,1,8"/></action></nop>'
    scenario = INVITE.format(campaign="c-1", sdp=sdp("[rtpstream_audio_port]")) + TALK.format(media=media)
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
    scenario = INVITE.format(campaign="c-1", sdp=sdp("[media_port]")) + TALK.format(media="")
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
    refused = REFUSED.format(status=status, header=header.replace('"', "&quot;"))
    scenario = INVITE.format(campaign=campaign, sdp=offer) + refused
    async with running(Server([Line()])) as worker:
        code, output = await sipp(tmp_path, scenario, worker.sip_uri)
    assert code == 0, output


async def test_a_caller_without_rtp_is_released_while_nothing_else_breaks(tmp_path: Path) -> None:
    scenario = INVITE.format(campaign="c-1", sdp=sdp("9")) + TALK.format(media="")
    journal = Memory()
    async with running(Server([Line(1000, 9000)]), journal, no_media_s=1.0) as worker:
        status, output = await sipp(tmp_path, scenario, worker.sip_uri)
        record = await ended(journal)
    assert status == 0, output
    assert record.cause is EndCause.NO_MEDIA
