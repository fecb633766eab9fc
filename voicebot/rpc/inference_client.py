"""Talks to an inference server over gRPC (inference.proto): the Conversation port for line workers."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

import grpc
from pydantic import ValidationError

from voicebot import codec
from voicebot.domain.answering import Finding
from voicebot.domain.audio import Audio
from voicebot.domain.call import (
    CallRequest,
    Delivery,
    EndCause,
    Outcome,
    Progress,
    PromptRef,
    Turn,
    TurnResult,
)
from voicebot.domain.errors import InferenceError
from voicebot.domain.people import SuggestedScript
from voicebot.domain.script import Action, Expect
from voicebot.domain.speech import Utterance
from voicebot.rpc.generated import inference_pb2 as pb
from voicebot.rpc.generated import inference_pb2_grpc

_LONGEST_MESSAGE = 8 << 20  # bytes: minutes of prompt audio
_MOST_WAITING = 600  # messages not yet taken by the server: a minute of speech
# A killed server is noticed at once. A hung one answers no ping: idle calls see it after keepalive and its
# time-out; for a ping that went out with a message the HTTP/2 time-out counts, a minute by default.
# Of several servers each call takes the next that is healthy (grpc.health.v1), and stays there. One server is
# not watched for its health: there is nowhere else to go.
_BALANCING = json.dumps(
    {
        "loadBalancingConfig": [{"round_robin": {}}],
        "healthCheckConfig": {"serviceName": pb.DESCRIPTOR.services_by_name["Inference"].full_name},
    }
)
_OPTIONS = (
    ("grpc.keepalive_time_ms", 2000),
    ("grpc.keepalive_timeout_ms", 1000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.ping_timeout_ms", 2000),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.max_receive_message_length", _LONGEST_MESSAGE),
    ("grpc.max_send_message_length", _LONGEST_MESSAGE),
)
_PROMPT_TRIES = 4  # of several servers only the one that decided may have rendered it: each try asks the next
_HINT = "see that the inference server runs: voicebot doctor"

T = TypeVar("T")


class InferenceClient:
    """One connection to inference for all calls of a line worker. Belongs to one event loop."""

    def __init__(self, address: str, *, timeout_s: float = 10.0) -> None:
        """Connect, lazily, to host:port (or any gRPC target, several servers included).

        Args:
            address: of the inference server.
            timeout_s: within which every answer must come.
        """
        self._address = address
        self._timeout_s = timeout_s
        several = "," in address or address.startswith("dns:")
        balancing = (("grpc.service_config", _BALANCING),) if several else ()
        self._channel = grpc.aio.insecure_channel(address, options=(*_OPTIONS, *balancing))
        self._stub = inference_pb2_grpc.InferenceStub(self._channel)  # type: ignore[no-untyped-call]  # generated

    def conversation(self) -> RemoteConversation:
        """Return the conversation of one call."""
        return RemoteConversation(self._stub, self._address, self._timeout_s)

    async def close(self) -> None:
        """End the connection, and all conversations with it."""
        await self._channel.close(None)


class RemoteConversation:
    """The inference side of one call, behind one gRPC stream."""

    def __init__(self, stub: inference_pb2_grpc.InferenceStub, address: str, timeout_s: float) -> None:
        """Prepare a conversation; the stream begins with `open`."""
        self._stub = stub
        self._address = address
        self._timeout_s = timeout_s
        self._outbox: asyncio.Queue[pb.ToInference] = asyncio.Queue(_MOST_WAITING)
        self._stream: grpc.aio.StreamStreamCall[pb.ToInference, pb.FromInference] | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._opened: asyncio.Future[bytes] | None = None
        self._decisions: dict[int, asyncio.Future[TurnResult]] = {}
        self._closed: asyncio.Future[Outcome] | None = None
        self._followed: asyncio.Future[TurnResult] | None = None
        self._newest = 0
        self._on_progress: Callable[[Progress], None] = lambda _: None
        self._on_finding: Callable[[Finding], None] = lambda _: None
        self._error: InferenceError | None = None

    async def open(self, request: CallRequest, snapshot: bytes = b"") -> bytes:
        """Begin, or resume from a snapshot. Raises InferenceError."""
        if self._stream is not None:
            raise InferenceError(f"call {request.call_id} is open already")
        self._opened = asyncio.get_running_loop().create_future()
        self._stream = self._stub.Converse(wait_for_ready=True)
        self._tasks = [asyncio.create_task(self._send_all()), asyncio.create_task(self._read_all())]
        self._send(pb.ToInference(open=pb.Open(request_json=codec.encode(request), snapshot=snapshot)))
        try:
            return await self._answer(self._opened)
        except InferenceError:
            self._hang_up()
            raise

    def listen(self, on_progress: Callable[[Progress], None]) -> None:
        """Have progress told while decisions are computed."""
        self._on_progress = on_progress

    def notice(self, on_finding: Callable[[Finding], None]) -> None:
        """Have it told what answers the call."""
        self._on_finding = on_finding

    def overhear(self, pcm: bytes, *, answered: bool) -> None:
        """Pass on what the far end says around the answer. Lost if the server is lost."""
        if self._error is None and self._stream is not None and pcm:
            with contextlib.suppress(InferenceError):
                self._send(pb.ToInference(overheard=pb.Overheard(pcm=pcm, answered=answered)))

    def speech(self, generation: int, pcm: bytes) -> None:
        """Pass speech on. A server that takes none any more shows at the next `decide`."""
        if self._error is None and self._stream is not None and pcm:
            with contextlib.suppress(InferenceError):
                self._send(pb.ToInference(speech=pb.Speech(generation=generation, pcm=pcm)))

    async def decide(self, generation: int, utterance: Utterance) -> TurnResult:
        """Decide on the speech so far. Raises InferenceError: failed, late, lost, or superseded."""
        self._ready()
        if generation < self._newest:
            raise InferenceError(f"generation {generation} is superseded by {self._newest}")
        self._newest = generation
        for older in list(self._decisions.values()):
            if not older.done():
                older.set_exception(InferenceError(f"superseded by generation {generation}"))
        answer: asyncio.Future[TurnResult] = asyncio.get_running_loop().create_future()
        self._decisions[generation] = answer
        bare = codec.encode(replace(utterance, audio=None))
        self._send(pb.ToInference(decide=pb.Decide(generation=generation, utterance_json=bare)))
        return await self._answer(answer)

    async def commit(self, generation: int) -> None:
        """Make a decision real. Raises InferenceError if it was not decided here, or the server is lost."""
        self._ready()
        answer = self._decisions.get(generation)
        if answer is None or not answer.done() or answer.cancelled() or answer.exception() is not None:
            raise InferenceError(f"generation {generation} was not decided here")
        self._decisions.clear()
        self._send(pb.ToInference(commit=pb.Commit(generation=generation)))

    def deliver(self, delivery: Delivery) -> None:
        """Have decisions spoken, or only suggested, from now on."""
        if self._error is None and self._stream is not None:
            with contextlib.suppress(InferenceError):
                self._send(pb.ToInference(deliver=pb.Deliver(delivery=delivery.value)))

    def agent_speech(self, pcm: bytes) -> None:
        """Pass on what a person of ours says."""
        if self._error is None and self._stream is not None and pcm:
            with contextlib.suppress(InferenceError):
                self._send(pb.ToInference(agent_speech=pb.AgentSpeech(pcm=pcm)))

    async def agent_said(self, generation: int, start_s: float, end_s: float) -> TurnResult:
        """Make real what that person said. One at a time. Raises InferenceError."""
        self._ready()
        self._followed = asyncio.get_running_loop().create_future()
        said = pb.AgentSaid(generation=generation, start_s=start_s, end_s=end_s)
        self._send(pb.ToInference(agent_said=said))
        if generation:
            self._decisions.clear()
        return await self._answer(self._followed)

    async def speak(self, text: str) -> Audio:
        """Return a text as speech for our own people. Raises InferenceError."""
        try:
            reply = await self._stub.Speak(pb.SpeakRequest(text=text), timeout=self._timeout_s)
        except grpc.aio.AioRpcError as error:
            raise self._lost(error) from error
        return Audio(reply.pcm)

    async def prompt(self, ref: PromptRef) -> Audio:
        """Return a prompt's audio. Raises InferenceError."""
        for tries_left in reversed(range(_PROMPT_TRIES)):
            try:
                reply = await self._stub.GetPrompt(
                    pb.PromptRequest(key=ref.key), timeout=self._timeout_s, wait_for_ready=True
                )
                return Audio(reply.pcm)
            except grpc.aio.AioRpcError as error:
                if error.code() is not grpc.StatusCode.NOT_FOUND or not tries_left:
                    raise self._lost(error) from error
        raise AssertionError("the last try returns or raises")

    async def close(self, cause: EndCause) -> Outcome:
        """End the call and return its outcome. Raises InferenceError."""
        try:
            self._ready()
            self._closed = asyncio.get_running_loop().create_future()
            self._send(pb.ToInference(close=pb.Close(cause=cause.value)))
            return await self._answer(self._closed)
        finally:
            self._hang_up()

    # -- the stream --

    def _send(self, message: pb.ToInference) -> None:
        try:
            self._outbox.put_nowait(message)
        except asyncio.QueueFull:
            error = InferenceError(f"the server at {self._address} takes no more messages", hint=_HINT)
            self._break(error)
            raise error from None

    async def _send_all(self) -> None:
        assert self._stream is not None
        try:
            while True:
                await self._stream.write(await self._outbox.get())
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError, grpc.aio.UsageError):
            return  # the reader says why

    async def _read_all(self) -> None:
        assert self._stream is not None
        try:
            while isinstance(message := await self._stream.read(), pb.FromInference):
                self._take(message)
        except grpc.aio.AioRpcError as error:
            self._break(self._lost(error))
        except (ValidationError, ValueError) as error:
            broken = InferenceError(
                f"the server at {self._address} sent what can not be read ({type(error).__name__})",
                hint="line worker and server must be of one version",
            )
            self._break(broken)
        else:
            self._break(InferenceError(f"the server at {self._address} ended the call", hint=_HINT))

    def _take(self, message: pb.FromInference) -> None:
        match message.WhichOneof("message"):
            case "opened":
                _set(self._opened, message.opened.snapshot)
            case "decided":
                _set(self._decisions.get(message.decided.generation), _result(message.decided))
            case "progress":
                told = message.progress
                self._on_progress(
                    Progress(
                        told.generation,
                        told.endpoint_score,
                        told.partial_text,
                        told.backchannel,
                        told.at_ms,
                        told.words_known,
                    )
                )
            case "found":
                self._on_finding(codec.decode(Finding, message.found.finding_json))
            case "followed":
                turn = codec.decode(Turn, message.followed.turn_json)
                _set(
                    self._followed,
                    TurnResult(0, Action.SAY, (), turn, message.followed.snapshot),
                )
            case "closed":
                _set(self._closed, codec.decode(Outcome, message.closed.outcome_json))
            case "failed":
                self._failed(message.failed.generation, InferenceError(message.failed.error))

    def _failed(self, generation: int, error: InferenceError) -> None:
        """Take the server's word that something failed: one decision, or the call."""
        waiting = self._decisions.get(generation)
        if waiting is not None and (not waiting.done() or self._followed is None or self._followed.done()):
            if not waiting.done():  # else nobody waits any more: the customer went on
                waiting.set_exception(error)
        elif self._followed is not None and not self._followed.done():
            self._followed.set_exception(error)
        elif generation == 0 or generation >= self._newest:
            self._break(error)

    def _break(self, error: InferenceError) -> None:
        """Nothing more comes: tell everybody who waits."""
        self._error = self._error or error
        for task in self._tasks[:1]:
            task.cancel()  # the writer
        for waiting in (self._opened, self._closed, self._followed, *self._decisions.values()):
            if waiting is not None and not waiting.done():
                waiting.set_exception(self._error)
                waiting.exception()  # seen: whoever gave up waiting need not hear of it

    async def _answer(self, waiting: asyncio.Future[T]) -> T:
        try:
            async with asyncio.timeout(self._timeout_s):
                return await waiting
        except TimeoutError as late:
            raise InferenceError(
                f"no answer from {self._address} within {self._timeout_s:g} s", hint=_HINT
            ) from late

    def _ready(self) -> None:
        if self._error is not None:
            raise self._error
        if self._stream is None:
            raise InferenceError("the call is not open")

    def _hang_up(self) -> None:
        self._error = self._error or InferenceError("the call is closed")
        for task in self._tasks:
            task.cancel()
        if self._stream is not None:
            self._stream.cancel()

    def _lost(self, error: grpc.aio.AioRpcError) -> InferenceError:
        if error.code() is grpc.StatusCode.NOT_FOUND:
            return InferenceError(error.details() or "not found")
        return InferenceError(f"{self._address}: {error.code().name.lower()}: {error.details()}", hint=_HINT)


def _set(waiting: asyncio.Future[T] | None, value: T) -> None:
    if waiting is not None and not waiting.done():
        waiting.set_result(value)


def _prompt(told: pb.Prompt) -> PromptRef:
    return PromptRef(told.key, told.text, told.duration_ms, told.engine, told.protected, told.protected_ms)


def _result(decided: pb.Decided) -> TurnResult:
    return TurnResult(
        generation=decided.generation,
        action=Action(decided.action),
        prompts=tuple(_prompt(prompt) for prompt in decided.prompts),
        turn=codec.decode(Turn, decided.turn_json),
        snapshot=decided.snapshot,
        expect=Expect(decided.expect),
        patience_ms=decided.patience_ms,
        suggested=codec.decode(tuple[SuggestedScript, ...], decided.suggested_json),
    )
