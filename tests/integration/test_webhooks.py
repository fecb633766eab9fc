"""Webhooks, told to a real HTTP server: signed, tried again, given up, sent again."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from tests.browser.seed import seed
from tests.integration.test_jobs import work_until
from voicebot import bootstrap
from voicebot.domain.call import Disposition, IntentLevel
from voicebot.domain.webhook import CHOSEN, WAITS_S, DeliveryStatus, Event, Webhook
from voicebot.service.jobs.task import Task, Work
from voicebot.service.jobs.webhooks import deliver_webhook
from voicebot.service.webhooks import deliver, probed
from voicebot.settings import Settings
from voicebot.store.corrections import CorrectionRepository
from voicebot.store.jobs import WEBHOOKS
from voicebot.store.session import Database
from voicebot.store.webhook_events import TASK
from voicebot.store.webhooks import WebhookRepository

pytestmark = pytest.mark.integration


class Receiver:
    """A system that is told."""

    def __init__(self) -> None:
        self.answer = 204
        self.got: list[tuple[dict[str, str], bytes]] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                receiver.got.append(({key.lower(): value for key, value in self.headers.items()}, body))
                self.send_response(receiver.answer)
                if receiver.answer == 302:
                    self.send_header("location", "/elsewhere")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/voicebot?source=a"

    def bodies(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, body in self.got]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    opened = Receiver()
    thread = threading.Thread(target=opened.server.serve_forever, daemon=True)
    thread.start()
    yield opened
    opened.server.shutdown()
    opened.server.server_close()
    thread.join()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path, webhook_networks="127.0.0.0/8")


def add(settings: Settings, database: Database, url: str, *events: Event) -> Webhook:
    with database.transaction() as session:
        return WebhookRepository(session).add(
            "crm", url, events or CHOSEN, "admin", bootstrap.vault(settings)
        )


def waiting(database: Database, webhook: Webhook) -> list[str]:
    with database.transaction() as session:
        found, _ = WebhookRepository(session).deliveries(webhook.id, DeliveryStatus.WAITING)
    return [one.id for one in found]


async def test_the_end_of_calls_is_told_by_the_jobs_process(
    settings: Settings, database: Database, receiver: Receiver, tmp_path: Path
) -> None:
    hook = add(settings, database, receiver.url)
    seed(database, tmp_path, calls=5)

    def told(work: Work, delivery_id: str) -> None:
        deliver_webhook(Work(settings, database, work.now, work.job_id, work.stopping), delivery_id)

    task = Task(TASK, told, queue=WEBHOOKS, alone=False)
    await work_until(database, (task,), lambda: not waiting(database, hook))
    kinds = [body["type"] for body in receiver.bodies()]
    assert sorted(kinds) == ["call.ended"] * 5 + ["contact.opted_out"] + ["outcome.recorded"] * 5
    outcome = next(
        body["data"]
        for body in receiver.bodies()
        if body["type"] == "outcome.recorded" and body["data"]["opted_out"]
    )
    assert (outcome["disposition"], outcome["campaign"]) == ("do_not_call", "春季回访")
    assert outcome["contact_id"]
    assert "+9991234" not in b"".join(body for _, body in receiver.got).decode()


def test_a_receiver_can_verify_who_sends(settings: Settings, database: Database, receiver: Receiver) -> None:
    hook = add(settings, database, receiver.url)
    done = probed(settings, database, "crm", "admin")
    assert (done.status, done.answer) == (DeliveryStatus.DELIVERED, 204)
    [(headers, body)] = receiver.got
    key = base64.b64decode(hook.secret.removeprefix("whsec_"))
    content = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    mac = base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode()
    assert headers["webhook-signature"] == f"v1,{mac}"
    assert headers["host"] == receiver.url.split("/")[2]
    assert abs(int(headers["webhook-timestamp"]) - datetime.now(UTC).timestamp()) < 60


def test_a_failing_receiver_is_tried_again_given_up_and_served_by_a_replay(
    settings: Settings, database: Database, receiver: Receiver, tmp_path: Path
) -> None:
    hook = add(settings, database, receiver.url, Event.OPT_OUT)
    seed(database, tmp_path, calls=5)
    [delivery] = waiting(database, hook)
    receiver.answer = 500
    first = deliver(settings, database, delivery)
    assert (first.status, first.attempts, first.error) == (DeliveryStatus.WAITING, 1, "HTTP 500")
    assert first.next_at - datetime.now(UTC) > timedelta(seconds=WAITS_S[0] / 2)
    for _ in WAITS_S:
        last = deliver(settings, database, delivery)
    assert last.status is DeliveryStatus.DEAD
    assert len(receiver.got) == len(WAITS_S) + 1
    assert len({headers["webhook-id"] for headers, _ in receiver.got}) == 1
    receiver.answer = 200
    with database.transaction() as session:
        assert WebhookRepository(session).replay(hook.id, datetime.now(UTC)) == 1
    again = deliver(settings, database, delivery)
    assert (again.status, again.attempts) == (DeliveryStatus.DELIVERED, 1)


def test_what_is_rolled_back_is_not_told_and_a_correction_is(
    settings: Settings, database: Database, receiver: Receiver, tmp_path: Path
) -> None:
    seed(database, tmp_path, calls=1)
    hook = add(settings, database, receiver.url, Event.OUTCOME)
    with database.transaction() as session:
        call = str(session.execute(text("SELECT call_id FROM outcomes")).scalar_one())

    def correct() -> None:
        with database.transaction() as session:
            CorrectionRepository(session).correct(
                call, "admin", "misheard", datetime.now(UTC), Disposition.REFUSED, IntentLevel.E, {}
            )
            if not committed:
                raise InterruptedError

    committed = False
    with pytest.raises(InterruptedError):
        correct()
    assert waiting(database, hook) == []
    committed = True
    correct()
    [delivery] = waiting(database, hook)
    deliver(settings, database, delivery)
    assert receiver.bodies()[0]["data"]["disposition"] == "refused"


def test_other_events_wait_while_a_receiver_is_down(
    settings: Settings, database: Database, receiver: Receiver, tmp_path: Path
) -> None:
    hook = add(settings, database, receiver.url, Event.CALL_ENDED)
    seed(database, tmp_path, calls=2)
    one, other = waiting(database, hook)
    receiver.answer = 503
    deliver(settings, database, one)
    held = deliver(settings, database, other)
    assert (held.status, held.attempts) == (DeliveryStatus.WAITING, 0)
    assert len(receiver.got) == 1


def test_our_own_networks_are_not_reached(database: Database, receiver: Receiver, tmp_path: Path) -> None:
    closed = Settings(home=tmp_path)
    add(closed, database, receiver.url)
    done = probed(closed, database, "crm", "admin")
    assert done.status is DeliveryStatus.DEAD
    assert "not public" in done.error
    assert receiver.got == []


def test_a_redirect_is_not_followed(settings: Settings, database: Database, receiver: Receiver) -> None:
    add(settings, database, receiver.url)
    receiver.answer = 302
    assert probed(settings, database, "crm", "admin").error == "HTTP 302"
    assert len(receiver.got) == 1
