"""Trunks: the SIP URI template through which a campaign's calls go out."""

from __future__ import annotations

import ipaddress
import re

from voicebot.domain.errors import CampaignError

_TEMPLATE = re.compile(
    r"(?P<scheme>sips?):(?P<user>[^@\s<>\"]*\{number\}[^@\s<>\"]*)@(?P<host>\[[0-9a-fA-F:]+\]|[A-Za-z0-9.-]+)"
    r"(?::(?P<port>\d{1,5}))?(?P<rest>;[A-Za-z0-9=;.-]*)?"
)
_E164 = re.compile(r"\+[1-9]\d{6,14}")


def check_trunk(template: str) -> str:
    """Return a trunk template that can be used. Raises CampaignError."""
    match = _TEMPLATE.fullmatch(template)
    if not match or int(match["port"] or 5060) > 65535:
        raise CampaignError(
            f"{template!r} is no trunk", hint="write it as sip:{number}@host:port, with {number} as it stands"
        )
    return template


def call_uri(template: str, number: str) -> str:
    """Return the SIP URI that calls an E.164 number. Raises CampaignError."""
    if not _E164.fullmatch(number):
        raise CampaignError("the contact's number is not in E.164 form")
    return check_trunk(template).replace("{number}", number)


def is_loopback(template: str) -> bool:
    """Return whether calls through a trunk stay on this machine. A name other than localhost does not."""
    match = _TEMPLATE.fullmatch(template)
    if not match or "maddr" in (match["rest"] or "").lower():
        return False
    host = match["host"].strip("[]")
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
