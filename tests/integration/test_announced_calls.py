"""Networks and mailboxes answer over SIP with real sound; tones, words and the beep are really heard."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.integration.scripted import Memory
from tests.integration.test_line_worker import ended
from tests.integration.test_simulate import Customers
from tests.unit import parts
from voicebot.call.conversation import LocalConversation
from voicebot.call.events import SessionConfig
from voicebot.call.prompts import PromptMemory
from voicebot.call.worker import LineWorker
from voicebot.domain.call import CallRecord, CallRequest, Direction, EndCause
from voicebot.domain.ports import Conversation
from voicebot.speech.recognition import weights
from voicebot.speech.recognition.whisper import WhisperRecognizer
from voicebot.telephony import UserAgentConfig

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def customers() -> Iterator[Customers]:
    people = [item for name in ("switched_off", "busy_tone", "mailbox") for item in ("--only", name)]
    running = Customers(*people)
    yield running
    running.process.terminate()
    assert running.process.wait(15) == 0


@pytest.fixture(scope="module")
def ears(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WhisperRecognizer]:
    recognizer = WhisperRecognizer(weights.assemble(tmp_path_factory.mktemp("models") / "whisper-base"), 1)
    yield recognizer
    recognizer.close()


async def call(
    customers: Customers,
    talk: Callable[[], Conversation],
    number: str,
    *,
    leave_message: bool = False,
) -> CallRecord:
    """Call a persona with the line worker's real way and return the record of the call."""
    journal = Memory()
    config = SessionConfig("w-1", talk, journal, PromptMemory())
    worker = LineWorker(UserAgentConfig(sip_port=0, rtp_port=0), config)
    await worker.start()
    try:
        await worker.originate(
            CallRequest(
                f"call-{number}",
                f"a-{number}",
                "c-1",
                "k-1",
                "loan",
                Direction.OUTBOUND,
                to_uri=f"sip:{number}@{customers.host}",
                leave_message=leave_message,
            )
        )
        return await ended(journal, timeout_s=60)
    finally:
        await worker.stop()


async def test_a_busy_tone_before_the_answer_ends_the_attempt(customers: Customers) -> None:
    record = await call(customers, parts.local(), "8017")
    assert (record.cause, record.answered_at) == (EndCause.BUSY, None)
    assert record.outcome.facts["number_status"] == "busy"
    assert (record.ended_at - record.started_at).total_seconds() < 11, "before the network gives up"


async def test_an_announcement_before_the_answer_is_understood(
    customers: Customers, ears: WhisperRecognizer
) -> None:
    record = await call(customers, local(ears), "8015")
    assert (record.cause, record.answered_at) == (EndCause.UNREACHABLE, None)
    assert record.outcome.facts["number_status"] == "switched_off"


@pytest.mark.parametrize("leave_message", [False, True])
async def test_a_mailbox_is_left_a_message_only_where_the_campaign_leaves_some(
    customers: Customers, ears: WhisperRecognizer, leave_message: bool
) -> None:
    record = await call(customers, local(ears), "8018", leave_message=leave_message)
    assert record.cause is EndCause.VOICEMAIL
    assert record.answered_at is not None
    assert record.outcome.facts["number_status"] == "mailbox"
    assert record.outcome.reasons[-1].endswith("已留言") is leave_message


def local(ears: WhisperRecognizer) -> Callable[[], LocalConversation]:
    """Return a factory of conversations that really recognise; the rest are stand-ins."""
    way = parts.pipeline()
    way._recognizer = ears
    threads = ThreadPoolExecutor(8)
    return lambda: LocalConversation(way, threads)
