"""The SIP user agent: pjsua2 in a thread of its own, which alone touches it."""

from __future__ import annotations

import atexit
import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence

import pjsua2 as pj
import structlog

from voicebot.domain.call import Direction, EndCause
from voicebot.domain.errors import TelephonyError
from voicebot.domain.trunk import Trunk
from voicebot.telephony.floods import Gate
from voicebot.telephony.headers import Headers, check_header, check_uri
from voicebot.telephony.knocker import Knocker
from voicebot.telephony.leg import Ended, Leg, NoMedia, Stalled
from voicebot.telephony.library import Library, UserAgentConfig, explain
from voicebot.telephony.media import BridgePort
from voicebot.telephony.sip import SipCall, options
from voicebot.telephony.trunks import Trunks, caller_uri

log = structlog.get_logger()

POLL_MS = 100  # what is due by the clock is looked at so often; commands and packets wake it at once
CODECS_AS_EVER: tuple[str, ...] = ("PCMA", "PCMU")
LOOK_S = 0.5  # how often it is looked whether RTP comes
MEASURE_S = 2.0  # how often the counters of media are taken


class UserAgent:
    """Places and answers calls. Thread-safe; see voicebot.telephony for a tour."""

    def __init__(self, config: UserAgentConfig, on_invite: Callable[[Leg], None] | None = None) -> None:
        """Make an agent that is not started.

        Args:
            config: where it listens.
            on_invite: takes an inbound leg, in the SIP thread; without it INVITEs get 603.
        """
        self.config = config
        self.capacity = 0  # legs at once, as pjsua2 was compiled; known after start
        self.sip_uri = ""
        self.tls_uri = ""  # where it listens for SIP over TLS; "" = nowhere
        self._on_invite = on_invite
        self._commands: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._calls: dict[Leg, SipCall] = {}
        self._ports: list[BridgePort] = []  # that no call uses
        self._knocker = Knocker()
        self._held = 0
        self._gate = Gate(config.sources, config.invites_per_s, config.invites_at_once)
        self._ready = threading.Event()
        self._failure: TelephonyError | None = None
        self._stopping = False
        self._library: Library | None = None
        self._trunks: Trunks | None = None
        self._thread = threading.Thread(target=self._run, name="sip", daemon=True)

    # -- for every thread --

    def start(self) -> None:
        """Start and wait until calls can be placed. Raises TelephonyError."""
        self._thread.start()
        self._ready.wait()
        if self._failure is not None:
            self._thread.join()
            raise self._failure
        atexit.register(self.stop)  # a process that ends with pjsua2 running would abort

    def stop(self) -> None:
        """Hang up everything and end the thread. Harmless when called twice."""
        self._stopping = True
        self._knocker.knock()
        atexit.unregister(self.stop)
        if self._thread.is_alive():
            self._thread.join()

    @property
    def busy(self) -> int:
        """Legs in use; an INVITE that nobody answered keeps its leg for up to 32 s."""
        return max(self._held, len(self._calls))

    @property
    def has_room(self) -> bool:
        """Whether one more leg can be had."""
        return self.busy < self.capacity

    def call(
        self,
        uri: str,
        *,
        caller_id: str = "",
        headers: Mapping[str, str] | None = None,
        ring_timeout_s: float = 40.0,
        trunk: str = "",
    ) -> Leg:
        """Place a call and return its leg at once; what becomes of it comes as events.

        Args:
            uri: whom to call, sip:user@host.
            caller_id: our number or SIP URI for this call; "" = the agent's own.
            headers: extra headers of the INVITE.
            ring_timeout_s: unanswered for so long: CANCEL, and EndCause.NO_ANSWER.
            trunk: whose account, codecs and causes hold; "" = none's, the URI says all.

        Raises:
            TelephonyError: the URI or a header can not be sent.
        """
        check_uri(uri)
        extra = dict(check_header(name, value) for name, value in (headers or {}).items())
        local = ""
        if caller_id:
            is_uri = trunk or caller_id.lower().startswith(("sip:", "sips:"))
            local = caller_id if is_uri else self._uri_of(caller_id)
            if not trunk:
                check_uri(local)
        leg = Leg(Direction.OUTBOUND, remote_uri=uri)
        leg.agent = self
        self._post(lambda: self._dial(leg, uri, local, extra, ring_timeout_s, trunk))
        return leg

    def set_trunks(self, trunks: Sequence[Trunk], *, register: bool) -> None:
        """Have accounts at these trunks and at no others; running calls go on.

        Args:
            trunks: all of them; switched-off ones are left out.
            register: whether to register where a trunk wants it: one worker of a machine does.
        """

        def change() -> None:
            assert self._trunks is not None
            self._trunks.set(trunks, register=register)

        self._post(change)

    @property
    def trunks(self) -> frozenset[str]:
        """The names of the trunks through which can be called."""
        found = self._trunks
        return found.names() if found is not None else frozenset()

    @property
    def registrations(self) -> Mapping[str, tuple[int, str]]:
        """SIP status and reason of the last answer to a registration, by trunk."""
        found = self._trunks
        return dict(found.registrations) if found is not None else {}

    def respond(self, leg: Leg, status: int, reason: str, headers: Mapping[str, str]) -> None:
        """Answer an INVITE. Use the leg's ring, answer and refuse."""
        self._for(leg, lambda call: self._respond(call, status, reason, headers))

    def hang_up(self, leg: Leg) -> None:
        """End a leg. Use the leg's hang_up."""
        self._for(leg, lambda call: call.end())

    def send_dtmf(self, leg: Leg, digits: str, *, info: bool) -> None:
        """Press keys. Use the leg's send_dtmf."""

        def send(call: SipCall) -> None:
            prm = pj.CallSendDtmfParam()
            prm.digits = digits
            prm.method = pj.PJSUA_DTMF_METHOD_SIP_INFO if info else pj.PJSUA_DTMF_METHOD_RFC2833
            call.sendDtmf(prm)

        self._for(leg, send)

    def transfer(self, leg: Leg, uri: str, timeout_s: float, headers: Mapping[str, str]) -> None:
        """Send a REFER. Use the leg's transfer."""

        def refer(call: SipCall) -> None:
            call.transfer_deadline = time.monotonic() + timeout_s
            try:
                call.xfer(uri, options(headers=headers))
            except pj.Error as error:
                call.transfer_ended(0, error.reason)

        self._for(leg, refer)

    def replace(self, leg: Leg, other: Leg, timeout_s: float, headers: Mapping[str, str]) -> None:
        """Send a REFER with Replaces. Use the leg's replace."""

        def refer(call: SipCall) -> None:
            consult = self._calls.get(other)
            call.transfer_deadline = time.monotonic() + timeout_s
            if consult is None or consult.over:
                call.transfer_ended(480, "the other leg has ended")
                return
            try:
                call.xferReplaces(consult, options(headers=headers))
            except pj.Error as error:
                call.transfer_ended(0, error.reason)

        self._for(leg, refer)

    def connect(self, source: Leg, sink: Leg) -> None:
        """Let a leg hear another. Use the leg's hear."""
        self._for_both(source, sink, lambda one, two: one.feed(two))

    def disconnect(self, source: Leg, sink: Leg) -> None:
        """End that. Use the leg's unhear."""
        self._for_both(source, sink, lambda one, two: one.unfeed(two))

    # -- the SIP thread --

    def _post(self, command: Callable[[], None]) -> None:
        self._commands.put(command)
        self._knocker.knock()

    def _for(self, leg: Leg, command: Callable[[SipCall], None]) -> None:
        def run() -> None:
            call = self._calls.get(leg)
            if call is not None and not call.over:
                command(call)

        self._post(run)

    def _for_both(self, one: Leg, two: Leg, command: Callable[[SipCall, SipCall], None]) -> None:
        def run(call: SipCall) -> None:
            other = self._calls.get(two)
            if other is not None and not other.over:
                command(call, other)

        self._for(one, run)

    def _run(self) -> None:
        library = Library()
        try:
            self.sip_uri = library.open(self.config, self._invited)
            self.tls_uri = library.tls_uri
            self.capacity = library.capacity()
            self._knocker.address = (library.host, library.port)
            self._library = library
            self._trunks = Trunks(library, self.config, self._invited)
            self._ready.set()
            while not self._stopping:
                self._turn(library)
        except pj.Error as error:
            # Only its words leave this thread: its traceback would keep pjsua2 objects alive.
            self._failure = explain(error.status, error.reason, self.config)
        except TelephonyError as error:
            self._failure = error
        finally:
            self._library = None
            self._end_calls(library)
            if self._trunks is not None:
                self._trunks.close()
                self._trunks = None
            library.close()
            self._knocker.close()
            self._ready.set()

    def _turn(self, library: Library) -> None:
        library.handle_events(POLL_MS)
        self._held = library.busy()
        while True:
            try:
                command = self._commands.get_nowait()
            except queue.Empty:
                break
            self._guard(command)
        now = time.monotonic()
        for leg, call in list(self._calls.items()):
            if call.over:
                call.release()
                del self._calls[leg]
            else:
                self._guard(lambda call=call: self._watch(call, now))  # type: ignore[misc]  # mypy can not infer a default

    def _guard(self, command: Callable[[], None]) -> None:
        try:
            command()
        except pj.Error as error:
            log.warning("SIP command failed", status=error.status, reason=error.reason)
        except Exception:
            log.exception("SIP command failed")

    def _watch(self, call: SipCall, now: float) -> None:
        """Do what is due by the clock for one call."""
        if call.ring_deadline is not None and now >= call.ring_deadline:
            call.ring_deadline = None
            call.ring_timed_out = True
            call.end()
        if call.transfer_deadline is not None and now >= call.transfer_deadline:
            call.transfer_ended(408, "no word from the far end")
        if call.answered_at is not None and now >= call.next_measure:
            call.next_measure = now + MEASURE_S
            call.measure()
        if call.answered_at is None or now < call.next_look:
            return
        call.next_look = now + LOOK_S
        silent_s = call.silent_s(now)
        if not call.heard:
            if silent_s >= self.config.no_media_s and not call.warned:
                call.warned = True
                call.leg.emit(NoMedia(silent_s))
        elif silent_s >= self.config.stalled_s and not call.stalled:
            call.stalled = True
            call.leg.emit(Stalled(silent_s))

    def _dial(
        self, leg: Leg, uri: str, local: str, headers: Mapping[str, str], timeout_s: float, trunk: str
    ) -> None:
        assert self._library is not None
        assert self._trunks is not None
        account, causes, codecs = self._library.account, {}, CODECS_AS_EVER
        if trunk:
            try:
                found, account = self._trunks.find(trunk)
                local = check_uri(caller_uri(found, local)) if local else ""
            except TelephonyError as error:
                leg.emit(Ended(EndCause.FAILURE, 0, error.detail))
                return
            causes, codecs = dict(found.causes), found.codecs
        prm = options(headers=headers)
        if local:
            prm.txOption.localUri = local
        call = SipCall(account, leg, self._ports, causes=causes)
        call.ring_deadline = time.monotonic() + timeout_s
        self._calls[leg] = call
        try:
            self._library.order_codecs(codecs)
            call.makeCall(uri, prm)
        except pj.Error as error:
            if not call.over:
                call.over = True
                leg.emit(Ended(EndCause.FAILURE, 0, error.reason))
        finally:
            self._library.order_codecs(CODECS_AS_EVER)

    def _invited(self, call_id: int, to_user: str, headers: Headers, source: str) -> None:
        assert self._library is not None
        leg = Leg(Direction.INBOUND, to_user=to_user, headers=headers, source=source)
        leg.agent = self
        call = SipCall(self._library.account, leg, self._ports, call_id)
        leg.remote_uri = str(call.getInfo().remoteUri)
        if self.config.follow_refer:
            call.follow_refer, call.adopt = self._follow, self._adopt
        self._calls[leg] = call
        if refused := self._gate.refusal(leg.source, time.monotonic()):
            # Not from inside pjsua2's own callback: it goes on with the call after that.
            leg.refuse(refused.status, refused.why, refused.headers)
            return
        if self._on_invite is None:
            self._respond(call, 603, "", {})
        else:
            self._on_invite(leg)

    def _respond(self, call: SipCall, status: int, reason: str, headers: Mapping[str, str]) -> None:
        if status >= 300:
            call.hung_up = True
        call.answer(options(status, reason, headers))

    def _follow(self, prm: pj.OnCallTransferRequestParam) -> None:
        """Obey a REFER as a phone does: the new call's audio goes nowhere."""
        assert self._library is not None
        leg = Leg(Direction.OUTBOUND, remote_uri=str(prm.dstUri))
        leg.agent = self
        call = SipCall(self._library.account, leg, self._ports)
        self._calls[leg] = call
        prm.newCall = call

    def _adopt(self, replaced: SipCall, call_id: int) -> None:
        """Carry a leg on with the call that replaces its own, as a phone does in an attended transfer."""
        assert self._library is not None
        leg = replaced.leg
        old = Leg(leg.direction, to_user=leg.to_user, remote_uri=leg.remote_uri)
        old.agent, replaced.leg = self, old  # its BYE is not the leg's end
        self._calls[old] = replaced
        call = SipCall(self._library.account, leg, self._ports, call_id)
        call.follow_refer, call.adopt = self._follow, self._adopt
        self._calls[leg] = call

    def _end_calls(self, library: Library) -> None:
        """Hang up all calls and let go of every pjsua2 object, so that the library can be destroyed."""
        if library.started:
            library.hang_up_all()
            library.stop_media()
        for call in self._calls.values():
            if not call.over:
                call.over = True
                call.leg.emit(Ended(EndCause.FAILURE, 0, "the user agent was stopped"))
            call.release()
        self._calls.clear()
        self._ports.clear()

    def _uri_of(self, number: str) -> str:
        host = self.sip_uri.partition("@")[2]
        return f"sip:{number}@{host}"
