"""Requests that may be repeated: the same Idempotency-Key gets the same answer, and is done once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Annotated, TypeVar

from fastapi import Header, HTTPException, Request, Response
from pydantic import BaseModel

from voicebot.console.api.caller import Caller
from voicebot.store.api_tokens import Answer, AnswerRepository
from voicebot.store.session import Transaction

M = TypeVar("M", bound=BaseModel)
Key = Annotated[
    str,
    Header(
        alias="Idempotency-Key",
        max_length=200,
        pattern=r"^[\x21-\x7e]*$",
        description="any text of your own; repeated within a day, it gets the same answer and is done once",
    ),
]


async def once(
    caller: Caller, request: Request, key: str, work: Callable[[], Awaitable[M]], status: int = 201
) -> M | Response:
    """Do something once for a key, or give the earlier answer."""
    if not key or not caller.token_id:
        return await work()
    body = f"{request.method} {request.url.path}\n".encode() + await request.body()
    now = datetime.now(UTC)

    def claim(session: Transaction) -> Answer | None:
        return AnswerRepository(session, caller.token_id).claim(key, body, now)

    before = await caller.query(claim)
    if before is not None:
        if not before.same_request:
            raise HTTPException(422, "this Idempotency-Key was used for another request")
        if before.status is None:
            raise HTTPException(409, "the first request with this Idempotency-Key is still being worked on")
        return Response(
            before.body,
            before.status,
            media_type="application/json",
            headers={"idempotency-replayed": "true"},
        )
    try:
        result = await work()
    except BaseException:
        await caller.query(lambda session: AnswerRepository(session, caller.token_id).forget(key))
        raise
    text = result.model_dump_json()
    await caller.query(lambda session: AnswerRepository(session, caller.token_id).finish(key, status, text))
    return result
