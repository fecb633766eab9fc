"""A message that only one browser can read (RFC 8291), and who sent it (RFC 8292). Pure."""

from __future__ import annotations

import base64
import json
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from voicebot.domain.errors import DataError
from voicebot.domain.people import PushTarget

CURVE = ec.SECP256R1()
SALT_BYTES = 16
_RECORD = 4096  # bytes; a message is one record (RFC 8188)
_LAST = b"\x02"  # stands behind the last record's text
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # of the curve's group
_VALID = timedelta(hours=12)  # of a signature; a day at most


def identity(seed: bytes) -> ec.EllipticCurvePrivateKey:
    """Return the sender's key that belongs to 32 secret bytes; the same for the same bytes."""
    return ec.derive_private_key(int.from_bytes(seed) % (_ORDER - 1) + 1, CURVE)


def point(key: ec.EllipticCurvePrivateKey) -> bytes:
    """Return the public half of a key, 65 bytes."""
    return key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def check(target: PushTarget) -> PushTarget:
    """Return an address whose keys can be used. Raises DataError."""
    try:
        ec.EllipticCurvePublicKey.from_encoded_point(CURVE, target.key)
    except ValueError as error:
        raise DataError("the browser's key can not be used", hint="switch the notices off and on") from error
    if len(target.secret) != SALT_BYTES:
        raise DataError("the browser's secret can not be used", hint="switch the notices off and on")
    return target


def seal(message: bytes, target: PushTarget, once: ec.EllipticCurvePrivateKey, salt: bytes) -> bytes:
    """Return a message encrypted for one browser, as the body of a request (aes128gcm).

    Args:
        message: up to 3,993 bytes.
        target: the browser's keys.
        once: a key made for this message alone.
        salt: 16 bytes made for this message alone.
    """
    theirs = ec.EllipticCurvePublicKey.from_encoded_point(CURVE, target.key)
    mine = point(once)
    info = b"WebPush: info\0" + target.key + mine
    common = HKDF(SHA256(), 32, target.secret, info).derive(once.exchange(ec.ECDH(), theirs))
    key = HKDF(SHA256(), 16, salt, b"Content-Encoding: aes128gcm\0").derive(common)
    nonce = HKDF(SHA256(), 12, salt, b"Content-Encoding: nonce\0").derive(common)
    head = salt + _RECORD.to_bytes(4) + bytes([len(mine)]) + mine
    return head + AESGCM(key).encrypt(nonce, message + _LAST, None)


def authorization(key: ec.EllipticCurvePrivateKey, endpoint: str, now: datetime, subject: str = "") -> str:
    """Return the Authorization header by which a push service knows us (vapid).

    Args:
        key: ours.
        endpoint: where the message goes.
        now: UTC.
        subject: an address at which the push service's people reach us; "" = none.
    """
    parts = urlsplit(endpoint)
    claims = {"aud": f"{parts.scheme}://{parts.netloc}", "exp": int((now + _VALID).timestamp())}
    if subject:
        claims["sub"] = subject
    signed = f"{_json({'typ': 'JWT', 'alg': 'ES256'})}.{_json(claims)}"
    r, s = decode_dss_signature(key.sign(signed.encode(), ec.ECDSA(SHA256())))
    return f"vapid t={signed}.{plain(r.to_bytes(32) + s.to_bytes(32))}, k={plain(point(key))}"


def plain(data: bytes) -> str:
    """Return bytes as base64 for addresses, without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unplain(text: str) -> bytes:
    """Return the bytes. Raises DataError."""
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError as error:
        raise DataError("the browser's keys are not base64", hint="switch the notices off and on") from error


def _json(value: object) -> str:
    return plain(json.dumps(value, separators=(",", ":")).encode())
