"""Headers that tell browsers what these pages may do. Nothing comes from elsewhere."""

from __future__ import annotations

import re
import secrets
from collections.abc import MutableMapping
from typing import Any

from voicebot.console.auth.gate import App, Receive, Scope, Send

_SCRIPT = re.compile(rb"<script(?=[\s>])")
_PLAIN = {
    b"x-content-type-options": b"nosniff",
    b"x-frame-options": b"DENY",
    b"referrer-policy": b"same-origin",
    b"cross-origin-opener-policy": b"same-origin",
    b"permissions-policy": b"camera=(), geolocation=(), payment=(), usb=(), microphone=(self)",
}


def policy(nonce: str) -> str:
    """Return the Content-Security-Policy of a page.

    Only scripts that we wrote into the page run. Vue compiles templates in the browser, which needs eval;
    Quasar sets style attributes.
    """
    return (
        f"default-src 'self'; script-src 'self' 'nonce-{nonce}' 'unsafe-eval'; "
        "style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data: blob:; media-src 'self' blob:; worker-src 'self' blob:; font-src 'self' data:; "
        "connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    )


class Shield:
    """ASGI middleware: sets the headers, and the nonce on the scripts of our own pages.

    Must see responses before they are compressed.
    """

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on and its answer back."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        nonce = secrets.token_urlsafe(16)
        start: MutableMapping[str, Any] = {}
        body = bytearray()

        async def guarded(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                _guard(message, scope["path"], nonce)
                if _is_page(message):
                    start.update(message)
                    return
            elif start and message["type"] == "http.response.body":
                body.extend(message.get("body", b""))
                if message.get("more_body"):
                    return
                page = _SCRIPT.sub(b'<script nonce="' + nonce.encode() + b'"', bytes(body))
                await send(_with_length(start, len(page)))
                await send({"type": "http.response.body", "body": page})
                return
            await send(message)

        await self._app(scope, receive, guarded)


def _guard(message: MutableMapping[str, Any], path: str, nonce: str) -> None:
    ours = dict(_PLAIN)
    ours[b"content-security-policy"] = policy(nonce).encode()
    if not path.startswith(("/_nicegui/", "/static/")):
        ours[b"cache-control"] = b"no-store"  # what one user sees is kept nowhere
    kept = [(name, value) for name, value in message.get("headers", []) if name.lower() not in ours]
    message["headers"] = [*kept, *ours.items()]


def _is_page(message: MutableMapping[str, Any]) -> bool:
    return any(
        name.lower() == b"content-type" and value.startswith(b"text/html")
        for name, value in message["headers"]
    )


def _with_length(message: MutableMapping[str, Any], length: int) -> MutableMapping[str, Any]:
    headers = [(name, value) for name, value in message["headers"] if name.lower() != b"content-length"]
    return {**message, "headers": [*headers, (b"content-length", str(length).encode())]}
