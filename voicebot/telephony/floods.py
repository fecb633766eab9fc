"""Limits for what comes from outside: how often, and from where. Pure; the time comes in."""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import structlog

log = structlog.get_logger()

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
TELL_S = 60.0  # a flood that goes on is told of so often
SOURCES_KEPT = 4096  # an attacker may invent addresses; the longest unseen are forgotten


@dataclass(slots=True)
class Bucket:
    """So many at once, and so many a second in the long run."""

    rate: float
    burst: float
    _level: float = field(default=0.0, init=False)
    _at: float = field(default=0.0, init=False)

    def take(self, now: float) -> bool:
        """Whether one more may pass; `now` in seconds of a clock that never jumps."""
        self._level = max(0.0, self._level - (now - self._at) * self.rate)
        self._at = now
        if self._level + 1 > self.burst:
            return False
        self._level += 1
        return True


class Sources:
    """A bucket for each address."""

    def __init__(self, rate: float, burst: float) -> None:
        """Take the limits of one address."""
        self._rate, self._burst = rate, burst
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()

    def take(self, address: str, now: float) -> bool:
        """Whether one more from an address may pass."""
        bucket = self._buckets.pop(address, None) or Bucket(self._rate, self._burst)
        self._buckets[address] = bucket
        if len(self._buckets) > SOURCES_KEPT:
            self._buckets.popitem(last=False)
        return bucket.take(now)


def host_of(source: str) -> str:
    """Return the address of host:port or [host]:port."""
    host, colon, _ = source.rpartition(":")
    return (host if colon else source).strip("[]")


def networks(texts: Sequence[str]) -> tuple[Network, ...]:
    """Return addresses and networks as networks. Raises ValueError."""
    return tuple(ipaddress.ip_network(text.strip(), strict=False) for text in texts if text.strip())


def admitted(source: str, allowed: Sequence[Network]) -> bool:
    """Whether an address is in one of the networks; all are if none is named."""
    if not allowed:
        return True
    try:
        address = ipaddress.ip_address(host_of(source))
    except ValueError:
        return False
    return any(address in network for network in allowed)


@dataclass(frozen=True, slots=True)
class Refusal:
    """What somebody gets who may not call."""

    status: int
    why: str
    headers: Mapping[str, str] = field(default_factory=dict)


class Gate:
    """Turns strangers and floods away at once, before anything is looked up for them."""

    def __init__(self, sources: Sequence[str], rate: float, burst: float) -> None:
        """Take who may call (() = all), and how often from one address. Raises ValueError."""
        self._allowed = networks(sources)
        self._calls = Sources(rate, burst)
        self._turned_away = 0
        self._told_at = 0.0

    def refusal(self, source: str, now: float) -> Refusal | None:
        """Return why an INVITE from host:port is not taken; None if it is."""
        if not admitted(source, self._allowed):
            refused = Refusal(403, "source not known")
        elif not self._calls.take(host_of(source), now):
            refused = Refusal(503, "too many calls from this source", {"Retry-After": "5"})
        else:
            return None
        self._turned_away += 1
        # 1, 2, 4, 8 …: a flood must not flood the log, nor seem to be over while it goes on
        if self._turned_away.bit_count() == 1 or now - self._told_at >= TELL_S:
            self._told_at = now
            log.warning(
                "INVITE turned away", status=refused.status, why=refused.why, so_far=self._turned_away
            )
        return refused
