"""An agent takes a call with the bot's suggestions; a supervisor listens in. Real SIP, real browser."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.conftest import Console
from tests.integration.scripted import Line, Memory, Server
from tests.integration.telephone import Telephone
from voicebot.call.desk import PostgresDesk
from voicebot.call.events import SessionConfig
from voicebot.call.plan import TakeoverTimes
from voicebot.call.prompts import PromptMemory
from voicebot.call.worker import LineWorker
from voicebot.domain.call import CallRequest, Direction
from voicebot.domain.ids import uuid7
from voicebot.domain.script import Action
from voicebot.domain.users import Role
from voicebot.rpc.line_server import LineServer
from voicebot.store.feedback import FeedbackRepository
from voicebot.store.users import UserRepository
from voicebot.store.workers import LINE, Worker, WorkerRepository
from voicebot.telephony import UserAgentConfig

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def phone() -> Iterator[Telephone]:
    """Customer's and agent's phone."""
    telephone = Telephone()
    yield telephone
    assert telephone.close() == 0


@dataclass
class Bot:
    """A line worker in a thread of its own, found by its heartbeat."""

    server: Server
    journal: Memory
    worker: LineWorker
    loop: asyncio.AbstractEventLoop

    def call(self, phone: Telephone) -> str:
        """Call the customer; return the call's id."""
        call_id = str(uuid7())
        request = CallRequest(
            call_id,
            "",
            "",
            "",
            "p",
            Direction.OUTBOUND,
            to_uri=phone.address("customer"),
            slots={"name": "王"},
        )
        self.run(self.worker.originate(request))
        return call_id

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(20)


@pytest.fixture
def bot(console: Console) -> Iterator[Bot]:
    server, journal, loop = Server([Line(1000, 300, Action.TRANSFER)]), Memory(), asyncio.new_event_loop()
    config = SessionConfig(
        "w-1",
        server.conversation,
        journal,
        PromptMemory(),
        desk=PostgresDesk(console.database, "w-1"),
        takeover=TakeoverTimes(queue_s=20, ring_s=5),
    )
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    worker = LineWorker(UserAgentConfig(sip_port=0, rtp_port=0), config)
    started = Bot(server, journal, worker, loop)
    started.run(worker.start())
    served = LineServer(worker, "127.0.0.1:0")
    port = started.run(served.start())
    stop = threading.Event()

    def beat() -> None:
        while not stop.is_set():
            now = datetime.now(UTC)
            with console.database.transaction() as session:
                WorkerRepository(session).beat(
                    Worker("w-1", LINE, f"127.0.0.1:{port}", worker.sip_uri, 3, 0, now, now)
                )
            stop.wait(3)

    beating = threading.Thread(target=beat, daemon=True)
    beating.start()
    yield started
    stop.set()
    beating.join()
    started.run(served.stop())
    started.run(worker.stop())
    loop.call_soon_threadsafe(loop.stop)
    thread.join(5)


def test_a_takeover_pops_up_and_the_agent_uses_a_suggestion(
    console: Console, bot: Bot, phone: Telephone, sign_in: Callable[[Role], Page]
) -> None:
    page = sign_in(Role.AGENT)
    with console.database.transaction() as session:
        found = UserRepository(session).named("test-agent")
        assert found is not None
        UserRepository(session).change(found[0].id, extension=phone.address("agent"))
    page.add_init_script("window.vbShaken = 0; navigator.vibrate = (ms) => { window.vbShaken += ms !== 0; }")
    page.goto(f"{console.url}/agent")
    expect(page.get_by_text("等待来电")).to_be_visible()
    page.get_by_role("switch", name="就绪").click()
    time.sleep(1)
    count = len(phone.events)
    call_id = bot.call(phone)
    expect(page.locator("[data-briefing]")).to_contain_text("按话术转人工")
    expect(page.get_by_text("好的").first).to_be_visible()
    phone.wait("Invited", after=count)
    page.wait_for_function("window.vbShaken > 0")  # the page vibrates where a device can
    expect(page.get_by_text("客户说话后，这里会给出建议")).to_be_visible()
    time.sleep(2)
    customer = next(e["leg"] for e in phone.events[count:] if e.get("user") == "customer")
    phone.do("speak", leg=customer, ms=900)
    hang_up = page.get_by_role("button", name="挂断")
    hang_up.evaluate("button => { window.vbHangUp = button; }")
    suggestion = page.locator("[data-suggestion]").first
    expect(suggestion).to_contain_text("年化百分之四")
    assert hang_up.evaluate("button => button === window.vbHangUp"), "drawn anew while it may be pressed"
    suggestion.get_by_role("button", name="用这句").click()
    expect(page.get_by_text("已记录")).to_be_visible()
    with console.database.transaction() as session:
        (feedback,) = FeedbackRepository(session).of_call(call_id)
    assert (feedback.action, feedback.script_id, feedback.actor) == ("used", "rate", "test-agent")
    page.get_by_role("button", name="挂断").click()
    expect(page.get_by_text("等待来电")).to_be_visible()
    assert [takeover.agent_id for takeover in bot.journal.takeovers] == ["test-agent"]


