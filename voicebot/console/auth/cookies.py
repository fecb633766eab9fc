"""The cookies of the console: the session, the language before sign-in, the form's own secret."""

from __future__ import annotations

import hmac
import secrets
from http.cookies import CookieError, SimpleCookie

from fastapi import Request, Response

from voicebot.settings import Settings

SESSION = "voicebot_session"
LANGUAGE = "voicebot_language"
FORM = "voicebot_form"  # double submit, for forms before there is a session
YEAR_S = 365 * 24 * 3600


def secure(settings: Settings) -> bool:
    """Return whether browsers come by https."""
    return settings.console_url.startswith("https://")


def set_cookie(
    response: Response, settings: Settings, name: str, value: str, max_age_s: int | None = None
) -> None:
    """Set a cookie that scripts can not read and other sites can not send with a form."""
    response.set_cookie(
        name, value, max_age=max_age_s, httponly=True, samesite="lax", secure=secure(settings), path="/"
    )


def cookie(header: str, name: str) -> str:
    """Return a cookie of a Cookie header, "" if it is not there."""
    try:
        found = SimpleCookie(header).get(name)
    except CookieError:
        return ""
    return found.value if found else ""


def form_secret(request: Request) -> str:
    """Return the secret of this browser's forms; a new one if it has none."""
    return request.cookies.get(FORM) or secrets.token_urlsafe(24)


def form_is_ours(request: Request, sent: str) -> bool:
    """Return whether a form sent back the secret that our page put into it."""
    expected = request.cookies.get(FORM, "")
    return bool(expected) and hmac.compare_digest(expected, sent)
