"""Signing in and out: a plain form, a link that works once."""

from __future__ import annotations

import html
from datetime import UTC, datetime
from pathlib import Path
from string import Template
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Form, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse, RedirectResponse

from voicebot.console.auth import passwords, throttle
from voicebot.console.auth.cookies import (
    FORM,
    LANGUAGE,
    SESSION,
    YEAR_S,
    form_is_ours,
    form_secret,
    set_cookie,
)
from voicebot.console.house import House
from voicebot.console.words import LANGUAGES, said
from voicebot.domain.users import User
from voicebot.store.audit import AuditRepository
from voicebot.store.session import Transaction
from voicebot.store.user_sessions import LONGEST, UserSessionRepository
from voicebot.store.users import UserRepository

_PAGE = Template((Path(__file__).with_name("login.html")).read_text("utf-8"))


class SignIn:
    """The routes around signing in."""

    def __init__(self, house: House) -> None:
        """Take the house."""
        self._house = house
        self.router = APIRouter(include_in_schema=False)
        self.router.get("/login")(self.form)
        self.router.post("/login")(self.password)
        self.router.get("/login/language/{language}")(self.language)
        self.router.get("/login/once/{token}")(self.link_form)
        self.router.post("/login/once/{token}")(self.link)
        self.router.post("/logout")(self.logout)

    async def form(self, request: Request, next: str = "/", problem: str = "") -> Response:
        """Show the form."""
        if request.state.session is not None:
            return RedirectResponse(local(next), 303)
        return self._page(request, next, problem if problem in _PROVIDER_PROBLEMS else "")

    async def password(
        self,
        request: Request,
        name: Annotated[str, Form(max_length=200)],
        password: Annotated[str, Form(max_length=1000)],
        form: Annotated[str, Form(max_length=200)] = "",
        next: Annotated[str, Form(max_length=2000)] = "/",
    ) -> Response:
        """Sign in by name and password."""
        if not form_is_ours(request, form):
            return self._page(request, next, "form_expired", 403)
        address = request.client.host if request.client else ""
        now = datetime.now(UTC)
        problem, user = await run_in_threadpool(self._check, name, password, address, now)
        if user is None:
            return self._page(request, next, problem, 429 if problem == "too_many_tries" else 401)
        return await self.enter(request, user, next, "password")

    def _check(self, name: str, password: str, address: str, now: datetime) -> tuple[str, User | None]:
        keys = throttle.keys(name, address)

        def failures(session: Transaction) -> bool:
            found = UserSessionRepository(session)
            since = throttle.counted_since(now)
            return throttle.locked(*(found.failures(key, since) for key in keys))

        if self._house.query_here(failures):
            return "too_many_tries", None
        known = self._house.query_here(lambda session: UserRepository(session).named(name))
        right = passwords.fits(password, known[1] if known else "")

        def note(session: Transaction) -> None:
            if right:
                UserSessionRepository(session).forget_failures(keys[0], throttle.counted_since(now))
            else:
                UserSessionRepository(session).failed(keys, now)
                if known:
                    AuditRepository(session).add(known[0].name, "sign_in_failed", f"user:{known[0].id}")

        self._house.query_here(note)
        if not right or known is None or known[0].disabled:
            return "wrong_password", None
        return "", known[0]

    async def enter(self, request: Request, user: User, target: str, by: str) -> Response:
        """Begin a session of a user whose identity is proven, and go on to a page."""
        address = request.client.host if request.client else ""
        now = datetime.now(UTC)

        def begin(session: Transaction) -> str:
            AuditRepository(session).add(user.name, "sign_in", f"user:{user.id}", by=by)
            browser = request.headers.get("user-agent", "")
            return UserSessionRepository(session).begin(user, address, browser, now)

        token = await self._house.query(begin)
        answer = RedirectResponse("/account" if user.must_change else local(target), 303)
        set_cookie(answer, self._house.settings, SESSION, token, int(LONGEST.total_seconds()))
        return answer

    async def language(self, language: str) -> Response:
        """Choose the language before anybody has signed in."""
        answer = RedirectResponse("/login", 303)
        if language in LANGUAGES:
            set_cookie(answer, self._house.settings, LANGUAGE, language, YEAR_S)
        return answer

    async def link_form(self, request: Request, token: str) -> Response:
        """Ask before a link is used up: mail programs look at links by themselves."""
        return self._page(request, "/", once=token)

    async def link(
        self, request: Request, token: str, form: Annotated[str, Form(max_length=200)] = ""
    ) -> Response:
        """Sign in by a link that works once."""
        if not form_is_ours(request, form):
            return self._page(request, "/", "form_expired", 403, once=token)
        now = datetime.now(UTC)
        user = await self._house.query(lambda session: UserSessionRepository(session).redeem(token, now))
        if user is None:
            return self._page(request, "/", "link_used", 401)
        return await self.enter(request, user, "/", "link")

    async def logout(self, request: Request) -> Response:
        """Sign this browser out."""
        token = request.cookies.get(SESSION, "")
        await self._house.query(lambda session: UserSessionRepository(session).end(token))
        answer = RedirectResponse("/login", 303)
        answer.delete_cookie(SESSION, path="/")
        return answer

    def _page(
        self, request: Request, target: str, problem: str = "", status: int = 200, once: str = ""
    ) -> Response:
        language = request.cookies.get(LANGUAGE, "")
        if language not in LANGUAGES:
            language = "en" if request.headers.get("accept-language", "zh").lower().startswith("en") else "zh"
        secret = form_secret(request)
        words = {key: html.escape(said(f"login.{key}", language)) for key in _LOGIN_WORDS}
        body = _PAGE.substitute(
            words,
            language=language,
            other="en" if language == "zh" else "zh",
            other_name="English" if language == "zh" else "中文",
            action=f"/login/once/{html.escape(once)}" if once else "/login",
            form=html.escape(secret),
            next=html.escape(local(target)),
            problem=_problem(problem, language),
            fields="hidden" if once else "",
            disabled="disabled" if once else "",
            provider_hidden="" if self._house.settings.oidc_issuer and not once else "hidden",
        )
        answer = HTMLResponse(body, status)
        set_cookie(answer, self._house.settings, FORM, secret)
        return answer


def _problem(key: str, language: str) -> str:
    words = html.escape(said(f"login.{key}", language)) if key else ""
    return f'<p class="problem" role="alert">{words}</p>' if words else ""


_PROVIDER_PROBLEMS = ("provider_refused", "provider_failed")
_LOGIN_WORDS = ("title", "name", "password", "enter", "provider")


def local(target: str) -> str:
    """Return a path of this console, whatever was asked for."""
    parts = urlsplit(target)
    ours = not parts.scheme and not parts.netloc and target.startswith("/") and "\\" not in target
    return target if ours and not target.startswith("//") else "/"
