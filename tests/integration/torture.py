"""SIP messages that are odd or broken: how a case of them is kept, and how it is written."""

from __future__ import annotations

import random
from dataclasses import dataclass

SILENCE = 0
UNANSWERED = (SILENCE,)  # methods that no module of pjproject serves: a proxy in front answers 405
SDP = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 9 RTP/AVP 8\r\n"
LONG = "a-very-long-token-that-goes-on-" * 8


@dataclass(frozen=True, slots=True)
class Torture:
    """A message, and the final answers that are right; SILENCE if it may be thrown away."""

    section: str
    text: str
    answers: tuple[int, ...]
    tolerated: tuple[int, ...] = ()

    def message(self) -> bytes:
        """Return it with ids that were never used."""
        mark = f"{random.getrandbits(60):x}"
        text = self.text.replace("MARK", mark).replace("\r\n", "\n").replace("\n", "\r\n")
        head, gap, body = text.partition("\r\n\r\n")
        return (head.replace("LENGTH", str(len(body.encode()))) + gap + body).encode()


def request(
    line: str, *headers: str, body: str = "", method: str = "", without: tuple[str, ...] = (), via: str = ""
) -> str:
    """Return a request that is sound but for what is given: headers replace those of their names."""
    usual = {
        "Via": via or "SIP/2.0/UDP 127.0.0.1:5099;branch=z9hG4bKMARK;rport",
        "Max-Forwards": "70",
        "From": "<sip:torture@127.0.0.1>;tag=MARK",
        "To": "<sip:busy@127.0.0.1>",
        "Call-ID": "MARK@torture",
        "CSeq": f"1 {method or line.split()[0]}",
        "Contact": "<sip:torture@127.0.0.1:5099>",
        **({"Content-Type": "application/sdp"} if body else {}),
        "Content-Length": "LENGTH",
    }
    given = {header.partition(":")[0].strip().lower() for header in headers}
    kept = [
        f"{name}: {value}"
        for name, value in usual.items()
        if name.lower() not in given and name not in without
    ]
    return "\n".join([line, *kept, *headers]) + "\n\n" + body


def response(line: str, *headers: str) -> str:
    """Return an answer to a request that nobody made."""
    usual = [
        "Via: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bKMARK",
        "From: <sip:a@b>;tag=MARK",
        "To: <sip:c@d>;tag=2",
        "Call-ID: MARK@torture",
    ]
    return "\n".join([line, *usual, *(headers or ["CSeq: 1 INVITE"]), "Content-Length: 0"]) + "\n\n"
