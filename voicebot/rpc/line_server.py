"""Serves a line worker's control over gRPC (line.proto)."""

from __future__ import annotations

from collections.abc import AsyncIterator

import grpc
import structlog
from pydantic import ValidationError

from voicebot import codec
from voicebot.domain.call import CallEvent, CallRequest, Delivery
from voicebot.domain.errors import CapacityError, TelephonyError, VoicebotError
from voicebot.domain.people import TakeoverKind
from voicebot.domain.ports import LineControl
from voicebot.rpc.errors import error_metadata
from voicebot.rpc.generated import line_pb2, line_pb2_grpc

log = structlog.get_logger()

_CODES = {
    CapacityError: grpc.StatusCode.RESOURCE_EXHAUSTED,
    TelephonyError: grpc.StatusCode.FAILED_PRECONDITION,
}
Context = grpc.aio.ServicerContext[object, object]


class _Servicer(line_pb2_grpc.LineServicer):
    def __init__(self, line: LineControl) -> None:
        self._line = line

    async def Originate(  # noqa: N802  # gRPC's name, as all below
        self, request: line_pb2.OriginateRequest, context: Context
    ) -> line_pb2.OriginateReply:
        try:
            await self._line.originate(codec.decode(CallRequest, request.request_json))
        except ValidationError as error:
            await context.abort(
                grpc.StatusCode.INVALID_ARGUMENT, f"request_json: {error.error_count()} fields are wrong"
            )
        except VoicebotError as error:
            await _abort(context, error)
        return line_pb2.OriginateReply()

    async def HangUp(self, request: line_pb2.HangUpRequest, context: Context) -> line_pb2.HangUpReply:  # noqa: N802
        try:
            await self._line.hang_up(request.call_id)
        except VoicebotError as error:
            await _abort(context, error)
        return line_pb2.HangUpReply()

    async def Transfer(  # noqa: N802
        self, request: line_pb2.TransferRequest, context: Context
    ) -> line_pb2.TransferReply:
        try:
            await self._line.transfer(request.call_id, request.target_uri)
        except VoicebotError as error:
            await _abort(context, error)
        return line_pb2.TransferReply()

    async def TakeOver(  # noqa: N802
        self, request: line_pb2.TakeOverRequest, context: Context
    ) -> line_pb2.TakeOverReply:
        try:
            kind = TakeoverKind(request.kind or TakeoverKind.AUTO)
            await self._line.take_over(request.call_id, request.agent_id, kind)
        except ValueError as error:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        except VoicebotError as error:
            await _abort(context, error)
        return line_pb2.TakeOverReply()

    async def Deliver(  # noqa: N802
        self, request: line_pb2.DeliverRequest, context: Context
    ) -> line_pb2.DeliverReply:
        try:
            await self._line.deliver(request.call_id, Delivery(request.delivery))
        except ValueError as error:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        except VoicebotError as error:
            await _abort(context, error)
        return line_pb2.DeliverReply()

    async def Whisper(  # noqa: N802
        self, request: line_pb2.WhisperRequest, context: Context
    ) -> line_pb2.WhisperReply:
        try:
            await self._line.whisper(request.call_id, request.uri)
        except VoicebotError as error:
            await _abort(context, error)
        return line_pb2.WhisperReply()

    async def Listen(  # noqa: N802
        self, request: line_pb2.ListenRequest, context: Context
    ) -> AsyncIterator[line_pb2.Overheard]:
        try:
            async for heard in self._line.listen(request.call_id):
                yield line_pb2.Overheard(customer=heard.customer, ours=heard.ours)
        except VoicebotError as error:
            await _abort(context, error)

    async def Watch(  # noqa: N802
        self,
        request: line_pb2.WatchRequest,  # holds nothing
        context: Context,
    ) -> AsyncIterator[line_pb2.Event]:
        # Headers at once: a client may now act, sure that it misses nothing.
        events = self._line.watch()
        await context.send_initial_metadata(())
        async for event in events:
            yield _event(event)

    async def GetStatus(  # noqa: N802
        self,
        request: line_pb2.StatusRequest,
        context: Context,
    ) -> line_pb2.Status:
        status = await self._line.status()
        return line_pb2.Status(
            worker=status.worker,
            sip_uri=status.sip_uri,
            capacity=status.capacity,
            busy=status.busy,
            draining=status.draining,
        )

    async def Drain(  # noqa: N802
        self,
        request: line_pb2.DrainRequest,
        context: Context,
    ) -> line_pb2.DrainReply:
        await self._line.drain()
        return line_pb2.DrainReply()


class LineServer:
    """The gRPC server of one line worker."""

    def __init__(self, line: LineControl, address: str) -> None:
        """Make a server for an address, host:port; port 0 = any free one."""
        self._line = line
        self._address = address
        self._server: grpc.aio.Server | None = None

    async def start(self) -> int:
        """Start and return the port. Raises TelephonyError if it is in use."""
        server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
        line_pb2_grpc.add_LineServicer_to_server(_Servicer(self._line), server)  # type: ignore[no-untyped-call]  # generated
        try:
            port = server.add_insecure_port(self._address)
        except RuntimeError:
            await server.start()  # only a started one can be stopped; dropped as it is,
            await server.stop(None)  # it can hang the process at its end
            raise TelephonyError(
                f"the line worker's port {self._address} is in use",
                hint="end the other program or choose another port (VOICEBOT_LINE_PORT)",
            ) from None
        await server.start()
        self._server = server
        return port

    async def stop(self, grace_s: float = 0.5) -> None:
        """End the server; watchers are cut off."""
        if self._server is not None:
            await self._server.stop(grace_s)


def _event(event: CallEvent) -> line_pb2.Event:
    value = event.turn or event.record or event.suggestion or event.takeover
    json = codec.encode(value) if value is not None else (event.delivery or "").encode()
    return line_pb2.Event(
        call_id=event.call_id,
        kind=event.kind,
        json=json,
        at=event.at.timestamp(),
        contact_id=event.contact_id,
    )


async def _abort(context: Context, error: VoicebotError) -> None:
    code = _CODES.get(type(error), grpc.StatusCode.INTERNAL)
    await context.abort(code, error.detail, error_metadata(error))
