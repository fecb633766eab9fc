"""Trunks: the ways out to the telephone network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class NumberFormat(StrEnum):
    """How a trunk wants numbers written."""

    E164 = "e164"  # +8613900000000
    DIGITS = "digits"  # 8613900000000
    NATIONAL = "national"  # 13900000000, or 02088888888: as dialled inside the country


class Transport(StrEnum):
    """What carries SIP."""

    UDP = "udp"
    TCP = "tcp"
    TLS = "tls"


class Srtp(StrEnum):
    """Whether audio is encrypted (RFC 3711)."""

    OFF = "off"
    OPTIONAL = "optional"
    REQUIRED = "required"


@dataclass(frozen=True, slots=True)
class Registered:
    """How a line worker's last registration at a trunk ended."""

    trunk: str
    worker: str
    status: int  # SIP; 0 = the trunk did not answer
    reason: str
    at: datetime

    @property
    def ok(self) -> bool:
        """Whether calls can come in."""
        return 200 <= self.status < 300


@dataclass(frozen=True, slots=True)
class Trunk:
    """A SIP trunk (线路)."""

    name: str
    host: str  # sip.example.com, or with a port: 10.0.0.5:5060
    prefixes: tuple[str, ...]  # of numbers it may dial, in E.164: +86; never empty
    transport: Transport = Transport.UDP
    user: str = ""  # of digest authentication (RFC 8760); "" = the trunk knows us by our address
    password: str = field(default="", repr=False)
    register: bool = False  # RFC 3261, 10
    domain: str = ""  # of our own address at the trunk; "" = its host
    number_format: NumberFormat = NumberFormat.E164
    dial_prefix: str = ""  # put before every number: 9, or an account's code
    caller_ids: tuple[str, ...] = ()  # numbers that may be shown; () = any
    codecs: tuple[str, ...] = ("PCMA", "PCMU")  # in this order
    srtp: Srtp = Srtp.OFF
    tls_verify: bool = True  # refuse a certificate that no known authority signed, or for another name
    tls_ca: str = ""  # PEM file of the authorities, on each line worker's machine; "" = the system's
    max_calls: int = 0  # at the same time, by all campaigns; 0 = no limit of its own
    calls_per_s: float = 0.0  # 0 = no limit of its own
    causes: Mapping[int, str] = field(default_factory=dict)  # SIP status -> domain.call.EndCause
    enabled: bool = True

    @property
    def address_of_record(self) -> str:
        """Return our own address at the trunk: what is registered, and whom calls come from."""
        return f"sip:{self.user or 'voicebot'}@{self.domain or self.host}"