def test_a_supervisor_sees_hears_grades_and_ends_a_call(
    console: Console, bot: Bot, phone: Telephone, sign_in: Callable[[Role], Page]
) -> None:
    bot.server.lines = [Line(1000, 9000)]
    page = sign_in(Role.SUPERVISOR)
    page.goto(f"{console.url}/live")
    expect(page.get_by_text("现在没有通话")).to_be_visible()
    time.sleep(3)  # until the console has found the line worker
    call_id = bot.call(phone)
    card = page.locator(f'[data-call="{call_id}"]')
    expect(card).to_contain_text("好的")
    expect(page.locator("[data-counts]")).to_contain_text("1 通通话")
    card.get_by_role("button", name="监听").click()
    page.wait_for_function("window.vbHeard > 8000")
    card.get_by_role("button", name="评分：优").click()
    expect(page.get_by_text("已记录")).to_be_visible()
    card.get_by_role("button", name="挂断").click()
    expect(card).to_have_count(0)
    with console.database.transaction() as session:
        (feedback,) = FeedbackRepository(session).of_call(call_id)
    assert (feedback.action, feedback.score, feedback.script_id) == ("优", 80.0, "s0")


@pytest.fixture
def allowed(browser: Browser) -> Iterator[BrowserContext]:
    """A browser that may show notices. It is a private window, which says that it has no push service."""
    opened = browser.new_context(locale="zh-CN", permissions=["notifications"])
    opened.set_default_timeout(20_000)
    yield opened
    opened.close()


def wait_until(page: Page, promise: str, nudge: Callable[[], None] = lambda: None) -> None:
    """Wait until a promise gives true. Playwright's wait_for_function takes the promise itself for true."""
    deadline = time.monotonic() + 30
    while not page.evaluate(promise):
        assert time.monotonic() < deadline, promise
        nudge()
        page.wait_for_timeout(500)


def test_a_page_that_sleeps_is_told_of_a_call(console: Console, allowed: BrowserContext) -> None:
    page = allowed.new_page()
    page.goto(console.link(console.user(Role.AGENT)))
    page.click("button[type=submit]")
    page.goto(f"{console.url}/agent")
    page.get_by_role("button", name="在这台设备上接收来电提醒").click()
    # A push for a worker that is not activated yet is dropped in silence.
    state = "navigator.serviceWorker.getRegistration('/').then((r) => r && r.active && r.active.state)"
    wait_until(page, f"{state}.then((state) => state === 'activated')")
    workers: list[str] = []
    devtools = allowed.new_cdp_session(page)
    devtools.on(
        "ServiceWorker.workerRegistrationUpdated",
        lambda told: workers.extend(
            one["registrationId"]
            for one in told["registrations"]
            if one["scopeURL"].startswith(console.url) and not one["isDeleted"]
        ),
    )
    devtools.send("ServiceWorker.enable")
    while not workers:
        page.wait_for_timeout(100)
    message = {"title": "来电：请接听您的分机", "body": "客户要求人工", "tag": "call-1", "lang": "zh"}
    notices = "navigator.serviceWorker.ready.then((r) => r.getNotifications())"

    def deliver() -> None:
        """DevTools drops a push in silence until the registration is on disk: the same one is sent again."""
        devtools.send(
            "ServiceWorker.deliverPushMessage",
            {
                "origin": console.url,
                "registrationId": workers[0],
                "data": json.dumps(message, ensure_ascii=False),
            },
        )

    wait_until(page, f"{notices}.then((all) => all.length === 1)", deliver)
    shown = page.evaluate(f"{notices}.then(([one]) => [one.title, one.body, one.tag])")
    assert shown == ["来电：请接听您的分机", "客户要求人工", "call-1"]
    page.evaluate("voicebot.quiet()")
    wait_until(page, f"{notices}.then((all) => all.length === 0)")
