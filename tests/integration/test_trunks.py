"""Trunks over real SIP: Kamailio as the registrar that asks for a password, and a phone behind it."""

from __future__ import annotations

import queue
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.integration.sipp import free_port
from tests.integration.telephone import Telephone
from voicebot.domain.call import EndCause
from voicebot.domain.trunk import Srtp, Transport, Trunk
from voicebot.telephony import Ended, LegEvent, UserAgent

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(
        shutil.which("kamailio") is None, reason="Kamailio is not installed (apt install kamailio)"
    ),
]

REGISTRAR = """
children=1
log_stderror=yes
listen=udp:127.0.0.1:{port}
listen=tcp:127.0.0.1:{port}
mpath="/usr/lib/x86_64-linux-gnu/kamailio/modules/:/usr/lib/kamailio/modules/:/usr/lib64/kamailio/modules/"
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "textops.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
loadmodule "auth.so"
loadmodule "siputils.so"
request_route {{
    if (is_method("REGISTER")) {{
        if (!pv_www_authenticate("trunk.test", "open sesame", "0")) {{
            www_challenge("trunk.test", "1");
            exit;
        }}
        save("location");
        exit;
    }}
    if (has_totag()) {{
        loose_route();
        t_relay();
        exit;
    }}
    if (is_method("CANCEL")) {{
        t_relay();
        exit;
    }}
    if (!pv_proxy_authenticate("trunk.test", "open sesame", "0")) {{
        proxy_challenge("trunk.test", "1");
        exit;
    }}
    consume_credentials();
    record_route();
    if ($rU == "+8613900000480") {{
        sl_send_reply("480", "Temporarily Unavailable");
        exit;
    }}
    if ($rU == "callback") {{
        if (!lookup("location")) {{
            sl_send_reply("404", "Not Found");
            exit;
        }}
    }} else {{
        $du = "sip:{phone}";
        $rU = "answers";
    }}
    t_relay();
}}
"""


@pytest.fixture(scope="module")
def phone() -> Iterator[Telephone]:
    made = Telephone()
    yield made
    made.close()


@pytest.fixture(scope="module")
def registrar(phone: Telephone) -> Iterator[str]:
    """Kamailio at host:port."""
    with tempfile.TemporaryDirectory(prefix="vb-reg-") as folder:
        port = free_port()
        config = Path(folder, "kamailio.cfg")
        config.write_text(REGISTRAR.format(port=port, phone=phone.host))
        command = ["kamailio", "-f", str(config), "-DD", "-E", "-m", "32", "-M", "4", "-Y", folder]
        with Path(folder, "log").open("w") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        try:
            time.sleep(1.0)
            if process.poll() is not None:
                raise AssertionError(Path(folder, "log").read_text()[-2000:])
            yield f"127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(10)


def trunk(registrar: str, **changes: object) -> Trunk:
    given = {"user": "4008", "password": "open sesame", "register": True, "domain": "trunk.test", **changes}
    return Trunk("carrier", registrar, ("+86",), **given)  # type: ignore[arg-type]


def until(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 15
    while not done():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.05)


def end_of(agent: UserAgent, uri: str, *, hang_up_when_answered: bool = True) -> tuple[list[str], Ended]:
    events: queue.Queue[LegEvent] = queue.Queue()
    leg = agent.call(uri, trunk="carrier", caller_id="4008", ring_timeout_s=10)
    leg.listen(events.put)
    names = []
    while True:
        event = events.get(timeout=20)
        names.append(type(event).__name__)
        if isinstance(event, Ended):
            return names, event
        if names[-1] == "Answered" and hang_up_when_answered:
            leg.hang_up()


def test_registers_with_the_right_password_and_says_so_when_it_is_wrong(
    agent: UserAgent, registrar: str
) -> None:
    agent.set_trunks([trunk(registrar)], register=True)
    until(lambda: agent.registrations.get("carrier", (0, ""))[0] == 200)
    agent.set_trunks([trunk(registrar, password="guessed")], register=True)
    until(lambda: agent.registrations.get("carrier", (0, ""))[0] in (401, 403))


def test_only_one_worker_of_a_machine_registers_but_all_can_call(
    agent: UserAgent, registrar: str, phone: Telephone
) -> None:
    agent.set_trunks([trunk(registrar)], register=False)
    until(lambda: agent.trunks == {"carrier"})
    before = len(phone.events)
    names, ended = end_of(agent, f"sip:+8613900000000@{registrar}")
    assert "Answered" in names
    assert ended.cause is EndCause.BOT_HUNG_UP
    invited = phone.wait("Invited", after=before)
    assert "sip:4008@trunk.test" in invited["headers"]["From"]
    assert agent.registrations == {}


def test_a_wrong_password_ends_a_call_and_a_trunks_own_table_names_the_cause(
    agent: UserAgent, registrar: str
) -> None:
    uri = f"sip:+8613900000480@{registrar}"
    agent.set_trunks([trunk(registrar, register=False, password="guessed")], register=False)
    until(lambda: agent.trunks == {"carrier"})
    _, refused = end_of(agent, uri)
    assert (refused.cause, refused.status) == (EndCause.REJECTED, 407)
    agent.set_trunks([trunk(registrar, register=False)], register=False)
    time.sleep(0.3)
    assert end_of(agent, uri)[1].cause is EndCause.UNREACHABLE
    agent.set_trunks([trunk(registrar, register=False, causes={480: "no_answer"})], register=False)
    time.sleep(0.3)
    assert end_of(agent, uri)[1].cause is EndCause.NO_ANSWER


def test_a_trunk_may_speak_tcp_and_offer_its_own_codecs(
    agent: UserAgent, registrar: str, phone: Telephone
) -> None:
    changes = {"transport": Transport.TCP, "codecs": ("PCMU",), "srtp": Srtp.OPTIONAL}
    agent.set_trunks([trunk(registrar, register=False, **changes)], register=False)
    until(lambda: agent.trunks == {"carrier"})
    names, _ = end_of(agent, f"sip:+8613900000000@{registrar};transport=tcp")
    assert "Answered" in names


def test_a_trunk_that_is_taken_away_calls_nobody(agent: UserAgent, registrar: str) -> None:
    agent.set_trunks([trunk(registrar, register=False)], register=False)
    until(lambda: agent.trunks == {"carrier"})
    agent.set_trunks([], register=False)
    until(lambda: not agent.trunks)
    _, ended = end_of(agent, f"sip:+8613900000000@{registrar}")
    assert ended.cause is EndCause.FAILURE
