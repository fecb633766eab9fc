"""The pjsua2 objects of calls and accounts. Everything here lives and dies in the SIP thread."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import pjsua2 as pj
import structlog

from voicebot.domain.call import Direction, EndCause
from voicebot.domain.quality import quality
from voicebot.telephony.floods import Bucket
from voicebot.telephony.headers import Headers, parse_message, user_of
from voicebot.telephony.leg import Answered, Dtmf, EarlyMedia, Ended, Leg, Ringing, TransferEnded
from voicebot.telephony.media import BridgePort

log = structlog.get_logger()

KEYS_PER_S, KEYS_AT_ONCE = 10.0, 64.0  # nobody presses more; what comes beyond is thrown away
RINGING = 180
OK = 200
_BUSY = {486, 600}
_REJECTED = {401, 403, 407, 433, 603, 607, 608}
_TIMED_OUT = {408, 487}


def options(status: int = 0, phrase: str = "", headers: Mapping[str, str] | None = None) -> pj.CallOpParam:
    """Return pjsua2's parameters of a request or an answer."""
    prm = pj.CallOpParam(True)
    prm.opt.audioCount = 1
    prm.opt.videoCount = 0
    if status:
        prm.statusCode = status
        prm.reason = phrase
    for name, value in (headers or {}).items():
        header = pj.SipHeader()
        header.hName, header.hValue = name, value
        prm.txOption.headers.append(header)
    return prm


