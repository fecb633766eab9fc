"""A leg: one call of a user agent, as the rest of the product sees it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from voicebot.domain.call import Direction, EndCause
from voicebot.domain.errors import TelephonyError
from voicebot.domain.quality import MediaQuality
from voicebot.telephony.headers import Headers, check_header, check_uri, reason, refer_to
from voicebot.telephony.playout import Playout


@dataclass(frozen=True, slots=True)
class Ringing:
    """The far end rings (180, 183)."""

    status: int


@dataclass(frozen=True, slots=True)
class EarlyMedia:
    """The far end sends audio before it answers (183 with SDP): ring-back or an announcement."""


@dataclass(frozen=True, slots=True)
class Answered:
    """The call is answered; audio flows both ways."""


@dataclass(frozen=True, slots=True)
class Dtmf:
    """The far end pressed a key (RFC 4733, or SIP INFO)."""

    digit: str


@dataclass(frozen=True, slots=True)
class NoMedia:
    """Answered, but no RTP packet has come for this long."""

    waited_s: float


@dataclass(frozen=True, slots=True)
class Stalled:
    """RTP came, and then none for this long, though the far end has put nobody on hold."""

    waited_s: float


@dataclass(frozen=True, slots=True)
class TransferEnded:
    """A transfer came to its end. If ok, the leg is hung up next; else the call goes on."""

    ok: bool
    status: int
    reason: str


@dataclass(frozen=True, slots=True)
class Ended:
    """The leg is over. Always the last event."""

    cause: EndCause
    status: int  # final SIP status of the INVITE; 0 = none came
    reason: str


LegEvent = Ringing | EarlyMedia | Answered | Dtmf | NoMedia | Stalled | TransferEnded | Ended


class LegAgent(Protocol):
    """Who does things for a leg: the user agent. Calls return at once; results come as events."""

    def respond(self, leg: Leg, status: int, reason: str, headers: Mapping[str, str]) -> None:
        """Answer an inbound INVITE."""

    def hang_up(self, leg: Leg) -> None:
        """End the leg: CANCEL, BYE or 603."""

    def send_dtmf(self, leg: Leg, digits: str, *, info: bool) -> None:
        """Press keys."""

    def transfer(self, leg: Leg, uri: str, timeout_s: float, headers: Mapping[str, str]) -> None:
        """Send a blind REFER."""

    def replace(self, leg: Leg, other: Leg, timeout_s: float, headers: Mapping[str, str]) -> None:
        """Send a REFER with Replaces."""

    def connect(self, source: Leg, sink: Leg) -> None:
        """Let one leg hear another on the bridge."""

    def disconnect(self, source: Leg, sink: Leg) -> None:
        """End that."""


class Leg:
    """One call of a user agent, outbound or inbound. Every method may be called from any thread.

    Events come in the SIP thread, frames in the media thread: both must return quickly; pass
    events on with `loop.call_soon_threadsafe`.
    """

    def __init__(
        self,
        direction: Direction,
        *,
        to_user: str = "",
        remote_uri: str = "",
        headers: Headers | None = None,
        source: str = "",
    ) -> None:
        """Made by the user agent."""
        self.direction = direction
        self.to_user = to_user  # inbound: the user part that was called
        self.remote_uri = remote_uri
        self.headers = headers or Headers()  # inbound: of the INVITE
        self.source = source  # inbound: the address it came from, host:port
        self.playout = Playout()
        self.answered = False
        self.ended: Ended | None = None
        self.quality: MediaQuality | None = None  # so far; brought up to date every few seconds
        self.on_frame: Callable[[bytes], None] | None = None
        self.next_frame: Callable[[], bytes] = self.playout.next_frame
        self.agent: LegAgent | None = None
        self._lock = threading.Lock()
        self._listener: Callable[[LegEvent], None] | None = None
        self._waiting: list[LegEvent] = []

    def listen(self, on_event: Callable[[LegEvent], None]) -> None:
        """Receive this leg's events, those before this moment first."""
        with self._lock:
            for event in self._waiting:
                on_event(event)
            self._waiting.clear()
            self._listener = on_event

    def emit(self, event: LegEvent) -> None:
        """Used by the user agent."""
        with self._lock:
            if isinstance(event, Answered):
                self.answered = True
            if isinstance(event, Ended):
                self.ended = event
            if self._listener is None:
                self._waiting.append(event)
            else:
                self._listener(event)

    def receive(self, pcm: bytes) -> None:
        """Used by the user agent: one frame of the far end."""
        on_frame = self.on_frame
        if on_frame is not None:
            on_frame(pcm)

    def ring(self) -> None:
        """Tell an inbound caller that it rings (180)."""
        self._respond(180)

    def answer(self, headers: Mapping[str, str] | None = None) -> None:
        """Answer an inbound call (200); `Answered` follows."""
        self._respond(200, "", headers)

    def early_media(self) -> None:
        """Send audio to an inbound caller before answering (183); `playout` is heard from now on."""
        self._respond(183)

    def refuse(self, status: int, why: str = "", headers: Mapping[str, str] | None = None) -> None:
        """Refuse an inbound call with a final status from 300 and a Reason header that says why."""
        pairs = dict(headers or {})
        if why:
            name, value = reason(status, why)
            pairs[name] = value
        self._respond(status, "", pairs)

    def _respond(self, status: int, phrase: str = "", headers: Mapping[str, str] | None = None) -> None:
        checked = dict(check_header(name, value) for name, value in (headers or {}).items())
        self._agent().respond(self, status, phrase, checked)

    def hang_up(self) -> None:
        """End the call, in any state; `Ended` follows. Harmless when it has ended."""
        self._agent().hang_up(self)

    def send_dtmf(self, digits: str, *, info: bool = False) -> None:
        """Press keys, by RFC 4733 or (`info`) by SIP INFO."""
        if not digits or set(digits) - set("0123456789*#ABCD"):
            raise TelephonyError(f"{digits!r} are no DTMF digits", hint="use 0-9, *, # and A-D")
        self._agent().send_dtmf(self, digits, info=info)

    def transfer(self, uri: str, timeout_s: float = 30.0, headers: Mapping[str, str] | None = None) -> None:
        """Hand the far end over to another address (blind REFER, RFC 3515).

        `headers` stand in the REFER, and in its Refer-To for the INVITE that follows, as far as they fit.
        `TransferEnded` follows: ok, and the leg is hung up; refused, busy or no word within
        `timeout_s`, and the call goes on here.
        """
        checked = dict(check_header(name, value) for name, value in (headers or {}).items())
        self._agent().transfer(self, refer_to(check_uri(uri), checked), timeout_s, checked)

    def replace(self, other: Leg, timeout_s: float = 30.0, headers: Mapping[str, str] | None = None) -> None:
        """Hand the far end over to the far end of another leg of ours (REFER with Replaces, RFC 3891).

        `headers` stand in the REFER. `TransferEnded` follows as for `transfer`; if ok, the other leg is
        ended by its far end.
        """
        checked = dict(check_header(name, value) for name, value in (headers or {}).items())
        self._agent().replace(self, other, timeout_s, checked)

    def hear(self, other: Leg) -> None:
        """Let this leg's far end hear the other's, beside its own `playout`, without a way through Python."""
        self._agent().connect(other, self)

    def unhear(self, other: Leg) -> None:
        """End that. Harmless if it does not hear it."""
        self._agent().disconnect(other, self)

    def _agent(self) -> LegAgent:
        assert self.agent is not None, "a leg is made by a user agent"
        return self.agent
