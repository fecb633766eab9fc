"""Two user agents in two processes talk over SIP and RTP on loopback."""

from __future__ import annotations

import os
import queue
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from typing import TypeVar

import numpy as np
import pytest

from tests.integration.phone import tone
from tests.integration.telephone import Telephone, loudness_of
from voicebot.domain.call import EndCause
from voicebot.domain.errors import TelephonyError
from voicebot.telephony import (
    Answered,
    Dtmf,
    EarlyMedia,
    Ended,
    Leg,
    LegEvent,
    NoMedia,
    Ringing,
    TransferEnded,
    UserAgent,
    UserAgentConfig,
)

pytestmark = pytest.mark.integration
Event = TypeVar("Event", bound=LegEvent)


class Ear:
    """Collects a leg's events and frames."""

    def __init__(self, leg: Leg) -> None:
        self.leg = leg
        self.pcm = bytearray()
        self.seen: list[LegEvent] = []
        self._events: queue.Queue[LegEvent] = queue.Queue()
        leg.on_frame = self.pcm.extend
        leg.listen(self._events.put)

    def wait(self, kind: type[Event], timeout_s: float = 30) -> Event:
        while True:
            try:
                event = self._events.get(timeout=timeout_s)
            except queue.Empty:
                raise AssertionError(f"no {kind.__name__} within {timeout_s} s, but {self.seen}") from None
            self.seen.append(event)
            if isinstance(event, kind):
                return event


class SilentCallee:
    """A peer who answers every INVITE on one UDP port, with a place for RTP, and sends none."""

    def __enter__(self) -> SilentCallee:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._port = self._socket.getsockname()[1]
        self.uri = f"sip:mute@127.0.0.1:{self._port}"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.sendto(b"", ("127.0.0.1", self._port))
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        sdp = (
            "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
            "m=audio 9 RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\n"
        )
        while True:
            data, peer = self._socket.recvfrom(65535)
            if not data:
                return
            method = data.split(b" ", 1)[0].decode()
            if method not in ("INVITE", "BYE"):
                continue
            lines = data.decode().split("\r\n\r\n")[0].split("\r\n")[1:]
            kept = [line for line in lines if line.split(":")[0] in ("Via", "From", "Call-ID", "CSeq")]
            to = next(line for line in lines if line.startswith("To:"))
            body = sdp if method == "INVITE" else ""
            answer = [
                "SIP/2.0 200 OK",
                *kept,
                to if "tag=" in to else to + ";tag=1",
                f"Contact: <{self.uri}>",
                "Content-Type: application/sdp",
                f"Content-Length: {len(body)}",
            ]
            self._socket.sendto(("\r\n".join(answer) + "\r\n\r\n" + body).encode(), peer)


@pytest.fixture(scope="module")
def phone() -> Iterator[Telephone]:
    telephone = Telephone()
    yield telephone
    assert telephone.close() == 0, "the phone's process ends without an abort"


@pytest.fixture(scope="module")
def invited() -> queue.Queue[Leg]:
    return queue.Queue()


@pytest.fixture(scope="module")
def agent(invited: queue.Queue[Leg]) -> Iterator[UserAgent]:
    user_agent = UserAgent(UserAgentConfig(sip_port=0, rtp_port=0, no_media_s=1.0), invited.put)
    user_agent.start()
    yield user_agent
    user_agent.stop()


@pytest.fixture(autouse=True)
def idle(agent: UserAgent, phone: Telephone) -> Iterator[None]:
    """End every test without a call."""
    yield
    phone.clear()
    until_held(agent, 0)


def until_held(agent: UserAgent, legs: int) -> None:
    """Wait until no more than so many legs are held, or for five seconds."""
    deadline = time.monotonic() + 5
    while agent.busy > legs and time.monotonic() < deadline:
        time.sleep(0.02)


def call(agent: UserAgent, phone: Telephone, user: str, **how: float) -> Ear:
    return Ear(agent.call(phone.address(user), headers={"X-Attempt-Id": "a-7"}, **how))  # type: ignore[arg-type]  # only ring_timeout_s


