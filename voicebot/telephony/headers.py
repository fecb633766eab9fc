"""SIP headers: the contract with a PBX, and reading and writing header lines safely."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from urllib.parse import quote

from voicebot.domain.errors import TelephonyError

# The header contract with a PBX; names are compared without regard to case (RFC 3261, 7.3.1).
CAMPAIGN = "X-Campaign-Id"
CONTACT = "X-Contact-Id"
ATTEMPT = "X-Attempt-Id"
CALLER = "X-Caller"

MAX_VALUE = 512  # characters; a longer value is no identifier
MAX_REFER_TO = 255  # characters of the address in a REFER: user agents of pjproject take no more
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_TOKEN = re.compile(r"[A-Za-z0-9.!%*_+`'~-]+")
_SIP_URI = re.compile(r"sips?:[^\s<>\"]+", re.IGNORECASE)
_USER = re.compile(r"sips?:([^@;>\s]+)@", re.IGNORECASE)


class Headers(Mapping[str, str]):
    """The headers of one SIP message. Names in any case; of repeated ones, the first counts."""

    def __init__(self, pairs: Mapping[str, str] | None = None) -> None:
        """Take name-value pairs."""
        self._values = {name.lower(): (name, value) for name, value in (pairs or {}).items()}

    def __getitem__(self, name: str) -> str:
        """Return a header's value."""
        return self._values[name.lower()][1]

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names as written."""
        return iter([name for name, _ in self._values.values()])

    def __len__(self) -> int:
        """Count the headers."""
        return len(self._values)


def parse_message(message: str) -> tuple[str, Headers]:
    """Return the start line's URI (of a request; else "") and the headers of a SIP message.

    Folded lines are joined (RFC 3261, 7.3.1); the body, lines that are no headers, values beyond MAX_VALUE
    characters and values with control characters are left out. What is no UTF-8 (PBXs write names in their
    own encoding) comes as U+FFFD, so that the rest of the value can be read and stored.
    """
    text = message.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
    head = text.replace("\r\n", "\n").split("\n\n", 1)[0]
    lines = re.sub(r"\n[ \t]+", " ", head).split("\n")
    start = lines[0].split(" ")
    uri = start[1] if len(start) == 3 and start[2].startswith("SIP/") else ""
    pairs: dict[str, str] = {}
    seen: set[str] = set()
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        name, value = name.strip(), value.strip()
        if not colon or not _TOKEN.fullmatch(name) or name.lower() in seen:
            continue
        if len(value) <= MAX_VALUE and not _CONTROL.search(value):
            seen.add(name.lower())
            pairs[name] = value
    return uri, Headers(pairs)


def user_of(uri: str) -> str:
    """Return the user part of a SIP URI, "" if it has none."""
    match = _USER.search(uri)
    return match.group(1) if match else ""


def check_uri(uri: str) -> str:
    """Return a SIP URI that is fit to be sent. Raises TelephonyError."""
    if not _SIP_URI.fullmatch(uri):
        raise TelephonyError(
            "{uri!r} is no SIP URI", hint="write it as sip:user@host or sip:user@host:port", uri=uri
        )
    return uri


def refer_to(uri: str, headers: Mapping[str, str]) -> str:
    """Return an address that carries headers for the INVITE which a REFER brings about (RFC 3261, 19.1.1).

    Those that make it too long, from the first on that does, are left out: they stand in the REFER itself.
    """
    mark = "&" if "?" in uri else "?"
    for name, value in headers.items():
        longer = f"{uri}{mark}{name}={quote(value, safe='')}"
        if len(longer) > MAX_REFER_TO:
            break
        uri, mark = longer, "&"
    return uri


def check_header(name: str, value: str) -> tuple[str, str]:
    """Return a header that can not break out of its line. Raises TelephonyError."""
    if not _TOKEN.fullmatch(name):
        raise TelephonyError("{name!r} is no SIP header name", name=name)
    if len(value) > MAX_VALUE or any(ord(char) < 32 or ord(char) == 127 for char in value):
        raise TelephonyError("the value of header {name} is too long or holds control characters", name=name)
    return name, value


def reason(status: int, text: str) -> tuple[str, str]:
    """Return a Reason header (RFC 3326) that tells the peer why."""
    clean = "".join(char for char in text if char.isascii() and char.isprintable() and char not in '"\\')
    return "Reason", f'SIP;cause={status};text="{clean}"'
