"""pjsua2 as a library: opened, configured, probed and closed. SIP thread only."""

from __future__ import annotations

import ctypes
import errno
import gc
import os
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pjsua2 as pj

from voicebot.domain.audio import FRAME_MS, LINE_RATE_HZ
from voicebot.domain.errors import TelephonyError
from voicebot.telephony.headers import Headers
from voicebot.telephony.sip import SipAccount

TLS_1_2, TLS_1_3 = 1 << 4, 1 << 5  # of pj_ssl_sock_proto; pjsua2 has no names for them
CODECS = {"PCMA/8000/1": 255, "PCMU/8000/1": 254}
LOOPBACK = "127.0.0.1"
CALLS_WANTED = 512  # pjsua2 takes fewer, silently, if it was compiled so
_SYSTEM_ERRORS = 120000  # PJ_ERRNO_START_SYS: errno follows
_in_use = threading.Lock()


@dataclass(frozen=True, slots=True)
class Registration:
    """A trunk to register to (RFC 3261, 10)."""

    registrar_uri: str  # sip:trunk.example.com
    aor: str  # sip:account@trunk.example.com
    user: str
    password: str
    expires_s: int = 300


@dataclass(frozen=True, slots=True)
class UserAgentConfig:
    """Where a user agent listens and how it behaves."""

    bind: str = "127.0.0.1"  # address of SIP and RTP
    sip_port: int = 5060  # UDP; 0 = any free one
    rtp_port: int = 20000  # first of the RTP ports; 0 = any free ones
    rtp_ports: int = 100
    user: str = "voicebot"  # user part of our own URI
    public_address: str = ""  # told to peers instead of `bind`, behind NAT
    registration: Registration | None = None
    no_media_s: float = 8.0  # answered without an RTP packet for so long: NoMedia
    stalled_s: float = 15.0  # no RTP packet for so long, after there were some: Stalled
    follow_refer: bool = False  # obey a peer's REFER: for phones, never for a bot
    tls_port: int | None = None  # listen for SIP over TLS there too; 0 = any free one; None = do not
    tls_certificate: str = ""  # PEM file
    tls_key: str = ""  # PEM file
    sip_log: str = ""  # file for pjsua2's own log, which holds numbers
    sources: tuple[str, ...] = ()  # addresses and networks whose INVITEs are answered; () = all
    invites_per_s: float = 5.0  # from one address, in the long run; more is a flood and gets 503
    invites_at_once: float = 20.0


def explain(status: int, text: str, config: UserAgentConfig) -> TelephonyError:
    """Return pjsua2's failure to start as an error with a hint."""
    code = status - _SYSTEM_ERRORS
    where = f"{config.bind}:{config.sip_port}/udp"
    if code == errno.EADDRINUSE:
        return TelephonyError(
            f"the SIP port {where} is in use",
            hint="end the other program or choose another port (VOICEBOT_SIP_PORT)",
        )
    if code in (errno.EADDRNOTAVAIL, errno.EACCES):
        return TelephonyError(
            f"cannot listen on {where}: {os.strerror(code)}",
            hint="choose an address of this machine (VOICEBOT_BIND) and a port above 1023",
        )
    return TelephonyError(f"pjsua2 did not start on {where}: {text or status}")