def test_what_is_played_is_heard_on_the_other_side_both_ways(agent: UserAgent, phone: Telephone) -> None:
    count = len(phone.events)
    ear = call(agent, phone, "talks")
    ear.leg.playout.play(tone(1000, 2000))
    ear.wait(Answered)
    time.sleep(1.2)
    invite = phone.wait("Invited", after=count)
    assert invite["headers"]["X-Attempt-Id"] == "a-7"
    heard = phone.heard(invite["leg"])
    ear.leg.hang_up()
    assert ear.wait(Ended).cause is EndCause.BOT_HUNG_UP
    assert loudness_of(1000, heard[8000:16000]) > 0.9
    assert loudness_of(440, bytes(ear.pcm[8000:16000])) > 0.9
    assert len(ear.pcm) % 320 == 0


def test_flushed_audio_is_not_heard(agent: UserAgent, phone: Telephone) -> None:
    count = len(phone.events)
    ear = call(agent, phone, "answers")
    ear.wait(Answered)
    ear.leg.playout.play(tone(1000, 3000))
    time.sleep(0.5)
    dropped = ear.leg.playout.flush()
    time.sleep(0.6)
    heard = phone.heard(phone.wait("Invited", after=count)["leg"])
    ear.leg.hang_up()
    ear.wait(Ended)
    assert 2200 < dropped <= 2600
    assert max(abs(np.frombuffer(heard[-4000:], "<i2"))) <= 8  # A-law has no zero: its silence is +-8


def test_the_far_end_hangs_up(agent: UserAgent, phone: Telephone) -> None:
    ear = call(agent, phone, "answers")
    ear.wait(Answered)
    phone.do("hang_up")
    ended = ear.wait(Ended)
    assert (ended.cause, ended.status) == (EndCause.CUSTOMER_HUNG_UP, 200)


def test_busy_and_declined_are_told_apart(agent: UserAgent, phone: Telephone) -> None:
    assert call(agent, phone, "busy").wait(Ended).cause is EndCause.BUSY
    assert call(agent, phone, "decline").wait(Ended).cause is EndCause.REJECTED


def test_ringing_without_an_answer_ends_at_the_ring_time_out(agent: UserAgent, phone: Telephone) -> None:
    begun = time.monotonic()
    ear = call(agent, phone, "rings", ring_timeout_s=1.0)
    ended = ear.wait(Ended)
    assert ended.cause is EndCause.NO_ANSWER
    assert Ringing(180) in ear.seen
    assert 0.9 < time.monotonic() - begun < 3


def test_early_media_is_heard_before_the_answer(agent: UserAgent, phone: Telephone) -> None:
    ear = call(agent, phone, "early", ring_timeout_s=6)  # another process rings, in its own time
    ear.wait(EarlyMedia)
    ear.wait(Ended)
    assert loudness_of(440, bytes(ear.pcm[4000:12000])) > 0.9


@pytest.mark.parametrize("info", [False, True])
def test_keys_are_heard(agent: UserAgent, phone: Telephone, info: bool) -> None:
    ear = call(agent, phone, "answers")
    ear.wait(Answered)
    time.sleep(0.2)
    phone.do("dtmf", digits="1#", info=info)
    assert [ear.wait(Dtmf).digit, ear.wait(Dtmf).digit] == ["1", "#"]
    ear.leg.hang_up()
    ear.wait(Ended)


def test_a_transfer_hands_the_customer_over_and_leaves_our_leg(agent: UserAgent, phone: Telephone) -> None:
    count = len(phone.events)
    ear = call(agent, phone, "customer")
    ear.wait(Answered)
    ear.leg.transfer(phone.address("agent"), headers={"X-Call-Id": "c-1", "X-Summary": "%E5%AE%A2"})
    done = ear.wait(TransferEnded)
    assert (done.ok, done.status) == (True, 200)
    ear.wait(Ended)
    phone.wait("Ended", after=count)  # told by another process, in its own time
    customer, person = [event for event in phone.events[count:] if event["event"] == "Invited"]
    assert (customer["user"], person["user"]) == ("customer", "agent")
    told = {name: value for name, value in person["headers"].items() if name.startswith("X-")}
    assert told == {"X-Call-Id": "c-1", "X-Summary": "%E5%AE%A2"}, "the REFER's context reaches the agent"


@pytest.mark.parametrize("target", ["busy", "decline"])
def test_a_refused_transfer_leaves_the_call_alive(agent: UserAgent, phone: Telephone, target: str) -> None:
    ear = call(agent, phone, "customer")
    ear.wait(Answered)
    ear.leg.transfer(phone.address(target))
    assert not ear.wait(TransferEnded).ok
    before = len(ear.pcm)
    time.sleep(0.2)
    assert len(ear.pcm) > before
    ear.leg.hang_up()
    assert ear.wait(Ended).cause is EndCause.BOT_HUNG_UP


