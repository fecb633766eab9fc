"""Talks to a line worker over gRPC (line.proto)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import grpc

from voicebot import codec
from voicebot.domain.call import CallEvent, CallRecord, CallRequest, Delivery, LineStatus, Overheard, Turn
from voicebot.domain.errors import CapacityError, TelephonyError, VoicebotError
from voicebot.domain.people import Suggestion, TakeoverKind, TakeoverUpdate
from voicebot.rpc.errors import remote_error
from voicebot.rpc.generated import line_pb2, line_pb2_grpc

TIMEOUT_S = 5.0
_Stream = Any  # gRPC's call, of which we read messages


class LineClient:
    """Implements LineControl over gRPC. Belongs to one event loop."""

    def __init__(self, address: str) -> None:
        """Connect, lazily, to host:port."""
        self._address = address
        self._channel = grpc.aio.insecure_channel(address)
        self._stub = line_pb2_grpc.LineStub(self._channel)  # type: ignore[no-untyped-call]  # generated

    async def close(self) -> None:
        """End the connection."""
        await self._channel.close(None)

    async def originate(self, request: CallRequest) -> None:
        """Place a call. Raises CapacityError, TelephonyError."""
        with self._errors():
            await self._stub.Originate(
                line_pb2.OriginateRequest(request_json=codec.encode(request)), timeout=TIMEOUT_S
            )

    async def hang_up(self, call_id: str) -> None:
        """End a call."""
        with self._errors():
            await self._stub.HangUp(line_pb2.HangUpRequest(call_id=call_id), timeout=TIMEOUT_S)

    async def transfer(self, call_id: str, target_uri: str) -> None:
        """Hand a call over."""
        with self._errors():
            await self._stub.Transfer(
                line_pb2.TransferRequest(call_id=call_id, target_uri=target_uri), timeout=TIMEOUT_S
            )

    async def take_over(
        self, call_id: str, agent_id: str = "", kind: TakeoverKind = TakeoverKind.AUTO
    ) -> None:
        """Hand a call to an agent of ours."""
        with self._errors():
            await self._stub.TakeOver(
                line_pb2.TakeOverRequest(call_id=call_id, agent_id=agent_id, kind=kind.value),
                timeout=TIMEOUT_S,
            )

    async def deliver(self, call_id: str, delivery: Delivery) -> None:
        """Let the bot speak, or only suggest to the person on the line."""
        with self._errors():
            await self._stub.Deliver(
                line_pb2.DeliverRequest(call_id=call_id, delivery=delivery.value), timeout=TIMEOUT_S
            )

    async def whisper(self, call_id: str, uri: str) -> None:
        """Let a supervisor's phone join, heard by the agent alone."""
        with self._errors():
            await self._stub.Whisper(line_pb2.WhisperRequest(call_id=call_id, uri=uri), timeout=TIMEOUT_S)

    async def listen(self, call_id: str) -> AsyncIterator[Overheard]:
        """Yield both directions of a call from now on."""
        with self._errors(), _followed(self._stub.Listen(line_pb2.ListenRequest(call_id=call_id))) as sound:
            async for heard in sound:
                yield Overheard(heard.customer, heard.ours)

    async def watch(self) -> AsyncIterator[CallEvent]:
        """Yield what is known of the calls that run, then the events of all calls."""
        with self._errors(), _followed(self._stub.Watch(line_pb2.WatchRequest())) as events:
            async for event in events:
                yield _event(event)

    async def status(self) -> LineStatus:
        """Return how it stands."""
        with self._errors():
            status = await self._stub.GetStatus(line_pb2.StatusRequest(), timeout=TIMEOUT_S)
        return LineStatus(status.worker, status.sip_uri, status.capacity, status.busy, status.draining)

    async def drain(self) -> None:
        """Take no new calls; returns when the running ones have ended."""
        with self._errors():
            await self._stub.Drain(line_pb2.DrainRequest())

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except grpc.aio.AioRpcError as error:
            kind: type[VoicebotError] = TelephonyError
            if error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED:
                kind = CapacityError
            if error.code() == grpc.StatusCode.UNAVAILABLE:
                raise TelephonyError(
                    "no line worker answers at {address}",
                    hint="is it running? see voicebot doctor",
                    address=self._address,
                ) from None
            raise remote_error(kind, error) from None


@contextmanager
def _followed(stream: _Stream) -> Iterator[_Stream]:
    """End a stream with whoever follows it: gRPC goes on with one that nobody reads, and keeps what comes."""
    try:
        yield stream
    finally:
        stream.cancel()


def _event(event: line_pb2.Event) -> CallEvent:
    kind, json = event.kind, event.json
    return CallEvent(
        event.call_id,
        kind,  # type: ignore[arg-type]  # written by our own server
        datetime.fromtimestamp(event.at, UTC),
        event.contact_id,
        turn=codec.decode(Turn, json) if kind == "turn" else None,
        record=codec.decode(CallRecord, json) if kind == "ended" else None,
        suggestion=codec.decode(Suggestion, json) if kind == "suggestion" else None,
        takeover=codec.decode(TakeoverUpdate, json) if kind == "takeover" else None,
        delivery=Delivery(json.decode()) if kind == "delivery" else None,
    )
