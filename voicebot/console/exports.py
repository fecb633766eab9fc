"""Files of outcomes, made while they are sent. Numbers stay masked."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import UTC, datetime

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import StreamingResponse

from voicebot.console import filters
from voicebot.console.house import House
from voicebot.console.words import known, said
from voicebot.domain.errors import DataError
from voicebot.domain.users import Right, User
from voicebot.store.audit import AuditRepository
from voicebot.store.outcomes import CallOutcome, OutcomeFilter, OutcomeRepository
from voicebot.store.session import Transaction

COLUMNS = ("at", "campaign", "number", "disposition", "intent", "duration", "turns", "reasons")
BLOCK = 200  # rows a piece
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def exports(house: House) -> APIRouter:
    """Return the routes of files."""
    router = APIRouter(include_in_schema=False)

    @router.get("/outcomes.csv")
    async def outcomes(request: Request) -> StreamingResponse:
        """Send the outcomes of a filter as CSV, as spreadsheets read it."""
        user = request.state.session.user
        if not user.may(Right.EXPORT):
            raise HTTPException(403, "not allowed")
        try:
            wanted = filters.read(request.query_params, house.settings.console_zone)
        except DataError as error:
            raise HTTPException(400, str(error)) from None
        query = filters.written(request.query_params)

        def note(session: Transaction) -> None:
            AuditRepository(session).add(user.name, "export_outcomes", "outcomes", query=query)

        await house.query(note)
        name = f"outcomes-{datetime.now(UTC):%Y%m%d-%H%M%S}.csv"
        return StreamingResponse(
            _lines(house, user, wanted),
            media_type="text/csv; charset=utf-8",
            headers={"content-disposition": f'attachment; filename="{name}"'},
        )

    return router


def _lines(house: House, user: User, wanted: OutcomeFilter) -> Iterator[str]:
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    buffer.write("\ufeff")  # spreadsheets take it for GBK otherwise
    writer.writerow([*(said(f"outcomes.{column}", user.language) for column in COLUMNS), "id"])
    with house.database.transaction() as session:
        for count, outcome in enumerate(OutcomeRepository(session).find(wanted)):
            writer.writerow([safe(cell) for cell in _row(user, outcome)])
            if count % BLOCK == 0:
                yield buffer.getvalue()
                buffer.seek(0)
                buffer.truncate()
    yield buffer.getvalue()


def _row(user: User, outcome: CallOutcome) -> list[str]:
    return [
        outcome.at.isoformat(timespec="seconds"),
        outcome.campaign,
        outcome.number,
        known("disposition", outcome.disposition, user.language),
        outcome.intent_level,
        f"{outcome.duration_s:.1f}",
        str(outcome.turns),
        "；".join(outcome.reasons),
        outcome.call_id,
    ]


def safe(cell: str) -> str:
    """Return a cell that no spreadsheet takes for a formula."""
    return f"'{cell}" if cell.startswith(_FORMULA) else cell
