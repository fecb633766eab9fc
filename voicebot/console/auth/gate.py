"""The gate before everything: who is it, does the request come from our own pages, is it meant for us."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlsplit

from fastapi.responses import JSONResponse, RedirectResponse, Response

from voicebot.console.auth.cookies import SESSION, cookie
from voicebot.console.house import House
from voicebot.domain.users import UserSession
from voicebot.store.user_sessions import UserSessionRepository

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
WITHOUT_SESSION = ("/login", "/static/", "/health", "/api/", "/favicon.ico")  # /api/ asks for itself
NICEGUI_FILES = "/_nicegui/"
LOOPBACK = ("127.0.0.1", "localhost", "::1")


class Gate:
    """ASGI middleware. Puts the session into the request's state."""

    def __init__(self, app: App, house: House) -> None:
        self._app = app
        self._house = house
        bound = house.settings.console_bind
        self._hosts: set[str] | None = {*LOOPBACK, bound}
        if house.settings.console_url:
            self._hosts.add(urlsplit(house.settings.console_url).hostname or "")
        elif bound not in LOOPBACK:
            self._hosts = None  # reached by names that we do not know

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request pass, or answer it."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = {name.decode("latin1"): value.decode("latin1") for name, value in scope["headers"]}
        state = scope.setdefault("state", {})
        token = "" if _is_file(scope["path"]) else cookie(headers.get("cookie", ""), SESSION)
        state["session"] = session = await self._session(token)
        refusal = self._refusal(scope, headers, session)
        if refusal is None:
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await refusal(scope, receive, send)
        else:
            await receive()
            await send({"type": "websocket.close", "code": 4403, "reason": "sign in first"})

    def _refusal(self, scope: Scope, headers: dict[str, str], session: UserSession | None) -> Response | None:
        path, host = scope["path"], headers.get("host", "")
        if self._hosts is not None and (urlsplit(f"//{host}").hostname or "") not in self._hosts:
            return JSONResponse({"detail": f"this console is not called {host[:100]}"}, 421)
        if (scope["type"] == "websocket" or scope["method"] not in SAFE_METHODS) and not _same_origin(
            headers.get("origin"), host
        ):
            return JSONResponse({"detail": "the request comes from another site"}, 403)
        if session is not None or path.startswith(WITHOUT_SESSION):
            return None
        reading = scope["type"] == "http" and scope["method"] in SAFE_METHODS
        if reading and _is_file(path):
            return None
        if reading and "text/html" in headers.get("accept", ""):
            target = quote(path + ("?" + scope["query_string"].decode() if scope["query_string"] else ""))
            return RedirectResponse(f"/login?next={target}", 303)
        return JSONResponse({"detail": "sign in first"}, 401)

    async def _session(self, token: str) -> UserSession | None:
        if not token:
            return None
        now = datetime.now(UTC)
        return await self._house.query(lambda session: UserSessionRepository(session).find(token, now))


def _is_file(path: str) -> bool:
    # Files of the packages, the same for everybody. Uploads go to /_nicegui/client/….
    return path.startswith("/static/") or (path.startswith(NICEGUI_FILES) and "/client/" not in path)


def _same_origin(origin: str | None, host: str) -> bool:
    # Programs send no Origin; browsers send one with every unsafe request and every websocket.
    return origin is None or urlsplit(origin).netloc.lower() == host.lower()
