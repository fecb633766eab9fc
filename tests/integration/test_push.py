"""Notices to agents' devices: a push service gets what only the browser can read, and knows who sends."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from voicebot.console.house import House
from voicebot.console.push.sealing import CURVE, point
from voicebot.domain.people import AgentState, PushTarget
from voicebot.settings import Settings
from voicebot.store.agents import AgentRepository
from voicebot.store.push_targets import PushTargetRepository
from voicebot.store.session import Database

pytestmark = pytest.mark.integration

SECRET = bytes(range(16))


@dataclass
class PushService:
    """What stands between us and a browser."""

    url: str = ""
    status: int = 201
    taken: list[tuple[dict[str, str], bytes]] = field(default_factory=list)


@pytest.fixture
def service() -> Iterator[PushService]:
    told = PushService()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            told.taken.append(({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(told.status)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    told.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield told
    server.shutdown()
    thread.join()
    server.server_close()


def opened(browser: ec.EllipticCurvePrivateKey, body: bytes) -> dict[str, str]:
    """Read a message as a browser does (RFC 8291, RFC 8188)."""
    salt, length = body[:16], body[20]
    theirs, sealed = body[21 : 21 + length], body[21 + length :]
    shared = browser.exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(CURVE, theirs))
    common = HKDF(SHA256(), 32, SECRET, b"WebPush: info\0" + point(browser) + theirs).derive(shared)
    key = HKDF(SHA256(), 16, salt, b"Content-Encoding: aes128gcm\0").derive(common)
    nonce = HKDF(SHA256(), 12, salt, b"Content-Encoding: nonce\0").derive(common)
    plain = AESGCM(key).decrypt(nonce, sealed, None)
    assert plain.endswith(b"\x02"), "the only record is the last one"
    found: dict[str, str] = json.loads(plain[:-1])
    return found


def sign_in(database: Database, target: PushTarget, now: datetime) -> None:
    with database.transaction() as session:
        agents = AgentRepository(session)
        agents.save("eve", "Eve", "sip:eve@127.0.0.1")
        agents.set_available("eve", True, now)
        PushTargetRepository(session).save(target, now)


async def test_a_device_is_told_of_a_call_and_forgotten_when_it_is_gone(
    database: Database, service: PushService, tmp_path: Path
) -> None:
    browser, now = ec.generate_private_key(CURVE), datetime.now(UTC)
    sign_in(database, PushTarget("eve", f"{service.url}/one", point(browser), SECRET, "en"), now)
    house = House(Settings(home=tmp_path, webhook_networks="127.0.0.0/8"), database)
    try:
        house.push.ring("eve", "call-1", "asked")
        await house.push.close()
        ((headers, body),) = service.taken
        assert opened(browser, body) == {
            "title": "Incoming call: answer your phone",
            "body": "The customer asked for a person",
            "tag": "call-1",
            "lang": "en",
        }
        assert (headers["content-encoding"], headers["urgency"]) == ("aes128gcm", "high")
        assert 0 < int(headers["ttl"]) <= 30
        assert headers["authorization"].endswith(f"k={house.push.public_key}")
        asleep = now + timedelta(minutes=20)
        with database.transaction() as session:
            agents = AgentRepository(session)
            eve = agents.get("eve")
            assert eve is not None
            assert eve.state(asleep) is AgentState.READY, "a page that sleeps is no reason to be away"
            assert agents.ready(asleep) == 1
        service.status = 410
        (answer,) = await house.push.tell("eve", "push.trial", "trial")
        assert answer.status == 410
        with database.transaction() as session:
            assert PushTargetRepository(session).of("eve") == ()
            assert AgentRepository(session).ready(asleep) == 0
            assert AgentRepository(session).ready(now) == 1
    finally:
        await house.close()


async def test_notices_go_into_no_private_network(
    database: Database, service: PushService, tmp_path: Path
) -> None:
    key = point(ec.generate_private_key(CURVE))
    sign_in(database, PushTarget("eve", f"{service.url}/one", key, SECRET), datetime.now(UTC))
    house = House(Settings(home=tmp_path), database)
    try:
        (answer,) = await house.push.tell("eve", "push.trial", "trial")
    finally:
        await house.close()
    assert (answer.status, answer.error) == (0, "the receiver's address is not public")
    assert service.taken == []


def test_a_device_that_changes_hands_serves_the_new_agent_alone(database: Database) -> None:
    key, now = point(ec.generate_private_key(CURVE)), datetime.now(UTC)
    sign_in(database, PushTarget("eve", "https://push.example.net/1", key, SECRET), now)
    with database.transaction() as session:
        AgentRepository(session).save("ann", "Ann", "sip:ann@127.0.0.1")
        PushTargetRepository(session).save(PushTarget("ann", "https://push.example.net/1", key, SECRET), now)
        agents = {agent.id: agent.notified for agent in AgentRepository(session).all()}
    assert agents == {"ann": True, "eve": False}