def test_a_transfer_to_nobody_ends_at_its_time_out_and_the_call_goes_on(
    agent: UserAgent, phone: Telephone
) -> None:
    ear = call(agent, phone, "customer")
    ear.wait(Answered)
    ear.leg.transfer(phone.address("rings"), timeout_s=0.6)
    done = ear.wait(TransferEnded)
    assert (done.ok, done.status) == (False, 408)
    assert ear.leg.ended is None
    ear.leg.hang_up()
    ear.wait(Ended)


def test_an_attended_transfer_joins_the_two_far_ends(agent: UserAgent, phone: Telephone) -> None:
    count = len(phone.events)
    customer, consult = call(agent, phone, "customer"), call(agent, phone, "agent")
    customer.wait(Answered)
    consult.wait(Answered)
    customer.leg.replace(consult.leg)
    done = customer.wait(TransferEnded)
    assert (done.ok, done.status) == (True, 200)
    customer.wait(Ended)
    consult.wait(Ended)
    time.sleep(0.2)
    invited = {event["leg"]: event["user"] for event in phone.events[count:] if event["event"] == "Invited"}
    ended = {event["leg"] for event in phone.events[count:] if event["event"] == "Ended"}
    (agents,) = [leg for leg, user in invited.items() if user == "agent"]
    assert agents not in ended, "the agent's call goes on, with the customer"


def test_an_attended_transfer_to_a_leg_that_has_ended_leaves_the_call(
    agent: UserAgent, phone: Telephone
) -> None:
    customer, consult = call(agent, phone, "customer"), call(agent, phone, "agent")
    customer.wait(Answered)
    consult.wait(Answered)
    consult.leg.hang_up()
    consult.wait(Ended)
    customer.leg.replace(consult.leg)
    assert customer.wait(TransferEnded).status == 480
    assert customer.leg.ended is None


def test_two_legs_hear_each_other_and_a_third_overhears_one(agent: UserAgent, phone: Telephone) -> None:
    count = len(phone.events)
    ears = [call(agent, phone, user) for user in ("one", "two", "three")]
    for ear in ears:
        ear.wait(Answered)
    legs = {event["user"]: event["leg"] for event in phone.events[count:] if event["event"] == "Invited"}
    one, two, three = (ear.leg for ear in ears)
    one.hear(two)
    two.hear(one)
    three.hear(one)
    phone.do("play", leg=legs["one"], hz=440, ms=2500)
    phone.do("play", leg=legs["two"], hz=900, ms=2500)
    two.playout.play(tone(1500, 2500))
    time.sleep(1.5)
    heard = {user: phone.heard(leg)[-8000:] for user, leg in legs.items()}
    assert loudness_of(900, heard["one"]) > 0.9
    assert loudness_of(440, heard["three"]) > 0.9
    assert loudness_of(440, heard["two"]) > 0.3
    assert loudness_of(1500, heard["two"]) > 0.3, "beside what we play"
    assert loudness_of(440, bytes(ears[0].pcm[-8000:])) > 0.9, "and we hear each alone"
    one.unhear(two)
    three.unhear(two)  # it does not: harmless
    time.sleep(0.5)
    assert loudness_of(900, phone.heard(legs["one"])[-1600:]) < 0.1


def test_a_bot_does_not_dial_for_a_stranger(agent: UserAgent, phone: Telephone) -> None:
    ear = call(agent, phone, "customer")
    ear.wait(Answered)
    count = len(phone.events)
    phone.do("transfer", uri=phone.address("expensive"))
    assert phone.wait("TransferEnded", after=count)["ok"] is False
    assert agent.busy == 1
    assert ear.leg.ended is None
    ear.leg.hang_up()
    ear.wait(Ended)


