"""Who calls the API: a token of a program, or a signed-in user's browser."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, TypeVar

from fastapi import HTTPException, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from voicebot.console.auth.gate import SAFE_METHODS
from voicebot.console.house import House
from voicebot.domain.users import Right
from voicebot.store.api_tokens import ApiTokenRepository
from voicebot.store.audit import AuditRepository
from voicebot.store.session import Transaction

T = TypeVar("T")
bearer = HTTPBearer(auto_error=False, description="A token, made on the console's page for tokens.")


@dataclass(frozen=True, slots=True)
class Caller:
    """A caller with one right at least: the one that the route asks for."""

    house: House
    name: str  # "token:NAME", or a user's name
    token_id: str  # "" = a browser
    rights: frozenset[Right]

    async def query(self, work: Callable[[Transaction], T]) -> T:
        """Read from the database."""
        return await self.house.query(work)

    async def act(self, action: str, subject: str, work: Callable[[Transaction], T], **detail: object) -> T:
        """Do something in one transaction with its entry in the audit log."""

        def deed(session: Transaction) -> T:
            result = work(session)
            AuditRepository(session).add(self.name, action, subject, **detail)
            return result

        return await self.house.query(deed)


async def _caller(request: Request, credentials: HTTPAuthorizationCredentials | None) -> Caller:
    house: House = request.app.state.house
    if credentials is not None:
        now = datetime.now(UTC)
        secret = credentials.credentials
        token = await house.query(lambda session: ApiTokenRepository(session).find(secret, now))
        if token is None:
            raise HTTPException(401, "the token does not hold", {"WWW-Authenticate": "Bearer"})
        return Caller(house, f"token:{token.name}", token.id, token.scopes)
    session = getattr(request.state, "session", None)
    if session is None:
        raise HTTPException(401, "send a token: Authorization: Bearer …", {"WWW-Authenticate": "Bearer"})
    sent = request.headers.get("x-csrf-token", "")
    if request.method not in SAFE_METHODS and not hmac.compare_digest(sent, session.csrf):
        raise HTTPException(403, "a browser must send X-CSRF-Token")
    rights = frozenset(right for right in Right if session.user.may(right))
    return Caller(house, session.user.name, "", rights)


def needs(right: Right) -> Callable[..., Awaitable[Caller]]:
    """Return the dependency of a route that asks for a right."""

    async def allowed(
        request: Request,
        credentials: Annotated[HTTPAuthorizationCredentials | None, Security(bearer)],
    ) -> Caller:
        caller = await _caller(request, credentials)
        if right not in caller.rights:
            raise HTTPException(403, f"this needs the right {right.value}")
        return caller

    return allowed
