"""A telephone for tests: a user agent in a process of its own, driven by JSON lines.

Inbound calls are treated by the user part that was called; commands come on standard input, events
go to standard output.
"""

from __future__ import annotations

import json
import math
import struct
import sys
import threading
import time
from typing import Any

from voicebot.domain.errors import VoicebotError
from voicebot.telephony import Leg, LegEvent, UserAgent, UserAgentConfig

_lock = threading.Lock()
_legs: list[Leg] = []
_heard: dict[int, bytearray] = {}


def tone(hz: float, ms: int, level: int = 8000) -> bytes:
    """Return a sine."""
    samples = (int(level * math.sin(2 * math.pi * hz * n / 8000)) for n in range(ms * 8))
    return b"".join(struct.pack("<h", sample) for sample in samples)


def voice(ms: int) -> bytes:
    """Return a sound that voice detectors take for speech: a gliding, pulsing buzz with formants."""
    samples = []
    for n in range(ms * 8):
        t = n / 8000
        glide = math.cos(2 * math.pi * 3 * t)
        buzz = sum(math.sin(k * (880 * t - 6.7 * glide)) / (1 + abs(k - 4)) for k in range(1, 20))
        samples.append(int(2500 * buzz * (0.6 + 0.4 * math.sin(8 * math.pi * t))))
    return b"".join(struct.pack("<h", sample) for sample in samples)


def tell(**facts: Any) -> None:
    """Write one event."""
    with _lock:
        print(json.dumps(facts), flush=True)  # noqa: T201  # this is how it talks


def follow(leg: Leg) -> None:
    """Report what happens on a leg, and keep what it hears."""
    number = len(_legs)
    _legs.append(leg)
    heard = _heard[number] = bytearray()
    leg.on_frame = heard.extend

    def on_event(event: LegEvent) -> None:
        facts = {name: getattr(event, name) for name in event.__dataclass_fields__}
        tell(event=type(event).__name__, leg=number, **facts)

    leg.listen(on_event)


def take(leg: Leg) -> None:
    """Treat an inbound call by the user part that was called."""
    follow(leg)
    tell(event="Invited", leg=len(_legs) - 1, user=leg.to_user, headers=dict(leg.headers))
    match leg.to_user:
        case "busy":
            leg.refuse(486, "busy")
        case "decline":
            leg.refuse(603, "no")
        case "rings":
            leg.ring()
        case "early":
            leg.playout.play(tone(440, 5000))
            leg.early_media()
        case "talks":
            leg.playout.play(tone(440, 5000))
            leg.answer()
        case _:
            leg.ring()
            leg.answer()


def clear(agent: UserAgent) -> None:
    """Hang up every call there is, and wait until its line is free."""
    for leg in tuple(_legs):  # not those that come from now on
        leg.hang_up()
    until = time.monotonic() + 2  # so long only if the far end is gone
    while agent.busy and time.monotonic() < until:
        time.sleep(0.01)
    tell(event="Cleared")


def obey(agent: UserAgent, command: dict[str, Any]) -> None:
    """Do one command."""
    leg = _legs[command.get("leg", -1)] if _legs else None
    match command["do"]:
        case "call":
            follow(
                agent.call(
                    command["uri"], caller_id=command.get("caller", ""), headers=command.get("headers", {})
                )
            )
        case "play":
            assert leg is not None
            leg.playout.play(tone(command["hz"], command["ms"]))
        case "speak":
            assert leg is not None
            leg.playout.play(voice(command["ms"]))
        case "hang_up":
            assert leg is not None
            leg.hang_up()
        case "transfer":
            assert leg is not None
            leg.transfer(command["uri"])
        case "clear":
            clear(agent)
        case "dtmf":
            assert leg is not None
            leg.send_dtmf(command["digits"], info=command.get("info", False))
        case "heard":
            tell(event="Heard", pcm=bytes(_heard[command.get("leg", len(_legs) - 1)]).hex())


def main() -> None:
    """Run until standard input ends."""
    try:
        certificate, key = sys.argv[3:5] or ("", "")
        config = UserAgentConfig(
            sip_port=int(sys.argv[1]),
            rtp_port=0,
            follow_refer=sys.argv[2] != "0",
            invites_per_s=1e6,  # floods are for the bot to bear
            invites_at_once=1e6,
            tls_port=0 if certificate else None,
            tls_certificate=certificate,
            tls_key=key,
        )
        agent = UserAgent(config, take)
        agent.start()
    except VoicebotError as error:
        tell(event="Failed", error=str(error), hint=error.hint)
        return
    tell(event="Ready", uri=agent.sip_uri, tls_uri=agent.tls_uri, capacity=agent.capacity)
    for line in sys.stdin:
        obey(agent, json.loads(line))
    agent.stop()
    tell(event="Stopped")


if __name__ == "__main__":
    main()
