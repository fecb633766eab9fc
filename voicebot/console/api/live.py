"""Calls that run now, and what a supervisor does with them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, HTTPException, Path, Query
from pydantic import BaseModel, Field

from voicebot.console.api import schemas
from voicebot.console.api.agent_schemas import Whisper
from voicebot.console.api.caller import Caller, needs
from voicebot.console.live import LiveCall
from voicebot.domain.users import Right
from voicebot.rpc.line_client import LineClient

router = APIRouter(tags=["live"])
Sees = Annotated[Caller, Depends(needs(Right.SEE_LIVE))]
Controls = Annotated[Caller, Depends(needs(Right.CONTROL_CALLS))]
RunningCall = Annotated[schemas.Id, Path()]


class LiveCallOut(BaseModel):
    """A running call."""

    call_id: str
    since: datetime
    state: str = Field(description="dialling, ringing, answered")
    delivery: str = Field(description="speak: the bot talks; suggest: a person")
    agent: str = Field(description="who talks, if a person does")
    emotion: str = Field(description="of the customer's last words; empty = none yet")
    lines: list[tuple[str, str]] = Field(description="who (customer, bot, agent) and what, the newest last")


class LiveOut(BaseModel):
    """All calls that run now, the oldest first."""

    items: list[LiveCallOut]


class Done(BaseModel):
    """What was asked for was told to the line; the call's events tell how it went."""

    call_id: str
    asked: str


@router.get("/live")
async def list_live(caller: Sees) -> LiveOut:
    """List all calls that run now. The first look may find none: the lines are watched from then on."""
    live = caller.house.live
    live.start()
    calls = sorted(live.calls.values(), key=lambda call: call.since)
    return LiveOut(items=[_out(call) for call in calls])


@router.post("/live/{call}/whisper")
async def whisper(caller: Controls, call: RunningCall, whisper: Whisper) -> Done:
    """Let a supervisor's phone join a call that an agent conducts: it hears both, only the agent hears it."""
    line = _line(caller, call)
    await caller.act("whisper", f"call:{call}", lambda session: None)
    await line.whisper(call, whisper.phone)
    return Done(call_id=call, asked="whisper")


@router.post("/live/{call}/{deed}")
async def control_call(
    caller: Controls,
    call: RunningCall,
    deed: Literal["hang-up", "take-over"],
    agent: Annotated[str, Query(max_length=100, pattern=r"^[^\x00]*$", description="who takes over")] = "",
) -> Done:
    """End a running call, or hand it to the agent named, or to any who is ready."""
    line = _line(caller, call)
    await caller.act(deed.replace("-", "_"), f"call:{call}", lambda session: None, agent=agent)
    await (line.hang_up(call) if deed == "hang-up" else line.take_over(call, agent))
    return Done(call_id=call, asked=deed)


def _line(caller: Caller, call: str) -> LineClient:
    line = caller.house.live.line(call)
    if line is None:
        raise HTTPException(404, f"there is no running call {call}")
    return line


def _out(call: LiveCall) -> LiveCallOut:
    return LiveCallOut(
        call_id=call.call_id,
        since=call.since,
        state=call.state,
        delivery=call.delivery.value,
        agent=call.agent_id,
        emotion=call.turn.understanding.emotion.label.value if call.turn else "",
        lines=call.lines[-10:],
    )
