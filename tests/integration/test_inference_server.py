"""The inference server as line workers meet it: killed, hung, drained, and with many calls at once."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tests.integration.scripted import Memory
from tests.unit import parts
from voicebot.call.decisions import Decisions
from voicebot.call.events import SessionConfig
from voicebot.call.prompts import PromptMemory
from voicebot.domain.call import EndCause
from voicebot.domain.errors import InferenceError
from voicebot.domain.speech import Utterance, UtteranceKind
from voicebot.rpc.inference_client import InferenceClient, RemoteConversation
from voicebot.rpc.inference_server import SERVICE, InferenceServer

pytestmark = pytest.mark.integration

ANSWERED = Utterance(UtteranceKind.ANSWERED, 0, 0)
SPEECH = Utterance(UtteranceKind.SPEECH, 1.0, 2.0)
ROOT = Path(__file__).resolve().parents[2]


@asynccontextmanager
async def process(port: int = 0) -> AsyncIterator[tuple[Process, int]]:
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.integration.inference_process", str(port), cwd=ROOT, stdout=PIPE
    )
    assert child.stdout is not None
    try:
        yield child, int(await child.stdout.readline())
    finally:
        if child.returncode is None:
            child.kill()
        await child.wait()


@asynccontextmanager
async def connected(port: int, timeout_s: float = 10.0) -> AsyncIterator[InferenceClient]:
    client = InferenceClient(f"127.0.0.1:{port}", timeout_s=timeout_s)
    try:
        yield client
    finally:
        await client.close()


async def test_of_several_servers_one_that_dies_loses_no_call_and_gets_no_new_one() -> None:
    request = parts.REQUEST
    async with process() as (first, one), process() as (second, two):
        client = InferenceClient(f"ipv4:127.0.0.1:{one},127.0.0.1:{two}")
        conversations = [client.conversation() for _ in range(4)]
        snapshots = [
            await conversation.open(replace(request, call_id=f"call-{number}"))
            for number, conversation in enumerate(conversations)
        ]
        for conversation in conversations:
            await conversation.decide(1, ANSWERED)
            await conversation.commit(1)
        first.kill()
        await first.wait()
        lost = []
        for number, conversation in enumerate(conversations):
            try:
                await conversation.decide(2, ANSWERED)
            except InferenceError:
                lost.append(number)
        assert 0 < len(lost) < 4  # both had calls: the first ones go to whoever was ready
        for number in lost:  # what a line worker does: a new stream, from the snapshot that it holds
            again = client.conversation()
            await again.open(replace(request, call_id=f"call-{number}"), snapshots[number])
            await again.decide(3, ANSWERED)
        await client.close()
        assert second.returncode is None


async def test_a_call_that_begins_on_a_server_that_no_longer_speaks_begins_on_the_next() -> None:
    async with process() as (first, one), process() as (_, two):
        client = InferenceClient(f"ipv4:127.0.0.1:{one},127.0.0.1:{two}")
        for _ in range(4):
            await client.conversation().open(parts.REQUEST)  # both are known
        first.send_signal(signal.SIGSTOP)
        config = SessionConfig("w", client.conversation, Memory(), PromptMemory(), open_timeout_s=30)
        calls = [
            Decisions(f"call-{number}", config, post=lambda _: None, progress=lambda _: None)
            for number in range(4)
        ]
        chosen = [call.conversation for call in calls]
        await asyncio.gather(*(call.open(parts.REQUEST) for call in calls))
        again = sum(call.conversation is not first_try for call, first_try in zip(calls, chosen, strict=True))
        assert again, "none of them had its turn on the server that hangs"
        for call in calls:
            assert (await call.conversation.decide(1, ANSWERED)).generation == 1
        await client.close()


@asynccontextmanager
async def served(
    recognizer: parts.Recognizer | None = None,
) -> AsyncIterator[tuple[InferenceServer, InferenceClient]]:
    server = InferenceServer(parts.local(recognizer), "127.0.0.1:0")
    async with connected(await server.start()) as client:
        yield server, client
    await server.stop(0)


async def test_a_killed_server_is_noticed_at_once_and_the_call_goes_on_at_the_next_one() -> None:
    async with process() as (child, port), connected(port) as client:
        call = client.conversation()
        await call.open(parts.REQUEST)
        snapshot = (await call.decide(1, ANSWERED)).snapshot
        await call.commit(1)
        child.kill()
        await child.wait()
        began = time.monotonic()
        with pytest.raises(InferenceError, match=r"127\.0\.0\.1"):
            await call.decide(2, ANSWERED)
        assert time.monotonic() - began < 2
        async with process(port):
            again = client.conversation()
            assert await again.open(parts.REQUEST, snapshot) == snapshot
            again.speech(3, parts.speech(100))
            assert (await again.decide(3, SPEECH)).turn.seq == 1


async def test_a_hung_server_is_noticed_in_seconds() -> None:
    async with process() as (child, port), connected(port) as client:
        call = client.conversation()
        await call.open(parts.REQUEST)
        child.send_signal(signal.SIGSTOP)
        began = time.monotonic()
        with pytest.raises(InferenceError):
            await call.decide(1, ANSWERED)
        assert time.monotonic() - began < 6
        child.send_signal(signal.SIGCONT)


async def test_an_absent_server_is_an_error_in_time() -> None:
    async with connected(1, timeout_s=0.5) as client:
        with pytest.raises(InferenceError, match="within"):
            await client.conversation().open(parts.REQUEST)


async def test_many_calls_at_once_keep_apart() -> None:
    async def conduct(number: int, call: RemoteConversation) -> tuple[str, ...]:
        request = replace(parts.REQUEST, call_id=f"call-{number}")
        await call.open(request)
        await call.decide(1, ANSWERED)
        await call.commit(1)
        for generation in (2, 3):
            for _ in range(number % 7 + generation):
                call.speech(generation, parts.speech(100))
            result = await call.decide(generation, SPEECH)
            assert result.turn.call_id == request.call_id
            await call.commit(generation)
        return (await call.close(EndCause.BOT_HUNG_UP)).reasons

    async with served() as (server, client):
        outcomes = await asyncio.gather(*(conduct(number, client.conversation()) for number in range(48)))
        letters = "abcdefghijkl"
        for number, reasons in enumerate(outcomes):
            assert reasons == ("bot_hung_up", "", letters[: number % 7 + 2], letters[: number % 7 + 3])
        await asyncio.sleep(0.1)
        assert server.calls == 0


async def test_a_failing_call_does_not_touch_the_others() -> None:
    async with served() as (_, client):
        good, bad = client.conversation(), client.conversation()
        await good.open(parts.REQUEST)
        with pytest.raises(InferenceError):
            await bad.open(replace(parts.REQUEST, playbook_id="absent"))
        assert (await good.decide(1, ANSWERED)).turn.seq == 0


async def test_an_unexpected_error_fails_one_decision_only(monkeypatch: pytest.MonkeyPatch) -> None:
    def burst(*_: object) -> None:
        raise ZeroDivisionError

    async with served() as (_, client):
        call = client.conversation()
        await call.open(parts.REQUEST)
        with monkeypatch.context() as patch:
            patch.setattr(parts.Policy, "relate", burst)
            with pytest.raises(InferenceError, match="ZeroDivisionError"):
                await call.decide(1, ANSWERED)
        assert (await call.decide(2, ANSWERED)).generation == 2


async def test_a_line_worker_that_vanishes_leaves_nothing_behind() -> None:
    recognizer = parts.Recognizer()
    async with served(recognizer) as (server, client):
        call = client.conversation()
        await call.open(parts.REQUEST)
        call.speech(1, parts.speech(100))
        await call.decide(1, SPEECH)
        await client.close()
        async with asyncio.timeout(5):
            while server.calls:  # noqa: ASYNC110  # it tells nobody
                await asyncio.sleep(0.02)
        assert [stream.aborted for stream in recognizer.streams] == [True]


async def test_a_draining_server_finishes_its_calls_and_takes_no_new_ones() -> None:
    async with served() as (server, client):
        call = client.conversation()
        await call.open(parts.REQUEST)
        draining = asyncio.create_task(server.drain())
        await asyncio.sleep(0.05)
        with pytest.raises(InferenceError, match="draining"):
            await client.conversation().open(parts.REQUEST)
        assert (await call.decide(1, ANSWERED)).generation == 1
        await call.close(EndCause.BOT_HUNG_UP)
        async with asyncio.timeout(5):
            await draining


async def test_health_is_told_to_any_grpc_probe() -> None:
    server = InferenceServer(parts.local(), "127.0.0.1:0")
    port = await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        probe = health_pb2_grpc.HealthStub(channel)
        answer = await probe.Check(health_pb2.HealthCheckRequest(service=SERVICE))
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
    await server.stop(0)


async def test_a_port_in_use_is_a_clear_error() -> None:
    server = InferenceServer(parts.local(), "127.0.0.1:0")
    port = await server.start()
    with pytest.raises(InferenceError, match="in use") as caught:
        await InferenceServer(parts.local(), f"127.0.0.1:{port}").start()
    assert "VOICEBOT_INFERENCE_PORT" in caught.value.hint
    await server.stop(0)
