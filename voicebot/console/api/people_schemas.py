"""What the API takes and gives about users, tokens and the audit log."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, Field

from voicebot.console.api.schemas import Given, Line
from voicebot.domain.users import Right, Role

Sip = Annotated[Line, Field(max_length=200, description="SIP URI of an agent's phone")]


class NewUser(Given):
    """Somebody who may sign in."""

    name: Line = Field(min_length=1, max_length=100, description="what is typed to sign in")
    role: Role
    display_name: Line = Field("", max_length=100)
    extension: Sip = ""


class UserChange(Given):
    """What is to be changed; what is left out stays."""

    role: Role = Role.AGENT
    display_name: Line = Field("", max_length=100)
    extension: Sip = ""
    disabled: bool = False


class UserOut(BaseModel):
    """A user."""

    id: str
    name: str
    display_name: str
    role: Role
    disabled: bool
    extension: str


class UserMade(UserOut):
    """A user who was added just now."""

    password: str = Field(description="the first one; not told again")


class SignInLink(BaseModel):
    """A link that signs somebody in once."""

    path: str = Field(description="below the console's address; not told again")


class UsersOut(BaseModel):
    """All users."""

    items: list[UserOut]


class NewToken(Given):
    """A token for a program."""

    name: Line = Field(min_length=1, max_length=100, description="what it is for")
    scopes: list[Right] = Field(min_length=1, max_length=len(Right))
    days: int = Field(90, ge=0, le=3650, description="it holds; 0 = for ever")


class TokenOut(BaseModel):
    """A token as it may be shown."""

    id: str
    name: str
    scopes: list[Right]
    created_by: str
    created_at: datetime
    expires_at: datetime | None
    used_at: datetime | None
    revoked: bool


class TokenMade(TokenOut):
    """A token that was made just now."""

    token: str = Field(description="not told again")


class TokensOut(BaseModel):
    """All tokens."""

    items: list[TokenOut]


class AuditEntryOut(BaseModel):
    """One thing that somebody did."""

    id: int
    at: datetime
    actor: str
    action: str
    subject: str
    detail: dict[str, Any]


class AuditOut(BaseModel):
    """A page of the audit log."""

    items: list[AuditEntryOut]
    next: int = Field(description="cursor of the next page; 0 = this was the last")
