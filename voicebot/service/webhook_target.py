"""Where webhooks may go: never into our own networks, whatever a name resolves to (SSRF)."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit

from voicebot.domain.errors import DataError, SettingsError

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
_NAT64 = ip_network("64:ff9b::/96")  # RFC 6052
_HINT = "a private receiver needs its network in VOICEBOT_WEBHOOK_NETWORKS"


@dataclass(frozen=True, slots=True)
class Target:
    """An address that was looked up and may be connected to."""

    host: str  # as in the URL: what the certificate must be for
    address: str
    port: int


def networks(setting: str) -> tuple[Network, ...]:
    """Return the networks of VOICEBOT_WEBHOOK_NETWORKS. Raises SettingsError."""
    try:
        return tuple(ip_network(part.strip()) for part in setting.split(",") if part.strip())
    except ValueError as error:
        raise SettingsError(
            "VOICEBOT_WEBHOOK_NETWORKS can not be read", hint="such as 10.1.0.0/16,127.0.0.0/8"
        ) from error


def target(url: str, allowed: Sequence[Network]) -> Target:
    """Return where to connect to. Blocks for the look-up. Raises DataError if it may not be."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise DataError("the receiver's name is not known", hint="check the webhook's address") from error
    addresses = [ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]
    for address in addresses:
        _check(address, parts.scheme, allowed)
    return Target(host, str(addresses[0]), port)


def _check(address: Address, scheme: str, allowed: Iterable[Network]) -> None:
    plain = _unwrapped(address)
    if any(plain in network for network in allowed):
        return
    if not plain.is_global or plain.is_multicast:
        raise DataError("the receiver's address is not public", hint=_HINT)
    if scheme != "https":
        raise DataError("a public receiver is told by HTTPS only", hint="use https://")


def _unwrapped(address: Address) -> Address:
    """Return the IPv4 address that an IPv6 one carries."""
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1] or address
