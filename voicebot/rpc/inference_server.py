"""Serves conversations over gRPC (inference.proto): one bidirectional stream a call.

A call that fails gets Failed and, if it can not go on, the end of its stream; the others do not notice.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine

import grpc
import structlog
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from pydantic import ValidationError

from voicebot import codec
from voicebot.domain.answering import Finding
from voicebot.domain.call import CallRequest, Delivery, EndCause, Progress, PromptRef, TurnResult
from voicebot.domain.errors import InferenceError, VoicebotError
from voicebot.domain.ports import Conversation
from voicebot.domain.speech import Utterance
from voicebot.rpc.generated import inference_pb2 as pb
from voicebot.rpc.generated import inference_pb2_grpc

SERVICE = "voicebot.inference.v1.Inference"
_LONGEST_MESSAGE = 8 << 20  # bytes: minutes of prompt audio
# Line workers ping every two seconds to notice a hung server; that is no abuse.
_OPTIONS = (
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 1000),
    ("grpc.http2.max_ping_strikes", 0),
    ("grpc.max_receive_message_length", _LONGEST_MESSAGE),
    ("grpc.max_send_message_length", _LONGEST_MESSAGE),
    ("grpc.so_reuseport", 0),  # a port in use is an error, not a partner
)

log = structlog.get_logger()

Context = grpc.aio.ServicerContext[pb.ToInference, pb.FromInference]


class _Call:
    """One stream: messages in, in order; answers out, as they come."""

    def __init__(self, conversation: Conversation, context: Context) -> None:
        self._conversation = conversation
        self._context = context
        self._writing = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._call_id = ""
        conversation.listen(self._progress)
        conversation.notice(self._found)

    async def converse(self) -> None:
        """Serve messages until close or the end of the stream."""
        generation = 0
        try:
            while isinstance(message := await self._context.read(), pb.ToInference):
                kind = message.WhichOneof("message")
                generation = getattr(getattr(message, kind or "", None), "generation", 0)
                if not await self._serve(kind, message):
                    break
        except (VoicebotError, ValueError) as error:
            await self._fail(generation, error)
        except Exception as error:  # the edge of a call: the others go on
            log.exception("call failed", call_id=self._call_id)
            await self._fail(generation, InferenceError(f"unexpected {type(error).__name__}"))
        finally:
            await self._end()

    async def _serve(self, kind: str | None, message: pb.ToInference) -> bool:
        """Serve one message; return whether more may follow."""
        match kind:
            case "open":
                request = codec.decode(CallRequest, message.open.request_json)
                self._call_id = request.call_id
                snapshot = await self._conversation.open(request, message.open.snapshot)
                await self._write(pb.FromInference(opened=pb.Opened(snapshot=snapshot)))
            case "speech":
                self._conversation.speech(message.speech.generation, message.speech.pcm)
            case "overheard":
                self._conversation.overhear(message.overheard.pcm, answered=message.overheard.answered)
            case "decide":
                utterance = codec.decode(Utterance, message.decide.utterance_json)
                self._background(self._decide(message.decide.generation, utterance))
                await asyncio.sleep(0)  # it has begun before more speech is taken
            case "commit":
                await self._conversation.commit(message.commit.generation)
            case "deliver":
                self._conversation.deliver(Delivery(message.deliver.delivery))
            case "agent_speech":
                self._conversation.agent_speech(message.agent_speech.pcm)
            case "agent_said":
                self._background(self._follow(message.agent_said))
                await asyncio.sleep(0)  # it has begun before more speech is taken
            case "close":
                outcome = await self._conversation.close(EndCause(message.close.cause))
                await self._write(pb.FromInference(closed=pb.Closed(outcome_json=codec.encode(outcome))))
                return False
            case _:
                raise InferenceError("an empty message", hint="line worker and server must be of one version")
        return True

    async def _decide(self, generation: int, utterance: Utterance) -> None:
        try:
            result = await self._conversation.decide(generation, utterance)
        except VoicebotError as error:
            await self._fail(generation, error)
        except Exception as error:  # the edge of a task: only this decision fails
            log.exception("decision failed", call_id=self._call_id, generation=generation)
            await self._fail(generation, InferenceError(f"unexpected {type(error).__name__}"))
        else:
            await self._write(pb.FromInference(decided=_decided(result)))

    async def _follow(self, said: pb.AgentSaid) -> None:
        try:
            result = await self._conversation.agent_said(said.generation, said.start_s, said.end_s)
        except VoicebotError as error:
            await self._fail(said.generation, error)
        except Exception as error:  # the edge of a task: the call goes on
            log.exception("a person was not understood", call_id=self._call_id)
            await self._fail(said.generation, InferenceError(f"unexpected {type(error).__name__}"))
        else:
            followed = pb.Followed(turn_json=codec.encode(result.turn), snapshot=result.snapshot)
            await self._write(pb.FromInference(followed=followed))

    def _progress(self, progress: Progress) -> None:
        told = pb.Progress(
            generation=progress.generation,
            endpoint_score=progress.endpoint_score,
            partial_text=progress.partial_text,
            backchannel=progress.backchannel,
            at_ms=progress.at_ms,
            words_known=progress.words_known,
        )
        self._background(self._write(pb.FromInference(progress=told)))

    def _found(self, finding: Finding) -> None:
        told = pb.Found(finding_json=codec.encode(finding))
        self._background(self._write(pb.FromInference(found=told)))

    async def _fail(self, generation: int, error: Exception) -> None:
        text = str(error)
        if isinstance(error, ValidationError):  # its text would hold what was said
            text = f"{error.title}: {error.error_count()} fields are wrong"
        await self._write(pb.FromInference(failed=pb.Failed(generation=generation, error=text)))

    async def _write(self, message: pb.FromInference) -> None:
        async with self._writing:
            with contextlib.suppress(
                grpc.aio.UsageError, asyncio.InvalidStateError
            ):  # the other side is gone
                await self._context.write(message)

    async def _end(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        with contextlib.suppress(VoicebotError):  # closed already, or never opened
            await self._conversation.close(EndCause.FAILURE)

    def _background(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


class _Servicer(inference_pb2_grpc.InferenceServicer):
    def __init__(self, factory: Callable[[], Conversation]) -> None:
        self._factory = factory
        self._prompts = factory()  # never opened: only asked for prompts
        self.calls: set[_Call] = set()
        self.draining = False
        self.idle = asyncio.Event()
        self.idle.set()

    async def Converse(self, _requests: object, context: Context) -> None:  # noqa: N802  # gRPC's name
        if self.draining:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "draining")
        call = _Call(self._factory(), context)
        self.calls.add(call)
        self.idle.clear()
        try:
            await call.converse()
        finally:
            self.calls.discard(call)
            if not self.calls:
                self.idle.set()

    async def GetPrompt(  # noqa: N802  # gRPC's name
        self, request: pb.PromptRequest, context: grpc.aio.ServicerContext[pb.PromptRequest, pb.PromptAudio]
    ) -> pb.PromptAudio:
        try:
            audio = await self._prompts.prompt(PromptRef(request.key, "", 0, ""))
        except VoicebotError as error:
            await context.abort(grpc.StatusCode.NOT_FOUND, str(error))
        return pb.PromptAudio(pcm=audio.pcm)

    async def Speak(  # noqa: N802  # gRPC's name
        self, request: pb.SpeakRequest, context: grpc.aio.ServicerContext[pb.SpeakRequest, pb.PromptAudio]
    ) -> pb.PromptAudio:
        try:
            audio = await self._prompts.speak(request.text)
        except VoicebotError as error:
            await context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(error))
        return pb.PromptAudio(pcm=audio.pcm)


class InferenceServer:
    """Serves conversations to line workers, and grpc.health.v1 to whoever watches."""

    def __init__(self, factory: Callable[[], Conversation], address: str) -> None:
        """Make a server, in the event loop it will run in.

        Args:
            factory: makes the conversation of one call.
            address: host:port; port 0 takes a free one.
        """
        self._servicer = _Servicer(factory)
        self._address = address
        self._health = health.aio.HealthServicer()  # type: ignore[attr-defined]  # absent from the stubs
        self._server: grpc.aio.Server | None = None

    @property
    def calls(self) -> int:
        """How many calls are being served."""
        return len(self._servicer.calls)

    @property
    def draining(self) -> bool:
        """Whether no new calls are taken."""
        return self._servicer.draining

    async def start(self) -> int:
        """Start and return the port. Raises InferenceError if it is in use."""
        server = grpc.aio.server(options=_OPTIONS)
        inference_pb2_grpc.add_InferenceServicer_to_server(self._servicer, server)  # type: ignore[no-untyped-call]  # generated
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        try:
            port = server.add_insecure_port(self._address)
        except RuntimeError:
            await server.start()  # only a started one can be stopped; dropped as it is,
            await server.stop(None)  # it can hang the process at its end
            raise InferenceError(
                f"the port {self._address} is in use",
                hint="end the other program or choose another port (VOICEBOT_INFERENCE_PORT)",
            ) from None
        await server.start()
        await self._health.set(SERVICE, health_pb2.HealthCheckResponse.SERVING)
        self._server = server
        return port

    async def drain(self, grace_s: float = 30.0) -> None:
        """Take no new calls and wait for the running ones, then end the server."""
        self._servicer.draining = True
        await self._health.enter_graceful_shutdown()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace_s):
                await self._servicer.idle.wait()
        await self.stop()

    async def stop(self, grace_s: float = 0.5) -> None:
        """End the server; calls that are still running are cut off and resume elsewhere."""
        self._servicer.draining = True
        if self._server is not None:
            await self._server.stop(grace_s)


def _decided(result: TurnResult) -> pb.Decided:
    return pb.Decided(
        generation=result.generation,
        action=result.action,
        prompts=[
            pb.Prompt(
                key=prompt.key,
                text=prompt.text,
                duration_ms=prompt.duration_ms,
                engine=prompt.engine,
                protected=prompt.protected,
                protected_ms=prompt.protected_ms,
            )
            for prompt in result.prompts
        ],
        turn_json=codec.encode(result.turn),
        snapshot=result.snapshot,
        expect=result.expect,
        patience_ms=result.patience_ms,
        suggested_json=codec.encode_all(result.suggested),
    )
