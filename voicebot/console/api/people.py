"""Users, tokens and the audit log."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Path, Query

from voicebot.console.api import schemas
from voicebot.console.api.caller import Caller, needs
from voicebot.console.api.people_schemas import (
    AuditEntryOut,
    AuditOut,
    NewToken,
    NewUser,
    SignInLink,
    TokenMade,
    TokenOut,
    TokensOut,
    UserChange,
    UserMade,
    UserOut,
    UsersOut,
)
from voicebot.console.auth.passwords import hash_password, random_password
from voicebot.domain.users import Right, User
from voicebot.store.api_tokens import ApiToken, ApiTokenRepository
from voicebot.store.audit import AuditEntry, AuditRepository
from voicebot.store.session import Transaction
from voicebot.store.user_sessions import UserSessionRepository
from voicebot.store.users import UserRepository

router = APIRouter(tags=["people"])
People = Annotated[Caller, Depends(needs(Right.MANAGE_PEOPLE))]
Tokens = Annotated[Caller, Depends(needs(Right.MANAGE_TOKENS))]
Audits = Annotated[Caller, Depends(needs(Right.SEE_AUDIT))]
RowId = Annotated[schemas.Id, Path()]
Text = Annotated[str, Query(max_length=200, pattern=r"^[^\x00]*$")]


@router.get("/users")
async def list_users(caller: People) -> UsersOut:
    """List all users by name."""
    found = await caller.query(lambda session: UserRepository(session).all())
    return UsersOut(items=[_user(one) for one in found])


@router.post("/users", status_code=201)
async def add_user(caller: People, new: NewUser) -> UserMade:
    """Add a user. The first password is told only now, and must be changed when it is used."""
    password = random_password()
    hashed = await asyncio.to_thread(hash_password, password)
    user = User("", new.name, new.role, new.display_name, extension=new.extension, must_change=True)
    made = await caller.act(
        "add_user", f"user:{user.name}", lambda session: UserRepository(session).add(user, hashed),
        role=new.role.value,
    )  # fmt: skip
    return UserMade(**_user(made).model_dump(), password=password)


@router.patch("/users/{user}")
async def change_user(caller: People, user: RowId, change: UserChange) -> UserOut:
    """Change a user. Who is disabled or gets another role is signed out."""
    values: dict[str, Any] = change.model_dump(exclude_unset=True, mode="json")
    changed = await caller.act(
        "change_user",
        f"user:{user}",
        lambda session: UserRepository(session).change(user, **values),
        **values,
    )
    return _user(changed)


@router.post("/users/{user}/password")
async def set_password(caller: People, user: RowId) -> UserMade:
    """Give a user another first password, told only now; it must be changed when it is used."""
    password = random_password()
    hashed = await asyncio.to_thread(hash_password, password)

    def work(session: Transaction) -> User:
        users = UserRepository(session)
        users.set_password(user, hashed, must_change=True)
        return users.get(user)

    changed = await caller.act("set_password", f"user:{user}", work)
    return UserMade(**_user(changed).model_dump(), password=password)


@router.post("/users/{user}/link")
async def make_link(caller: People, user: RowId) -> SignInLink:
    """Make a link that signs a user in once, within the hour. It is told only now."""
    now = datetime.now(UTC)

    def work(session: Transaction) -> str:
        return UserSessionRepository(session).link(UserRepository(session).get(user), now)

    return SignInLink(path=f"/login/once/{await caller.act('sign_in_link', f'user:{user}', work)}")


@router.get("/tokens")
async def list_tokens(caller: Tokens) -> TokensOut:
    """List all tokens, the newest first; never themselves."""
    found = await caller.query(lambda session: ApiTokenRepository(session).all())
    return TokensOut(items=[_token(one) for one in found])


@router.post("/tokens", status_code=201)
async def make_token(caller: Tokens, new: NewToken) -> TokenMade:
    """Make a token with rights that the caller has. It is told only now."""
    if more := sorted(scope.value for scope in new.scopes if scope not in caller.rights):
        raise HTTPException(403, f"you have not yourself: {', '.join(more)}")
    until = datetime.now(UTC) + timedelta(days=new.days) if new.days else None

    def work(session: Transaction) -> TokenMade:
        tokens = ApiTokenRepository(session)
        secret = tokens.make(new.name, new.scopes, caller.name, until)
        made = next(one for one in tokens.all() if one.name == new.name.strip())
        return TokenMade(**_token(made).model_dump(), token=secret)

    return await caller.act(
        "make_token", f"token:{new.name}", work, scopes=sorted(scope.value for scope in new.scopes)
    )


@router.delete("/tokens/{token}")
async def revoke_token(caller: Tokens, token: RowId) -> TokenOut:
    """Let a token in no more."""

    def work(session: Transaction) -> ApiToken:
        tokens = ApiTokenRepository(session)
        tokens.revoke(token, datetime.now(UTC))
        found = next((one for one in tokens.all() if one.id == token), None)
        if found is None:
            raise HTTPException(404, f"there is no token {token}")
        return found

    return _token(await caller.act("revoke_token", f"token:{token}", work))


@router.get("/audit")
async def list_audit(
    caller: Audits,
    actor: Text = "",
    action: Text = "",
    subject: Text = "",
    cursor: Annotated[int, Query(ge=0, le=2**62)] = 0,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> AuditOut:
    """List who did what, the newest first, a page at a time."""

    def work(session: Transaction) -> list[AuditEntry]:
        audit = AuditRepository(session)
        return list(audit.find(actor=actor, action=action, subject=subject, before=cursor, limit=limit + 1))

    found = await caller.query(work)
    items = [
        AuditEntryOut(
            id=one.id, at=one.at, actor=one.actor, action=one.action, subject=one.subject, detail=one.detail
        )
        for one in found[:limit]
    ]
    return AuditOut(items=items, next=items[-1].id if len(found) > limit else 0)


def _user(user: User) -> UserOut:
    return UserOut(
        id=user.id,
        name=user.name,
        display_name=user.display_name,
        role=user.role,
        disabled=user.disabled,
        extension=user.extension,
    )


def _token(token: ApiToken) -> TokenOut:
    return TokenOut(
        id=token.id,
        name=token.name,
        scopes=sorted(token.scopes),
        created_by=token.created_by,
        created_at=token.created_at,
        expires_at=token.expires_at,
        used_at=token.used_at,
        revoked=token.revoked,
    )
