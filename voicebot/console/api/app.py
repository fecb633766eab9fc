"""The REST API put together, with its OpenAPI document at /api/v1/openapi.json."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

import voicebot
from voicebot.console.api import (
    agents,
    calls,
    campaigns,
    do_not_call,
    figures,
    learning,
    live,
    people,
    playbooks,
    rehearsals,
    webhooks,
)
from voicebot.console.api.schemas import Problem
from voicebot.console.house import House
from voicebot.console.sizes import Sizes
from voicebot.domain.errors import CampaignError, CapacityError, StoreError, VoicebotError

PATH = "/api/v1"
_RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem, "description": words}
    for status, words in {
        400: "the request can not be read",
        401: "no token, or one that does not hold",
        403: "the token has not the right",
        404: "there is no such thing",
        409: "it does not stand so that this can be done",
        413: "it is too large",
        422: "a value is not as it should be",
        503: "the database is away",
    }.items()
}
_STATUSES: Mapping[type[VoicebotError], int] = {StoreError: 503, CapacityError: 503, CampaignError: 409}


def api(house: House) -> FastAPI:
    """Return the API as an application to be mounted at PATH."""
    app = FastAPI(
        title="voicebot",
        version=voicebot.__version__,
        description="Campaigns, contacts, outcomes, calls, agents, feedback, playbooks, learning, webhooks. "
        "Every request carries a token made in the console: `Authorization: Bearer vb_…`.",
        docs_url=None,
        redoc_url=None,
        responses=_RESPONSES,
    )
    app.state.house = house
    app.add_middleware(Sizes)
    for part in (
        campaigns,
        rehearsals,
        calls,
        live,
        agents,
        figures,
        do_not_call,
        playbooks,
        learning,
        people,
        webhooks,
    ):
        app.include_router(part.router)

    @app.exception_handler(VoicebotError)
    async def known(request: Request, error: VoicebotError) -> JSONResponse:
        missing = error.detail.startswith(("there is no", "no call"))
        status = (
            404
            if missing
            else next((code for kind, code in _STATUSES.items() if isinstance(error, kind)), 422)
        )
        return JSONResponse({"detail": str(error), "hint": error.hint}, status)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        return JSONResponse({"detail": f"{place}: {first['msg']}", "hint": ""}, 422)

    return app
