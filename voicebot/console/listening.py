"""Listening in: a running call's sound for the browser, over a websocket that knows who listens."""

from __future__ import annotations

from contextlib import suppress

from fastapi import APIRouter, WebSocket, WebSocketDisconnect

from voicebot.console.house import House
from voicebot.domain.errors import VoicebotError
from voicebot.domain.users import Right
from voicebot.store.audit import AuditRepository


def listening(house: House) -> APIRouter:
    """Return the route. Each message is 16-bit little-endian 8 kHz stereo: customer left, ours right."""
    router = APIRouter()

    @router.websocket("/live/{call_id}/sound")
    async def sound(socket: WebSocket, call_id: str) -> None:
        """Send a call's sound until it ends or the listener goes."""
        user = socket.state.session.user
        line = house.live.line(call_id)
        if not user.may(Right.CONTROL_CALLS) or line is None:
            await socket.close(4403 if line is not None else 4404)
            return
        await house.query(
            lambda session: AuditRepository(session).add(user.name, "listen_in", f"call:{call_id}")
        )
        await socket.accept()
        with suppress(VoicebotError, WebSocketDisconnect, RuntimeError):
            async for heard in line.listen(call_id):
                await socket.send_bytes(stereo(heard.customer, heard.ours))
        with suppress(RuntimeError):
            await socket.close()

    return router


def stereo(left: bytes, right: bytes) -> bytes:
    """Return two mono stretches of equal length as one of two channels."""
    both = bytearray(len(left) * 2)
    both[0::4], both[1::4] = left[0::2], left[1::2]
    both[2::4], both[3::4] = right[0::2], right[1::2]
    return bytes(both)