class Library:
    """pjsua2's only instance in this process."""

    def __init__(self) -> None:
        """Make it, not opened."""
        self.account: SipAccount | None = None
        self.started = False
        self.host, self.port = "", 0  # where SIP is heard on this machine
        self.tls_uri = ""
        self._endpoint: pj.Endpoint | None = None

    def open(self, config: UserAgentConfig, on_invite: Callable[[int, str, Headers, str], None]) -> str:
        """Start pjsua2 and return our own SIP URI. Raises TelephonyError or pj.Error."""
        if not _in_use.acquire(blocking=False):
            raise TelephonyError(
                "this process already has a user agent", hint="start another process for another user agent"
            )
        _native().pj_log_set_level(0)  # libCreate prints to stdout before its own level applies
        self._endpoint = pj.Endpoint()
        self._endpoint.libCreate()
        self._endpoint.libInit(_endpoint_config(config))
        transport = pj.TransportConfig()
        transport.boundAddress, transport.port = config.bind, config.sip_port
        transport.publicAddress = config.public_address
        opened = self._endpoint.transportCreate(pj.PJSIP_TRANSPORT_UDP, transport)
        self._endpoint.libStart()
        self.started = True
        self._endpoint.audDevManager().setNullDev()
        self._choose_codecs()
        address = str(self._endpoint.transportGetInfo(opened).localName)
        uri = f"sip:{config.user}@{address}"
        self.host = LOOPBACK if config.bind in ("", "0.0.0.0") else config.bind  # noqa: S104  # compared only
        self.port = int(address.rpartition(":")[2])
        self.account = SipAccount(on_invite)
        self.account.create(_account_config(config, uri))
        if config.tls_port is not None:
            opened = self.open_tls(config, port=config.tls_port, verify=False)
            self.tls_uri = f"sip:{config.user}@{self.address_of(opened)};transport=tls"
        return uri

    def open_tcp(self, config: UserAgentConfig) -> int:
        """Listen for SIP over TCP too, on any free port; return the transport's id. Raises pj.Error."""
        return self._open(pj.PJSIP_TRANSPORT_TCP, config, 0)

    def open_tls(self, config: UserAgentConfig, *, port: int = 0, ca: str = "", verify: bool = True) -> int:
        """Speak SIP over TLS too; return the transport's id. Raises pj.Error.

        Args:
            config: where; its certificate is shown to peers.
            port: to listen on; 0 = any free one.
            ca: PEM file of the authorities that peers' certificates are checked against; "" = the system's.
            verify: refuse a peer whose certificate is not proven, or is for another name.
        """
        return self._open(pj.PJSIP_TRANSPORT_TLS, config, port, ca, verify=verify)

    def _open(
        self, kind: int, config: UserAgentConfig, port: int, ca: str = "", *, verify: bool = False
    ) -> int:
        assert self._endpoint is not None
        transport = pj.TransportConfig()
        transport.boundAddress, transport.port = config.bind, port
        transport.publicAddress = config.public_address
        if kind == pj.PJSIP_TRANSPORT_TLS:
            tls = transport.tlsConfig
            tls.certFile, tls.privKeyFile = config.tls_certificate, config.tls_key
            tls.verifyServer = verify
            if verify:
                tls.CaListFile = ca or _system_authorities()
            tls.proto = TLS_1_2 | TLS_1_3  # goes before tls.method, which may be left alone
        return int(self._endpoint.transportCreate(kind, transport))

    def address_of(self, transport: int) -> str:
        """Return the host:port where a transport listens."""
        assert self._endpoint is not None
        return str(self._endpoint.transportGetInfo(transport).localName)

    def order_codecs(self, names: Sequence[str]) -> None:
        """Let the next offer name these codecs (PCMA, PCMU) in this order, and no other."""
        assert self._endpoint is not None
        for codec in CODECS:
            name = codec.partition("/")[0]
            priority = 255 - names.index(name) if name in names else 0
            self._endpoint.codecSetPriority(codec, priority)

    def handle_events(self, wait_ms: int) -> None:
        """Let pjsua2 work: its callbacks run in here."""
        assert self._endpoint is not None
        self._endpoint.libHandleEvents(wait_ms)

    def capacity(self) -> int:
        """Return how many calls this pjsua2 can hold: the limit compiled in, whatever was asked for."""
        return int(_native().pjsua_call_get_max_count())

    def busy(self) -> int:
        """Return how many calls pjsua2 holds: also those that ended without an answer to our INVITE.

        Their transaction keeps the slot until its time is up, 32 s (RFC 3261, timer B).
        """
        return int(_native().pjsua_call_get_count())

    def hang_up_all(self) -> None:
        """End every call and give the BYEs half a second to get out."""
        assert self._endpoint is not None
        self._endpoint.hangupAllCalls()
        deadline = time.monotonic() + 0.5
        while time.monotonic() < deadline:
            self._endpoint.libHandleEvents(10)

    def stop_media(self) -> None:
        """Stop the bridge's clock for good: ports may be let go of after that, and not before.

        pjsua2 gives up the lock of Python while it destroys a port. A frame that the media thread was
        about to deliver would then reach an object that is being freed, and corrupt the process's memory.
        """
        assert self._endpoint is not None
        self._endpoint.audDevManager().setNoDev()

    def close(self) -> None:
        """Destroy pjsua2. Every call and port must be gone by now: one left would abort the process."""
        if self._endpoint is None:
            return
        if self.account is not None:
            self.account.shutdown()
            self.account = None
        gc.collect()
        self._endpoint.libDestroy()
        self._endpoint = None
        _in_use.release()

    def _choose_codecs(self) -> None:
        """Allow G.711 only, as it is what trunks speak and what the models were judged on."""
        assert self._endpoint is not None
        for codec in self._endpoint.codecEnum2():
            name = str(codec.codecId)
            self._endpoint.codecSetPriority(name, CODECS.get(name, 0))
            if name in CODECS:
                param = self._endpoint.codecGetParam(name)
                param.setting.vad = False
                param.setting.cng = False
                self._endpoint.codecSetParam(name, param)


