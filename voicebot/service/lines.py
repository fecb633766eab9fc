"""The line workers, found by their heartbeats and reached over gRPC."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from voicebot.domain.call import CallRequest
from voicebot.rpc.line_client import LineClient


class Lines:
    """One connection a worker, kept. Belongs to one event loop."""

    def __init__(self) -> None:
        """Begin without connections."""
        self._clients: dict[str, LineClient] = {}

    def at(self, address: str) -> LineClient:
        """Return the worker at host:port."""
        if address not in self._clients:
            self._clients[address] = LineClient(address)
        return self._clients[address]

    async def originate(self, address: str, request: CallRequest) -> None:
        """Place a call through a worker. Raises CapacityError, TelephonyError."""
        await self.at(address).originate(request)

    async def hang_up(self, address: str, call_id: str) -> None:
        """End a call of a worker. Raises TelephonyError."""
        await self.at(address).hang_up(call_id)

    async def close(self) -> None:
        """End all connections."""
        with suppress(asyncio.CancelledError):
            await asyncio.gather(*(client.close() for client in self._clients.values()))
        self._clients.clear()
