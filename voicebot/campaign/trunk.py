"""Trunks: the way from a contact's number to the SIP URI that is called."""

from __future__ import annotations

import ipaddress
import re

import phonenumbers

from voicebot.domain.call import EndCause
from voicebot.domain.errors import CampaignError
from voicebot.domain.trunk import NumberFormat, Transport, Trunk

CODECS = ("PCMA", "PCMU")
NETWORK = frozenset({0, 401, 403, 407, 500, 502, 503, 504})  # statuses by which a trunk itself fails

_HOST = r"(?P<host>\[[0-9a-fA-F:]+\]|[A-Za-z0-9.-]+)(?::(?P<port>\d{1,5}))?"
_TEMPLATE = re.compile(
    rf"(?P<scheme>sips?):(?P<user>[^@\s<>\"]*\{{number\}}[^@\s<>\"]*)@{_HOST}(?P<rest>;[A-Za-z0-9=;.-]*)?"
)
_ADDRESS = re.compile(_HOST)
_E164 = re.compile(r"\+[1-9]\d{6,14}")
_PREFIX = re.compile(r"\+[1-9]\d{0,14}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_USER = re.compile(r"[A-Za-z0-9._+~*#-]*")
_CALLER = re.compile(r"\+?\d{2,15}")


def check_trunk(template: str) -> str:
    """Return a trunk template that can be used. Raises CampaignError."""
    match = _TEMPLATE.fullmatch(template)
    if not match or int(match["port"] or 5060) > 65535:
        raise CampaignError(
            "{template!r} is no trunk",
            hint="write it as sip:{{number}}@host:port, with {{number}} as it stands",
            template=template,
        )
    return template


def is_template(trunk: str) -> bool:
    """Return whether a campaign's trunk is a URI template and not the name of a trunk."""
    return ":" in trunk or "{" in trunk


def check(trunk: Trunk) -> Trunk:
    """Return a trunk whose settings can be used. Raises CampaignError with all that is wrong."""
    address = _ADDRESS.fullmatch(trunk.host)
    causes = {cause.value for cause in EndCause}
    wrong = [
        words
        for is_wrong, words in (
            (not _NAME.fullmatch(trunk.name), "the name may hold letters, digits and . _ -"),
            (not address or int(address["port"] or 5060) > 65535, f"{trunk.host!r} is no host:port"),
            (
                not trunk.prefixes or not all(_PREFIX.fullmatch(prefix) for prefix in trunk.prefixes),
                "name the prefixes that may be dialled, such as +86",
            ),
            (bool(trunk.password) and not trunk.user, "a password needs a user"),
            (trunk.register and not trunk.user, "registration needs a user"),
            (not _USER.fullmatch(trunk.user), "the user holds characters that SIP does not allow"),
            (not re.fullmatch(r"[0-9*#]*", trunk.dial_prefix), "the dial prefix holds more than 0-9 * #"),
            (bool(trunk.domain) and not _ADDRESS.fullmatch(trunk.domain), f"{trunk.domain!r} is no domain"),
            (not all(_CALLER.fullmatch(number) for number in trunk.caller_ids), "a caller id is no number"),
            (
                not trunk.codecs or not set(trunk.codecs) <= set(CODECS),
                f"codecs are {', '.join(CODECS)}",
            ),
            (
                bool(trunk.tls_ca) and trunk.transport is not Transport.TLS,
                "certificates are of use with --transport tls only",
            ),
            (trunk.max_calls < 0 or trunk.calls_per_s < 0, "limits are 0 (none) or more"),
            (
                not all(300 <= status <= 699 for status in trunk.causes)
                or not set(trunk.causes.values()) <= causes,
                f"causes are written 480=no_answer, with one of {', '.join(sorted(causes))}",
            ),
        )
        if is_wrong
    ]
    if wrong:
        raise CampaignError("trunk {trunk!r}: {wrong}", trunk=trunk.name, wrong="; ".join(wrong))
    return trunk


def call_uri(template: str, number: str) -> str:
    """Return the SIP URI that calls an E.164 number by a template. Raises CampaignError."""
    return check_trunk(template).replace("{number}", _checked(number))


def trunk_uri(trunk: Trunk, number: str) -> str:
    """Return the SIP URI that calls an E.164 number through a trunk. Raises CampaignError."""
    if not dialable(trunk, number):
        raise CampaignError("trunk {trunk} may not dial this number", trunk=trunk.name)
    transport = "" if trunk.transport is Transport.UDP else f";transport={trunk.transport.value}"
    return f"sip:{trunk.dial_prefix}{_written(trunk.number_format, _checked(number))}@{trunk.host}{transport}"


def dialable(trunk: Trunk, number: str) -> bool:
    """Return whether a trunk may dial a number (E.164): toll fraud ends at its list of prefixes."""
    return any(number.startswith(prefix) for prefix in trunk.prefixes)


def shown_number(trunk: Trunk, wanted: str) -> str:
    """Return the caller id to show through a trunk, as it wants numbers written. Raises CampaignError."""
    if not trunk.caller_ids:
        return wanted
    if wanted and wanted not in trunk.caller_ids:
        raise CampaignError(
            "trunk {trunk} may not show {wanted}",
            hint="one of {numbers}",
            trunk=trunk.name,
            wanted=wanted,
            numbers=trunk.caller_ids,
        )
    return wanted or trunk.caller_ids[0]


def stays_here(campaign_trunk: str, trunk: Trunk | None) -> bool:
    """Return whether a campaign's calls stay on this machine."""
    return is_loopback(f"sip:{{number}}@{trunk.host}" if trunk is not None else campaign_trunk)


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


def _checked(number: str) -> str:
    if not _E164.fullmatch(number):
        raise CampaignError("the contact's number is not in E.164 form")
    return number


def _written(wanted: NumberFormat, number: str) -> str:
    if wanted is NumberFormat.E164:
        return number
    if wanted is NumberFormat.DIGITS:
        return number.removeprefix("+")
    try:
        parsed = phonenumbers.parse(number)
    except phonenumbers.NumberParseException as error:
        raise CampaignError("the contact's number has no national form") from error
    national = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.NATIONAL)
    return "".join(char for char in national if char.isdigit())
