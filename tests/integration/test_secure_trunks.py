"""Calls over TLS with SRTP, on loopback; whoever can not prove to be who it says is refused."""

from __future__ import annotations

import ipaddress
import queue
import socket
import ssl
import time
import warnings
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from tests.integration.phone import tone
from tests.integration.telephone import Telephone, loudness_of
from voicebot.domain.call import EndCause
from voicebot.domain.trunk import Srtp, Transport, Trunk
from voicebot.telephony import Answered, Ended, Leg, LegEvent, UserAgent

pytestmark = pytest.mark.integration


def certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """Write a certificate for this machine, signed by itself, and its key."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=2))
        .add_extension(
            x509.SubjectAlternativeName(
                [x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName("127.0.0.1")]
            ),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    files = folder / f"{name}.pem", folder / f"{name}.key"
    files[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return files


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return certificate(tmp_path_factory.mktemp("tls"), "phone")


@pytest.fixture(scope="module")
def phone(files: tuple[Path, Path]) -> Iterator[Telephone]:
    made = Telephone(certificate=files)
    yield made
    made.close()


@pytest.fixture
def trunk(phone: Telephone, files: tuple[Path, Path]) -> Trunk:
    host = str(phone.ready["tls_uri"]).partition("@")[2].partition(";")[0]
    return Trunk("safe", host, ("+86",), transport=Transport.TLS, srtp=Srtp.REQUIRED, tls_ca=str(files[0]))


def set_and_call(agent: UserAgent, trunk: Trunk) -> tuple[Leg, queue.Queue[LegEvent]]:
    agent.set_trunks([trunk], register=False)
    deadline = time.monotonic() + 15
    while "safe" not in agent.trunks and "safe" not in agent.registrations:
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.05)
    events: queue.Queue[LegEvent] = queue.Queue()
    leg = agent.call(f"sip:+8613900000000@{trunk.host};transport=tls", trunk="safe", ring_timeout_s=10)
    leg.listen(events.put)
    return leg, events


def next_of(events: queue.Queue[LegEvent], *kinds: type) -> LegEvent:
    while True:
        event = events.get(timeout=20)
        if isinstance(event, kinds):
            return event


def test_a_call_over_tls_carries_encrypted_audio_both_ways(
    agent: UserAgent, trunk: Trunk, phone: Telephone
) -> None:
    before, heard = len(phone.events), bytearray()
    leg, events = set_and_call(agent, trunk)
    leg.on_frame = heard.extend
    assert isinstance(next_of(events, Answered, Ended), Answered)
    invited = phone.wait("Invited", after=before)
    assert "TLS" in invited["headers"]["Via"]
    leg.playout.play(tone(440, 1500))
    phone.do("play", leg=invited["leg"], hz=900, ms=1500)
    time.sleep(1.5)
    assert loudness_of(440, phone.heard(invited["leg"])) > 0.3
    assert loudness_of(900, bytes(heard)) > 0.3
    leg.hang_up()
    next_of(events, Ended)


def test_a_certificate_that_nobody_vouches_for_is_refused_unless_that_is_wanted(
    agent: UserAgent, trunk: Trunk, tmp_path: Path
) -> None:
    stranger, _ = certificate(tmp_path, "stranger")
    _, events = set_and_call(agent, replace(trunk, tls_ca=str(stranger)))
    ended = next_of(events, Answered, Ended)
    assert isinstance(ended, Ended)
    assert ended.cause in (EndCause.UNREACHABLE, EndCause.FAILURE)
    agent.set_trunks([], register=False)
    leg, events = set_and_call(agent, replace(trunk, tls_ca="", tls_verify=False))
    assert isinstance(next_of(events, Answered, Ended), Answered)
    leg.hang_up()
    next_of(events, Ended)


def test_authorities_that_are_not_there_leave_a_trunk_unusable_and_say_so(
    agent: UserAgent, trunk: Trunk
) -> None:
    _, events = set_and_call(agent, replace(trunk, tls_ca="/nowhere.pem"))
    ended = next_of(events, Answered, Ended)
    assert isinstance(ended, Ended)
    assert ended.cause is EndCause.FAILURE
    assert agent.registrations["safe"] == (0, "there is no file /nowhere.pem on this machine")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1_2])
def test_nothing_older_than_tls_1_2_is_spoken(trunk: Trunk, version: ssl.TLSVersion) -> None:
    """Of what listens; what calls is opened in the same way."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")  # else this side would refuse by itself
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of versions that nobody should use
        context.minimum_version = context.maximum_version = version
    host, _, port = trunk.host.partition(":")
    with socket.create_connection((host, int(port)), timeout=5) as plain:
        if version is ssl.TLSVersion.TLSv1_2:
            with context.wrap_socket(plain) as spoken:
                assert spoken.version() == "TLSv1.2"
        else:
            with pytest.raises((ssl.SSLError, ConnectionError)) as refused:
                context.wrap_socket(plain)
            assert "NO_PROTOCOLS_AVAILABLE" not in str(refused.value), "this side does not speak it either"
