"""SIPp as a caller: scenarios of the parts that tests need, and one call of them."""

from __future__ import annotations

import asyncio
import io
import shutil
import socket
import wave
from pathlib import Path
from xml.sax.saxutils import escape

import numpy as np
import pytest
import soundfile

needs_sipp = pytest.mark.skipif(
    shutil.which("sipp") is None, reason="SIPp is not installed (apt install sip-tester)"
)

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

ACK = """  <send><![CDATA[
      ACK {uri} SIP/2.0
      Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch]
      [last_From:]
      [last_To:]
      [last_Call-ID:]
      CSeq: 1 ACK
      Max-Forwards: 70
      Content-Length: 0

  ]]></send>
"""
ANSWERED = '  <recv response="200" rrs="true"/>\n' + ACK.format(uri="[next_url]")


def request(method: str, answer: str = "200 OK", timeout_ms: int = 15000) -> str:
    """Return that a request is waited for and answered."""
    return f"""  <recv request="{method}" timeout="{timeout_ms}"/>
  <send><![CDATA[
      SIP/2.0 {answer}
      [last_Via:]
      [last_From:]
      [last_To:]
      [last_Call-ID:]
      [last_CSeq:]
      Content-Length: 0

  ]]></send>
"""


def speaks(file: str, times: int = 1) -> str:
    """Return that an A-law file is spoken; -1 times: for ever."""
    return f'<nop><action><exec rtp_stream="{file},{times},8"/></action></nop>\n'


def talk(media: str = "", timeout_ms: int = 15000) -> str:
    """Return the rest of a call that is answered and ended by the other side."""
    return ANSWERED + media + request("BYE", timeout_ms=timeout_ms) + "</scenario>\n"


def refused(status: int, header: str) -> str:
    """Return the rest of a call that is refused with a status, and a header that the regex finds."""
    return f"""  <recv response="{status}">
    <action>
      <ereg regexp="{escape(header, {'"': "&quot;"})}" search_in="msg" check_it="true" assign_to="found"/>
      <log message="[$found]"/>
    </action>
  </recv>
{ACK.format(uri="sip:[service]@[remote_ip]:[remote_port]")}</scenario>
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
