"""Recordings for who may hear them: a guarded route with byte ranges, so that players can jump."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import FileResponse

from voicebot.console.house import House
from voicebot.domain.errors import DataError
from voicebot.domain.users import Right
from voicebot.store.audit import AuditRepository
from voicebot.store.outcomes import OutcomeRepository
from voicebot.store.session import Transaction


def recordings(house: House) -> APIRouter:
    """Return the route of recordings."""
    router = APIRouter(include_in_schema=False)

    @router.get("/recordings/{call_id}.wav")
    async def recording(request: Request, call_id: str) -> FileResponse:
        """Send a call's stereo recording: customer left, bot right. Each hearing is logged once."""
        user = request.state.session.user
        if not user.may(Right.HEAR_CALLS):
            raise HTTPException(403, "not allowed")
        first = request.headers.get("range", "bytes=0-").startswith("bytes=0-")

        def find(session: Transaction) -> str:
            key = OutcomeRepository(session).recording(call_id)
            if key and first:
                AuditRepository(session).add(user.name, "hear_recording", f"call:{call_id}")
            return key

        try:
            path = recording_file(house, await house.query(find))
        except DataError as error:
            raise HTTPException(404, str(error)) from None
        return FileResponse(path, media_type="audio/wav")

    return router


def recording_file(house: House, key: str) -> Path:
    """Return the file of a recording. Raises DataError if there is none."""
    folder = (house.settings.home / "recordings").resolve()
    path = (folder / key).resolve() if key else folder
    if not path.is_relative_to(folder) or not path.is_file():
        raise DataError(
            "this call has no recording", hint="it was not recorded, or its time to be kept is over"
        )
    return path
