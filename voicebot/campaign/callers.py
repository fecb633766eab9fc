"""Who calls in: which number, at which of ours, and whether the peer that says so is believed. Pure."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping, Sequence

import phonenumbers

from voicebot.domain.trunk import Trunk

REGION = "CN"  # of numbers without country code, beside those of the trunk's prefixes
_USER = re.compile(r"(?:sips?|tel):([^@;>\s]+)", re.IGNORECASE)
_PRIVATE = frozenset({"id", "user", "header"})
_WITHHELD = frozenset({"anonymous", "unknown", "unavailable", "restricted", "private"})


def caller(headers: Mapping[str, str]) -> str:
    """Return who calls as the peer says: P-Asserted-Identity (RFC 3325), else From; "" = withheld."""
    for name in ("p-asserted-identity", "from", "f"):
        user = _user(headers.get(name, ""))
        if user:
            return "" if user.lower() in _WITHHELD else user
    return ""


def withheld(headers: Mapping[str, str]) -> bool:
    """Return whether the caller wants not to be known: by Privacy (RFC 3323, 3325) or an anonymous From."""
    asked = {one.strip().lower() for one in headers.get("privacy", "").split(";")}
    user = _user(headers.get("from", "") or headers.get("f", ""))
    return bool(asked & _PRIVATE) or user.lower() in _WITHHELD


def dialled(headers: Mapping[str, str], user: str) -> tuple[str, ...]:
    """Return what the caller dialled: the request URI's user, and the To header's."""
    to = _user(headers.get("to", "") or headers.get("t", ""))
    return tuple(dict.fromkeys(one for one in (user, to) if one))


def numbers(user: str, prefixes: Iterable[str] = ()) -> tuple[str, ...]:
    """Return the E.164 numbers that a user part may stand for; none if it is no number.

    Peers write +8613900000000, 8613900000000, 013900000000 or 13900000000. `prefixes` are those that the
    peer's trunk may dial: they tell which countries are meant.
    """
    digits = re.sub(r"[\s().-]", "", user)
    if not re.fullmatch(r"\+?\d{5,17}", digits):
        return ()
    regions = {REGION} | {
        phonenumbers.region_code_for_country_code(int(prefix[1:4][:length]))
        for prefix in prefixes
        for length in (1, 2, 3)
        if prefix[1 : 1 + length].isdigit()
    }
    found: list[str] = []
    tries: list[tuple[str, str | None]] = [("+" + digits.lstrip("+"), None)]
    if not digits.startswith("+"):
        tries += [(digits, region) for region in sorted(regions - {"ZZ"}, key=lambda one: one != REGION)]
    for text, region in tries:
        try:
            parsed = phonenumbers.parse(text, region)
        except phonenumbers.NumberParseException:
            continue
        if phonenumbers.is_valid_number(parsed):
            found.append(phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164))
    # numbers of a test network are no valid ones: they are taken as they are
    return tuple(dict.fromkeys(found)) or ("+" + digits.lstrip("+"),)


def likeliest(found: Sequence[str], prefixes: Iterable[str] = ()) -> str:
    """Return which of the numbers that a user part may stand for is meant: one of the peer's countries."""
    near = (*prefixes, f"+{phonenumbers.country_code_for_region(REGION)}")
    return next((number for number in found if number.startswith(near)), found[0])


def trusted(source: str, peers: Iterable[str]) -> bool:
    """Return whether an INVITE's address is one of these addresses or networks."""
    try:
        address = ipaddress.ip_address(host_of(source))
    except ValueError:
        return False
    return any(_holds(peer, address) for peer in peers)


def host_of(address: str) -> str:
    """Return the host of host:port, [v6]:port or a bare host.

    >>> host_of("10.0.0.5:5060"), host_of("[::1]:5060"), host_of("::1")
    ('10.0.0.5', '::1', '::1')
    """
    if address.startswith("["):
        return address[1:].partition("]")[0]
    return address.partition(":")[0] if address.count(":") == 1 else address


def shows(shown: Sequence[str], called: Sequence[str], prefixes: Iterable[str] = ()) -> bool:
    """Return whether one of the numbers that we show is the one that was called."""
    prefixes = tuple(prefixes)
    ours = {number for one in shown for number in (one, *numbers(_user(one) or one, prefixes))}
    return any(number in ours for one in called for number in (one, *numbers(one, prefixes)))


def prefixes_of(trunk: Trunk | None) -> tuple[str, ...]:
    """Return the prefixes that say which countries a trunk's peers write numbers of."""
    return trunk.prefixes if trunk is not None else ()


def _user(header: str) -> str:
    found = _USER.search(header)
    return found.group(1) if found else ""


def _holds(peer: str, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    try:
        return address in ipaddress.ip_network(peer, strict=False)
    except ValueError:
        return False