def _system_authorities() -> str:
    """Return the file of this machine's certificate authorities. Raises TelephonyError."""
    found = ssl.get_default_verify_paths().cafile
    for place in (found, "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt"):
        if place and Path(place).is_file():
            return place
    raise TelephonyError(
        "this machine has no list of certificate authorities",
        hint="install ca-certificates, or name a PEM file: voicebot trunk add … --tls-ca FILE",
    )


@cache
def _native() -> ctypes.CDLL:
    """Return pjsua2's shared object, for the few functions that its Python side lacks."""
    folder = Path(str(pj.__file__)).parent
    return ctypes.CDLL(str(next(folder.glob("_pjsua2*.so"))))


def _endpoint_config(config: UserAgentConfig) -> pj.EpConfig:
    ep = pj.EpConfig()
    ep.logConfig.level = 4 if config.sip_log else 0
    ep.logConfig.consoleLevel = 0
    ep.logConfig.msgLogging = 1 if config.sip_log else 0
    ep.logConfig.filename = config.sip_log
    ep.uaConfig.maxCalls = CALLS_WANTED
    ep.uaConfig.threadCnt = 0  # SIP runs in handle_events alone
    ep.uaConfig.userAgent = "voicebot"
    media = ep.medConfig
    media.clockRate = media.sndClockRate = LINE_RATE_HZ
    media.audioFramePtime = media.ptime = FRAME_MS
    media.noVad = True
    media.ecTailLen = 0
    return ep


def _account_config(config: UserAgentConfig, uri: str) -> pj.AccountConfig:
    account = pj.AccountConfig()
    account.idUri = uri
    media_config(account, config)
    if config.tls_port is not None:
        account.mediaConfig.srtpUse = pj.PJMEDIA_SRTP_OPTIONAL
        account.mediaConfig.srtpSecureSignaling = 0
    registration = config.registration
    if registration is not None:
        account.idUri = registration.aor
        account.regConfig.registrarUri = registration.registrar_uri
        account.regConfig.timeoutSec = registration.expires_s
        account.sipConfig.authCreds.append(
            pj.AuthCredInfo("digest", "*", registration.user, 0, registration.password)
        )
    return account


def media_config(account: pj.AccountConfig, config: UserAgentConfig) -> None:
    """Write where RTP flows into an account's settings."""
    rtp = account.mediaConfig.transportConfig
    rtp.boundAddress = config.bind
    rtp.publicAddress = config.public_address
    rtp.port, rtp.portRange = config.rtp_port, config.rtp_ports
