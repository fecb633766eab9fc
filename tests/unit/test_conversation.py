"""One call's conversation, in this process and over gRPC: the same tests for both."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import pytest

from tests.unit import parts
from voicebot import codec
from voicebot.call.conversation import LocalConversation
from voicebot.domain.call import Delivery, EndCause, PromptRef, TurnResult
from voicebot.domain.dialogue import Snapshot
from voicebot.domain.errors import InferenceError, VoicebotError
from voicebot.domain.people import Delivered
from voicebot.domain.ports import Conversation
from voicebot.domain.speech import Utterance, UtteranceKind
from voicebot.rpc.inference_client import InferenceClient
from voicebot.rpc.inference_server import InferenceServer

ANSWERED = Utterance(UtteranceKind.ANSWERED, 0, 0)
SPEECH = Utterance(UtteranceKind.SPEECH, 1.0, 2.0, barged_in=True)
SILENCE = Utterance(UtteranceKind.SILENCE, 2.0, 8.0)

Factory = Callable[[], Conversation]


@pytest.fixture
def recognizer() -> parts.Recognizer:
    return parts.Recognizer()


@pytest.fixture(
    params=[
        pytest.param("local", marks=pytest.mark.unit),
        pytest.param("remote", marks=pytest.mark.integration),
    ]
)
async def factory(request: pytest.FixtureRequest, recognizer: parts.Recognizer) -> AsyncIterator[Factory]:
    local = parts.local(recognizer)
    if request.param == "local":
        yield local
        return
    server = InferenceServer(local, "127.0.0.1:0")
    client = InferenceClient(f"127.0.0.1:{await server.start()}")
    yield client.conversation
    await client.close()
    await server.stop(0)


@pytest.fixture
async def call(factory: Factory) -> Conversation:
    conversation = factory()
    await conversation.open(parts.REQUEST)
    return conversation


def state(snapshot: bytes) -> Snapshot:
    return codec.decode(Snapshot, snapshot)


async def test_a_new_call_begins_at_turn_zero(factory: Factory) -> None:
    snapshot = state(await factory().open(parts.REQUEST))
    assert (snapshot.call_id, snapshot.state.turn) == ("call-1", 0)


async def test_the_opening_is_decided_without_speech(call: Conversation) -> None:
    result = await call.decide(1, ANSWERED)
    assert [prompt.text for prompt in result.prompts] == ["您好。"]
    assert (result.generation, result.turn.seq) == (1, 0)


async def test_what_the_customer_said_reaches_the_decision(call: Conversation) -> None:
    call.speech(1, parts.speech(100))
    call.speech(1, parts.speech(200))
    result = await call.decide(1, SPEECH)
    assert result.turn.understanding.transcript.text == "abc"
    assert result.turn.barged_in
    assert result.turn.timings_ms["recognise_ms"] > 0


async def test_a_newer_generation_hears_the_speech_since_onset(call: Conversation) -> None:
    call.speech(1, parts.speech(100))
    await call.decide(1, SPEECH)
    call.speech(2, parts.speech(100))
    result = await call.decide(2, SPEECH)
    assert result.turn.understanding.transcript.text == "ab"
    assert result.turn.seq == 0


async def test_only_a_commit_advances_the_snapshot(call: Conversation) -> None:
    first = await call.decide(1, ANSWERED)
    again = await call.decide(2, ANSWERED)
    assert again.snapshot == first.snapshot
    await call.commit(2)
    after = await call.decide(3, SILENCE)
    assert (after.turn.seq, state(after.snapshot).state.turn) == (1, 2)


async def test_after_a_commit_speech_begins_anew(call: Conversation) -> None:
    call.speech(1, parts.speech(300))
    await call.decide(1, SPEECH)
    await call.commit(1)
    call.speech(1, parts.speech(500))  # late: it belongs to what is decided
    call.speech(2, parts.speech(100))
    result = await call.decide(2, SPEECH)
    assert result.turn.understanding.transcript.text == "a"


async def overtaken(
    call: Conversation, recognizer: parts.Recognizer, *, given_up: bool = False
) -> asyncio.Task[TurnResult]:
    """Have a decision wait for the recogniser, and let the customer go on."""
    recognizer.gate.clear()
    call.speech(1, parts.speech(100))
    older = asyncio.create_task(call.decide(1, SPEECH))
    await asyncio.sleep(0.1)
    if given_up:
        older.cancel()
    call.speech(2, parts.speech(100))
    return older


async def test_a_newer_generation_cancels_the_older(call: Conversation, recognizer: parts.Recognizer) -> None:
    older = await overtaken(call, recognizer)
    newer = asyncio.create_task(call.decide(2, SPEECH))
    with pytest.raises(InferenceError, match="superseded"):
        await older
    recognizer.gate.set()
    assert (await newer).turn.understanding.transcript.text == "ab"


async def test_a_decision_that_waits_for_a_decoder_ends_as_the_customer_goes_on(
    call: Conversation, recognizer: parts.Recognizer
) -> None:
    older = await overtaken(call, recognizer)
    with pytest.raises(InferenceError, match="superseded"):
        await asyncio.wait_for(older, 5)
    assert recognizer.decodes == 0
    recognizer.gate.set()
    assert (await call.decide(2, SPEECH)).turn.understanding.transcript.text == "ab"


async def test_an_older_generation_is_refused(call: Conversation) -> None:
    await call.decide(5, ANSWERED)
    with pytest.raises(InferenceError, match="superseded"):
        await call.decide(4, ANSWERED)


async def test_what_was_not_decided_can_not_be_committed(call: Conversation) -> None:
    with pytest.raises(InferenceError, match="not decided"):
        await call.commit(1)


async def test_a_call_resumes_elsewhere_from_the_committed_snapshot(
    call: Conversation, factory: Factory
) -> None:
    result = await call.decide(1, ANSWERED)
    await call.commit(1)
    other = factory()
    assert await other.open(parts.REQUEST, result.snapshot) == result.snapshot
    other.speech(2, parts.speech(200))
    resumed = await other.decide(2, SPEECH)
    assert resumed.turn.seq == 1
    assert resumed.turn.understanding.transcript.text == "ab"


async def test_an_unreadable_utterance_is_asked_back(call: Conversation) -> None:
    call.speech(1, b"\xff" * 1600)
    result = await call.decide(1, SPEECH)
    assert result.turn.decision.script_id == "pardon"


async def test_a_decision_that_fails_leaves_the_call_alive(call: Conversation) -> None:
    call.speech(1, parts.speech(1700))  # up to q, which can not be spoken
    with pytest.raises(VoicebotError, match="q can not be spoken"):
        await call.decide(1, SPEECH)
    assert (await call.decide(2, SILENCE)).turn.decision.script_id == "pardon"


async def test_an_unknown_playbook_is_refused_at_the_opening(factory: Factory) -> None:
    with pytest.raises(VoicebotError, match="no playbook is called absent"):
        await factory().open(replace(parts.REQUEST, playbook_id="absent"))


async def test_a_broken_snapshot_is_refused(factory: Factory) -> None:
    with pytest.raises(InferenceError, match="can not be read"):
        await factory().open(parts.REQUEST, b"broken")


async def test_a_prompt_is_fetched(call: Conversation) -> None:
    result = await call.decide(1, ANSWERED)
    assert (await call.prompt(result.prompts[0])).pcm == "您好。".encode() * 10


async def test_a_prompt_that_is_gone_is_an_error(call: Conversation) -> None:
    with pytest.raises(VoicebotError, match="no prompt absent"):
        await call.prompt(PromptRef("absent", "", 0, ""))


async def test_what_nobody_answered_stands_and_the_next_utterance_is_heard_alone(
    call: Conversation, recognizer: parts.Recognizer
) -> None:
    call.deliver(Delivery.SUGGEST)
    for generation in range(1, 21):
        call.speech(generation, parts.speech(100 + 100 * (generation % 3)))
        first = await call.decide(generation, SPEECH)
        call.speech(generation + 1, parts.speech(100))  # before anybody found out that nobody answers
        unanswered = await call.agent_said(generation, 3.0, 3.0)
        assert unanswered.turn.delivered == Delivered("", start_s=3.0, end_s=3.0)
        assert unanswered.turn.understanding.transcript == first.turn.understanding.transcript
    assert max(recognizer.heard_ms) <= 400
    assert len(recognizer.heard_ms) == 20
    outcome = await call.close(EndCause.CUSTOMER_HUNG_UP)
    assert len(outcome.reasons) > 1, "what the customer said counts, whoever was silent"
    assert outcome.reasons[-1] == first.turn.understanding.transcript.text


async def test_silence_about_what_was_not_decided_is_refused(call: Conversation) -> None:
    call.speech(1, parts.speech(100))
    await call.decide(1, SPEECH)
    with pytest.raises(InferenceError, match="not decided"):
        await call.agent_said(7, 3.0, 3.0)
    call.speech(2, parts.speech(100))
    assert (await call.decide(2, SPEECH)).turn.understanding.transcript.text == "ab"


async def test_the_outcome_counts_what_was_committed_only(call: Conversation) -> None:
    call.speech(1, parts.speech(100))
    await call.decide(1, SPEECH)
    await call.commit(1)
    call.speech(2, parts.speech(300))
    await call.decide(2, SPEECH)
    outcome = await call.close(EndCause.CUSTOMER_HUNG_UP)
    assert outcome.reasons == ("customer_hung_up", "a")


async def test_a_closed_call_answers_no_more(call: Conversation) -> None:
    await call.close(EndCause.BOT_HUNG_UP)
    call.speech(1, parts.speech(100))  # late frames do no harm
    with pytest.raises(InferenceError):
        await call.decide(1, SPEECH)
    with pytest.raises(InferenceError):
        await call.close(EndCause.BOT_HUNG_UP)


async def test_nothing_works_before_the_call_is_open(factory: Factory) -> None:
    with pytest.raises(InferenceError, match="not open"):
        await factory().decide(1, ANSWERED)


@pytest.mark.unit
async def test_a_commit_ends_the_recognisers_stream() -> None:
    recognizer = parts.Recognizer()
    call: LocalConversation = parts.local(recognizer)()
    await call.open(parts.REQUEST)
    call.speech(1, parts.speech(100))
    await call.decide(1, SPEECH)
    await call.commit(1)
    assert [stream.aborted for stream in recognizer.streams] == [True]


@pytest.mark.unit
async def test_a_caller_that_gives_up_is_not_told_of_another_generation() -> None:
    recognizer = parts.Recognizer()
    recognizer.gate.clear()
    call: LocalConversation = parts.local(recognizer)()
    await call.open(parts.REQUEST)
    call.speech(1, parts.speech(100))
    waiting = asyncio.create_task(call.decide(1, SPEECH))
    await asyncio.sleep(0.02)
    waiting.cancel()
    recognizer.gate.set()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_a_decision_that_was_given_up_because_the_customer_went_on_breaks_nothing(
    call: Conversation, recognizer: parts.Recognizer
) -> None:
    await overtaken(call, recognizer, given_up=True)
    recognizer.gate.set()
    await asyncio.sleep(0.3)
    result = await call.decide(2, SPEECH)
    assert result.turn.understanding.transcript.text == "ab"
    await call.commit(2)