class SipCall(pj.Call):  # type: ignore[misc]  # pjsua2 ships no types
    """pjsua2's call behind one leg."""

    def __init__(
        self,
        account: pj.Account,
        leg: Leg,
        ports: list[BridgePort],
        call_id: int = -1,
        causes: Mapping[int, str] | None = None,
    ) -> None:
        """Make the call; call_id is given for inbound ones; causes: the trunk's own, by SIP status."""
        super().__init__(account, call_id)
        self.leg = leg
        self._causes = causes or {}
        self.follow_refer: Callable[[pj.OnCallTransferRequestParam], None] | None = None
        self.ring_deadline: float | None = None
        self.transfer_deadline: float | None = None
        self.answered_at: float | None = None
        self.next_look = 0.0  # when to count RTP packets again
        self.heard = False  # an RTP packet came
        self.next_measure = 0.0  # when to look at the media's counters again
        self._keys = Bucket(KEYS_PER_S, KEYS_AT_ONCE)
        self.warned = False  # NoMedia was told
        self.stalled = False  # Stalled was told
        self.packets = 0  # as of the last look
        self.packet_at = 0.0  # when a look found new ones, or nobody was to send any
        self.hung_up = False  # by us
        self.ring_timed_out = False
        self.rang = False
        self.over = False
        self.sinks: list[SipCall] = []  # who hears this far end beside us
        self.sources: list[SipCall] = []  # whom this far end hears beside us
        self.adopt: Callable[[SipCall, int], None] | None = None  # takes the call that replaces this one
        self._ports = ports
        self._port: BridgePort | None = None

    # -- called by pjsua2, in the SIP thread; an exception would be lost in C++ --

    def onCallState(self, prm: pj.OnCallStateParam) -> None:  # noqa: N802  # pjsua2's name
        """Follow the INVITE session."""
        try:
            self._state_changed()
        except Exception:
            log.exception("call state failed")

    def onCallMediaState(self, prm: pj.OnCallMediaStateParam) -> None:  # noqa: N802
        """Connect the leg to the bridge, at the answer or at early media."""
        try:
            self._connect_media()
        except Exception:
            log.exception("media failed")

    def onDtmfDigit(self, prm: pj.OnDtmfDigitParam) -> None:  # noqa: N802
        """Pass a key on."""
        if self._keys.take(time.monotonic()):
            self.leg.emit(Dtmf(str(prm.digit)))

    def onCallTransferStatus(self, prm: pj.OnCallTransferStatusParam) -> None:  # noqa: N802
        """Follow the NOTIFYs after our REFER."""
        try:
            if prm.finalNotify and self.transfer_deadline is not None:
                self.transfer_ended(int(prm.statusCode), str(prm.reason))
        except Exception:
            log.exception("transfer status failed")

    def onCallTransferRequest(self, prm: pj.OnCallTransferRequestParam) -> None:  # noqa: N802
        """Refuse a REFER: obeying it would let any peer dial through us."""
        if self.follow_refer is None:
            prm.statusCode = 603
            return
        try:
            self.follow_refer(prm)
        except Exception:
            log.exception("transfer request failed")

    def onCallReplaceRequest(self, prm: pj.OnCallReplaceRequestParam) -> None:  # noqa: N802
        """Refuse an INVITE with Replaces, unless we are a phone: it would put a stranger on the line."""
        if self.adopt is None:
            prm.statusCode = 603

    def onCallReplaced(self, prm: pj.OnCallReplacedParam) -> None:  # noqa: N802
        """Let the replacing call carry this leg on."""
        try:
            if self.adopt is not None:
                self.adopt(self, int(prm.newCallId))
        except Exception:
            log.exception("replaced call failed")

    # -- our side --

    def feed(self, sink: SipCall) -> None:
        """Let another call hear this one's far end."""
        if sink not in self.sinks:
            self.sinks.append(sink)
            sink.sources.append(self)
        self._link(sink)

    def unfeed(self, sink: SipCall) -> None:
        """End that."""
        if sink in self.sinks:
            self.sinks.remove(sink)
            sink.sources.remove(self)
            mine, other = self._audio(), sink._audio()
            if mine is not None and other is not None:
                mine.stopTransmit(other)

    def _link(self, sink: SipCall) -> None:
        mine, other = self._audio(), sink._audio()
        if mine is not None and other is not None:
            mine.startTransmit(other)

    def _audio(self) -> pj.AudioMedia | None:
        """Return this call's place on the bridge, if it has active audio."""
        if self.over or not self.hasMedia():
            return None
        info = self.getInfo()  # kept: the list of media lives in it
        for index, media in enumerate(info.media):
            if media.type == pj.PJMEDIA_TYPE_AUDIO and media.status == pj.PJSUA_CALL_MEDIA_ACTIVE:
                return self.getAudioMedia(index)
        return None

    def transfer_ended(self, status: int, phrase: str) -> None:
        """Tell how the transfer went; the leg of a good one does not end by itself."""
        self.transfer_deadline = None
        ok = 200 <= status < 300
        self.leg.emit(TransferEnded(ok, status, phrase))
        if ok:
            self.end()

    def end(self) -> None:
        """Hang up, in any state."""
        if not self.over and not self.hung_up:
            self.hung_up = True
            self.measure()
            self.hangup(pj.CallOpParam())

    def measure(self) -> None:
        """Take the media's counters, while there is media, for how the call sounds."""
        if self.over or self.answered_at is None or not self.hasMedia():
            return
        try:
            rtcp = self.getStreamStat(0).rtcp
        except pj.Error:
            return  # between two streams, as in a re-INVITE
        heard, said = rtcp.rxStat, rtcp.txStat
        self.leg.quality = quality(
            int(heard.pkt),
            int(heard.loss),
            heard.jitterUsec.mean / 1000,
            int(said.pkt),
            int(said.loss),
            said.jitterUsec.mean / 1000,
            rtcp.rttUsec.mean / 1000,
        )

    def received_packets(self) -> int:
        """Return the RTP packets that came so far."""
        return int(self.getStreamStat(0).rtcp.rxStat.pkt) if self.hasMedia() else 0

    def silent_s(self, now: float) -> float:
        """Return for how long no RTP packet has come that could have; looks now."""
        try:
            packets = self.received_packets()
        except pj.Error:
            return 0.0  # between two streams, as in a re-INVITE
        if packets != self.packets or (self.heard and self._audio() is None):
            self.heard = self.heard or packets > 0
            self.stalled = False
            self.packets, self.packet_at = packets, now
        return now - max(self.packet_at, self.answered_at or now)

    def release(self) -> None:
        """Let go of everything, so that this object is freed here and not in another thread."""
        if self._port is not None:
            self._port.detach()
            self._ports.append(self._port)
            self._port = None
        self.follow_refer = self.adopt = None
        for sink in self.sinks:
            sink.sources.remove(self)
        for source in self.sources:
            source.sinks.remove(self)
        self.sinks.clear()
        self.sources.clear()

    def _state_changed(self) -> None:
        info = self.getInfo()
        state, status = info.state, int(info.lastStatusCode)
        if state == pj.PJSIP_INV_STATE_EARLY and self.leg.direction == Direction.OUTBOUND:
            self.rang = True
            self.leg.emit(Ringing(status))
        elif state == pj.PJSIP_INV_STATE_CONFIRMED and self.answered_at is None:
            self.answered_at = time.monotonic()
            self.ring_deadline = None
            self.leg.emit(Answered())
        elif state == pj.PJSIP_INV_STATE_DISCONNECTED and not self.over:
            self.measure()
            self.over = True
            self.leg.emit(Ended(self._cause(status), status, str(info.lastReason)))

    def _cause(self, status: int) -> EndCause:
        if self.answered_at is not None:
            return EndCause.BOT_HUNG_UP if self.hung_up else EndCause.CUSTOMER_HUNG_UP
        if self.leg.direction == Direction.INBOUND:
            return EndCause.REJECTED if self.hung_up else EndCause.CUSTOMER_HUNG_UP
        if self.ring_timed_out:
            return EndCause.NO_ANSWER if self.rang else EndCause.UNREACHABLE
        if self.hung_up:
            return EndCause.BOT_HUNG_UP
        if status in self._causes:
            return EndCause(self._causes[status])
        if status in _BUSY:
            return EndCause.BUSY
        if status in _REJECTED:
            return EndCause.REJECTED
        if status in _TIMED_OUT and self.rang:
            return EndCause.NO_ANSWER
        return EndCause.UNREACHABLE

    def _connect_media(self) -> None:
        info = self.getInfo()
        for index, media in enumerate(info.media):
            if media.type != pj.PJMEDIA_TYPE_AUDIO or media.status != pj.PJSUA_CALL_MEDIA_ACTIVE:
                continue
            audio = self.getAudioMedia(index)
            early = self._port is None and self.answered_at is None and info.state == pj.PJSIP_INV_STATE_EARLY
            if self._port is None:
                # Made when first needed: pjsua2 calls every port 50 times a second, used or not.
                self._port = self._ports.pop() if self._ports else BridgePort(f"call{info.id}")
                self._port.attach(self.leg.receive, self._next_frame)
            audio.startTransmit(self._port)
            self._port.startTransmit(audio)
            for sink in self.sinks:  # a re-INVITE has opened the media anew
                self._link(sink)
            for source in self.sources:
                source._link(self)
            if early and self.leg.direction == Direction.OUTBOUND:
                self.leg.emit(EarlyMedia())
            return

    def _next_frame(self) -> bytes:
        return self.leg.next_frame()


