"""A program of another system that calls the REST API: its token, and a campaign as it sends one."""

from __future__ import annotations

from datetime import datetime

from voicebot.domain.users import Right
from voicebot.store.api_tokens import ApiTokenRepository
from voicebot.store.session import Database

NOBODY = "00000000-0000-0000-0000-000000000000"


def token(
    database: Database, *scopes: Right, name: str = "test", expires: datetime | None = None
) -> dict[str, str]:
    """The headers of a new token."""
    with database.transaction() as session:
        made = ApiTokenRepository(session).make(name, scopes, "admin", expires)
    return {"Authorization": f"Bearer {made}"}


def campaign(name: str = "spring") -> dict[str, str]:
    """A campaign as a program sends it."""
    return {
        "name": name, "playbook": "consumer_loan", "policy": "CN", "trunk": "sip:{number}@sbc.example.com",
    }  # fmt: skip
