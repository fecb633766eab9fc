"""Playbooks."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Path

from voicebot.console.api import schemas
from voicebot.console.api.caller import Caller, needs
from voicebot.console.playbook_desk import checked, saved, text_of
from voicebot.domain.errors import PlaybookError
from voicebot.domain.script import Playbook
from voicebot.domain.users import Right
from voicebot.store.playbooks import PlaybookRepository

router = APIRouter(tags=["playbooks"])
Sees = Annotated[Caller, Depends(needs(Right.SEE_PLAYBOOKS))]
Edits = Annotated[Caller, Depends(needs(Right.EDIT_PLAYBOOKS))]
PlaybookId = Annotated[str, Path(max_length=100, pattern=r"^[A-Za-z0-9_-]+$")]


@router.get("/playbooks")
async def list_playbooks(caller: Sees) -> schemas.PlaybooksOut:
    """List the installed playbooks."""
    source = caller.house.playbooks

    def work() -> list[schemas.PlaybookOut]:
        return [_out(source.get(name)) for name in source.ids()]

    return schemas.PlaybooksOut(items=await asyncio.to_thread(work))


@router.get("/playbooks/{playbook}")
async def show_playbook(caller: Sees, playbook: PlaybookId) -> schemas.PlaybookText:
    """Give a playbook's YAML."""
    return schemas.PlaybookText(yaml=await asyncio.to_thread(text_of, caller.house, playbook))


@router.post("/playbooks/check")
async def check_playbook(caller: Sees, text: schemas.PlaybookText) -> schemas.Checked:
    """Say every mistake of a playbook, without saving it."""
    try:
        found = await asyncio.to_thread(checked, text.yaml)
    except PlaybookError as error:
        return schemas.Checked(ok=False, detail=error.detail, hint=error.hint)
    return schemas.Checked(ok=True, detail=f"{found.id} {found.version}")


@router.put("/playbooks/{playbook}")
async def save_playbook(
    caller: Edits, playbook: PlaybookId, text: schemas.PlaybookText
) -> schemas.PlaybookOut:
    """Save a playbook after a check. Running calls go on with the version they began with."""
    done = await asyncio.to_thread(saved, caller.house, playbook, text.yaml)
    await caller.act(
        "save_playbook",
        f"playbook:{playbook}",
        lambda session: PlaybookRepository(session).keep(playbook, done.version, text.yaml),
        version=done.version,
    )
    return _out(done)


@router.get("/playbooks/{playbook}/versions")
async def list_versions(caller: Sees, playbook: PlaybookId) -> schemas.VersionsOut:
    """List the versions that a playbook had, the newest first."""
    found = await caller.query(lambda session: PlaybookRepository(session).versions(playbook))
    return schemas.VersionsOut(items=[schemas.VersionOut(version=one.version, at=one.at) for one in found])


@router.get("/playbooks/{playbook}/versions/{version}")
async def show_version(
    caller: Sees,
    playbook: PlaybookId,
    version: Annotated[str, Path(max_length=100, pattern=r"^[A-Za-z0-9_.-]+$")],
) -> schemas.PlaybookText:
    """Give the YAML of an earlier version; to take it back, save it."""
    found = await caller.query(lambda session: PlaybookRepository(session).text(playbook, version))
    if not found:
        raise HTTPException(404, f"there is no text of {playbook} {version}")
    return schemas.PlaybookText(yaml=found)


def _out(playbook: Playbook) -> schemas.PlaybookOut:
    return schemas.PlaybookOut(
        id=playbook.id,
        version=playbook.version,
        title=playbook.title,
        company=playbook.company,
        product=playbook.product,
        scenes=len(playbook.scenes),
        scripts=len(playbook.scripts),
    )