class SipAccount(pj.Account):  # type: ignore[misc]  # pjsua2 ships no types
    """Where INVITEs arrive."""

    def __init__(self, on_invite: Callable[[int, str, Headers, str], None]) -> None:
        """Take what to do with an INVITE: pjsua2's call id, the URI's user, the headers, where from."""
        super().__init__()
        self._on_invite = on_invite

    def onIncomingCall(self, prm: pj.OnIncomingCallParam) -> None:  # noqa: N802
        """Pass an INVITE on."""
        try:
            uri, headers = parse_message(str(prm.rdata.wholeMsg))
            self._on_invite(int(prm.callId), user_of(uri), headers, str(prm.rdata.srcAddress))
        except Exception:
            log.exception("INVITE failed")


class TrunkAccount(SipAccount):
    """Our account at a trunk."""

    def __init__(
        self,
        name: str,
        on_invite: Callable[[int, str, Headers, str], None],
        on_registration: Callable[[str, int, str], None],
    ) -> None:
        """Take what to do with an INVITE, and whom to tell of registrations: name, status, reason."""
        super().__init__(on_invite)
        self._name = name
        self._on_registration = on_registration

    def onRegState(self, prm: pj.OnRegStateParam) -> None:  # noqa: N802
        """Tell how a registration ended (RFC 3261, 10)."""
        try:
            self._on_registration(self._name, int(prm.code), str(prm.reason))
        except Exception:
            log.exception("registration failed")
