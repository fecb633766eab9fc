"""Whoever looks at a page: what they may do, in which language, and how their deeds are written down."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from nicegui import ui

from voicebot.console.house import House
from voicebot.console.problems import worded
from voicebot.console.words import known, said, section
from voicebot.domain.errors import VoicebotError
from voicebot.domain.users import Right, User, UserSession
from voicebot.store.audit import AuditRepository
from voicebot.store.session import Transaction
from voicebot.store.user_sessions import UserSessionRepository
from voicebot.store.users import UserRepository

T = TypeVar("T")
P = ParamSpec("P")


class ForbiddenError(VoicebotError):
    """You may not do this."""


class Visitor:
    """One page open in one browser of a user."""

    def __init__(self, house: House, session: UserSession, asked: Mapping[str, str]) -> None:
        """Take the session that the gate found, and what stands behind the ? of the address."""
        self.house = house
        self.session = session
        self.asked = asked

    @property
    def user(self) -> User:
        """Who it is."""
        return self.session.user

    def t(self, key: str, **values: object) -> str:
        """Return a text of words.yaml in the visitor's language."""
        return said(key, self.user.language, **values)

    def known(self, section: str, value: str) -> str:
        """Return the visitor's word for a value of the domain."""
        return known(section, value, self.user.language)

    def section(self, name: str) -> dict[str, str]:
        """Return value -> the visitor's word for a part of the domain."""
        return section(name, self.user.language)

    def worded(self, error: VoicebotError) -> tuple[str, str]:
        """Return what was wrong and what to do about it, in the visitor's language."""
        return worded(error, self.user.language)

    def may(self, right: Right) -> bool:
        """Return whether the page may offer something. `act` checks again when it is done."""
        return self.user.may(right)

    async def query(self, work: Callable[[Transaction], T]) -> T:
        """Read from the database."""
        return await self.house.query(work)

    async def act(
        self, right: Right | None, action: str, subject: str, work: Callable[[Transaction], T], **detail: Any
    ) -> T:
        """Do something in one transaction with its entry in the audit log.

        The page may have been open for hours: session and right are looked up anew.
        Raises ForbiddenError and what work raises.
        """

        def deed(session: Transaction) -> T:
            self._require(session, right)
            result = work(session)
            AuditRepository(session).add(self.user.name, action, subject, **detail)
            return result

        return await self.house.query(deed)

    async def require(self, right: Right) -> None:
        """Look session and right up anew, before a deed that writes its own audit entry.

        Raises ForbiddenError.
        """
        await self.house.query(lambda session: self._require(session, right))

    def _require(self, session: Transaction, right: Right | None) -> None:
        still = UserSessionRepository(session).by_id(self.session.id, datetime.now(UTC))
        if still is None:
            raise ForbiddenError("you are signed out", hint="sign in again")
        if right is not None and not still.user.may(right):
            raise ForbiddenError("your role lacks: {right}", hint="ask an administrator", right=right)

    async def still_signed_in(self) -> bool:
        """Return whether the session still holds."""
        now = datetime.now(UTC)
        found = await self.query(lambda session: UserSessionRepository(session).by_id(self.session.id, now))
        return found is not None

    async def set_own(self, **values: Any) -> None:
        """Change the visitor's own preferences: language, dark, display_name, extension."""
        await self.query(lambda session: UserRepository(session).change(self.user.id, **values))

    def guarded(self, handler: Callable[P, Awaitable[Any]]) -> Callable[P, Awaitable[None]]:
        """Return an event handler that shows errors as a notification instead of losing them."""

        @wraps(handler)
        async def safe(*args: P.args, **kwargs: P.kwargs) -> None:
            try:
                await handler(*args, **kwargs)
            except VoicebotError as error:
                what, mend = self.worded(error)
                ui.notify(f"{what}  {mend}".strip(), type="negative", multi_line=True, timeout=8000)

        return safe
