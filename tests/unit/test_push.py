"""Web Push: what is sent can be read by one browser alone, and the push service knows who sends."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from voicebot.console.push.sealing import (
    CURVE,
    authorization,
    check,
    identity,
    plain,
    point,
    seal,
    unplain,
)
from voicebot.domain.errors import DataError
from voicebot.domain.people import PushTarget

pytestmark = pytest.mark.unit

# The example of RFC 8291, section 5 and appendix A.
BROWSER = PushTarget(
    "eve",
    "https://push.example.net/push/JzLQ3raZJfFBR0aqvOMsLrt54w4rJUsV",
    unplain("BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"),
    unplain("BTBZMqHH6r4Tts7J_aSIgg"),
)
ONCE = ec.derive_private_key(int.from_bytes(unplain("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw")), CURVE)
SALT = unplain("DGv6ra1nlYgDCS1FRnbzlw")
SEALED = (
    "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3"
    "jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
)


def test_a_message_is_sealed_as_in_the_standards_example() -> None:
    assert plain(seal(b"When I grow up, I want to be a watermelon", BROWSER, ONCE, SALT)) == SEALED


def test_the_push_service_can_check_who_sends() -> None:
    key, now = identity(bytes(range(32))), datetime(2026, 11, 25, tzinfo=UTC)
    header = authorization(key, BROWSER.endpoint, now, "https://voicebot.example.com")
    scheme, token, public = header.replace(",", "").split(" ")
    assert (scheme, public) == ("vapid", f"k={plain(point(key))}")
    signed, _, signature = token.removeprefix("t=").rpartition(".")
    claims = json.loads(unplain(signed.split(".")[1]))
    assert claims["aud"] == "https://push.example.net"
    assert claims["sub"] == "https://voicebot.example.com"
    assert 0 < claims["exp"] - now.timestamp() <= 86400
    raw = unplain(signature)
    pair = encode_dss_signature(int.from_bytes(raw[:32]), int.from_bytes(raw[32:]))
    key.public_key().verify(pair, signed.encode(), ec.ECDSA(SHA256()))  # raises if it is wrong


def test_the_senders_key_is_the_same_after_a_restart() -> None:
    assert point(identity(b"\xff" * 32)) == point(identity(b"\xff" * 32))
    assert point(identity(b"\xff" * 32)) != point(identity(b"\xfe" * 32))


@pytest.mark.parametrize("damage", [{"key": b"\x04" + bytes(64)}, {"key": b""}, {"secret": b"short"}])
def test_keys_that_can_not_be_used_are_refused(damage: dict[str, bytes]) -> None:
    assert check(BROWSER) is BROWSER
    with pytest.raises(DataError):
        check(replace(BROWSER, **damage))  # type: ignore[arg-type]  # bytes alone