def test_a_stranger_who_sends_no_rtp_is_noticed_while_another_call_goes_on(
    agent: UserAgent, phone: Telephone
) -> None:
    ear = call(agent, phone, "talks")
    ear.wait(Answered)
    with SilentCallee() as callee:
        mute = Ear(agent.call(callee.uri))
        mute.wait(Answered)
        assert mute.wait(NoMedia).waited_s >= 1.0
        mute.leg.hang_up()
        mute.wait(Ended)
        until_held(agent, 1)  # our BYE is answered: a callee gone before keeps its leg for 32 s
    assert not any(isinstance(event, NoMedia) for event in ear.seen)
    assert loudness_of(440, bytes(ear.pcm[-8000:])) > 0.9
    ear.leg.hang_up()
    ear.wait(Ended)


def test_an_inbound_call_shows_who_was_called_and_its_headers(
    agent: UserAgent, phone: Telephone, invited: queue.Queue[Leg]
) -> None:
    uri = agent.sip_uri.replace("voicebot@", "campaign-9@")
    count = len(phone.events)
    phone.do("call", uri=uri, headers={"X-Campaign-Id": "c-9"})
    leg = invited.get(timeout=5)
    assert leg.to_user == "campaign-9"
    assert leg.headers["x-campaign-id"] == "c-9"
    leg.refuse(404, "unknown campaign")
    assert phone.wait("Ended", after=count)["status"] == 404


def test_a_call_beyond_the_compiled_capacity_gets_a_clear_answer(agent: UserAgent) -> None:
    phone = Telephone()  # a fresh one has as many free legs as we
    free = agent.capacity - agent.busy
    ears = [call(agent, phone, "answers") for _ in range(free)]
    for ear in ears:
        ear.wait(Answered)
    beyond = call(agent, phone, "answers").wait(Ended)
    assert beyond.cause is EndCause.FAILURE
    assert "TOOMANY" in beyond.reason
    for ear in ears:
        ear.leg.hang_up()
        ear.wait(Ended)
    assert phone.close() == 0


@pytest.mark.parametrize("uri", ["13800000000", "sip:a b@c", "http://x", "sip:x@y>\r\nX-A: b"])
def test_an_address_that_is_no_sip_uri_is_refused_at_once(agent: UserAgent, uri: str) -> None:
    with pytest.raises(TelephonyError, match="no SIP URI"):
        agent.call(uri)


def test_a_header_can_not_smuggle_in_another(agent: UserAgent, phone: Telephone) -> None:
    with pytest.raises(TelephonyError, match="control characters"):
        agent.call(phone.address("answers"), headers={"X-Caller": "1\r\nX-Evil: 1"})


def test_a_port_in_use_is_told_with_a_way_out() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        phone = Telephone(taken.getsockname()[1])
        phone.close()
    assert "is in use" in phone.ready["error"]
    assert "VOICEBOT_SIP_PORT" in phone.ready["hint"]


@pytest.mark.parametrize("last", ["agent.stop(); assert all(leg.ended for leg in legs)", "pass"])
def test_a_process_that_ends_in_the_middle_of_calls_does_not_abort(phone: Telephone, last: str) -> None:
    code = f"""
        import time
        from voicebot.telephony import UserAgent, UserAgentConfig
        agent = UserAgent(UserAgentConfig(sip_port=0, rtp_port=0)); agent.start()
        legs = [agent.call({phone.address("talks")!r}) for _ in range(2)]
        time.sleep(1)
        assert all(leg.answered for leg in legs)
        {last}
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, timeout=20)
    assert (done.returncode, done.stderr, done.stdout) == (0, b"", b"")


def test_stopping_in_the_middle_of_calls_corrupts_nothing_while_python_is_busy(phone: Telephone) -> None:
    """Ports were once freed while the media thread was about to call into them: the process crashed."""
    code = f"""
        import threading, time
        from voicebot.telephony import UserAgent, UserAgentConfig
        def keep_busy():
            while True:
                sum(range(300))
        for _ in range(3):
            threading.Thread(target=keep_busy, daemon=True).start()
        for _ in range(6):
            agent = UserAgent(UserAgentConfig(sip_port=0, rtp_port=0)); agent.start()
            legs = [agent.call({phone.address("answers")!r}) for _ in range(12)]
            for leg in legs:
                leg.on_frame = lambda pcm: sum(range(2000))
            time.sleep(1.5)
            assert any(leg.answered for leg in legs)
            agent.stop()
    """
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", textwrap.dedent(code)],
        capture_output=True,
        timeout=120,
        env={**os.environ, "MALLOC_PERTURB_": "137"},  # what is freed is overwritten: its use shows
    )
    assert (done.returncode, done.stderr[-2000:]) == (0, b"")
