"""How much a request may bring. What is larger is refused before it fills the memory, also of strangers."""

from __future__ import annotations

from collections.abc import MutableMapping
from contextlib import suppress
from typing import Any

from fastapi.responses import JSONResponse

from voicebot.console.auth.gate import App, Receive, Scope, Send
from voicebot.console.campaign_desk import LARGEST_UPLOAD

LARGEST_BODY = 16 << 20  # bytes: a large playbook, every hanzi of it escaped
_UPLOADS = "/_nicegui/"  # only from pages of who is signed in; its own limit is told there, in words
_AROUND = 1 << 20  # of a form around an uploaded file


class _TooLargeError(Exception):
    """The body grew beyond what may be read."""


class Sizes:
    """ASGI middleware: answers 413 to a body that is announced, or turns out, to be too large."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, as far as it may be read."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        most = LARGEST_UPLOAD + _AROUND if scope["path"].startswith(_UPLOADS) else LARGEST_BODY
        refusal = JSONResponse({"detail": f"the request is larger than {most >> 20} MiB", "hint": ""}, 413)
        if _announced(scope) > most:
            await refusal(scope, receive, send)
            return
        read, answered = 0, False

        async def bounded() -> MutableMapping[str, Any]:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > most:
                raise _TooLargeError
            return message

        async def told(message: MutableMapping[str, Any]) -> None:
            nonlocal answered
            if read <= most or answered:
                answered = True
                await send(message)

        # an application may also have taken it for a body that can not be read
        with suppress(_TooLargeError):
            await self._app(scope, bounded, told)
        if read > most and not answered:
            await refusal(scope, receive, send)


def _announced(scope: Scope) -> int:
    """Return the length that the request announces; 0 if none, or one that can not be read."""
    told = next((value for name, value in scope["headers"] if name.lower() == b"content-length"), b"")
    return int(told) if told.isdigit() else 0
