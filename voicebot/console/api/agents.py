"""Agents: ready or away, the call on their screen, the customers they look at before a call."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, HTTPException, Path, Request, Response

from voicebot.campaign import preview
from voicebot.console.api import agent_schemas as schemas
from voicebot.console.api.caller import Caller, needs
from voicebot.console.api.idempotency import Key, once
from voicebot.console.api.live import Done
from voicebot.console.api.schemas import FeedbackOut, Id
from voicebot.console.live import LiveCall
from voicebot.domain.call import Delivery
from voicebot.domain.errors import DataError
from voicebot.domain.people import Agent, Briefing, Suggestion
from voicebot.domain.users import Right
from voicebot.store.agents import AgentRepository
from voicebot.store.feedback import FeedbackRepository
from voicebot.store.session import Transaction, time_of
from voicebot.store.users import UserRepository

router = APIRouter(tags=["agents"])
Sees = Annotated[Caller, Depends(needs(Right.SEE_LIVE))]
Takes = Annotated[Caller, Depends(needs(Right.TAKE_CALLS))]
AgentId = Annotated[str, Path(max_length=100, pattern=r"^[^\x00]+$", description="name that signs in")]
ContactId = Annotated[Id, Path()]


@router.get("/agents")
async def list_agents(caller: Sees) -> schemas.AgentsOut:
    """List all agents by name, and what they do now."""
    now = await caller.query(time_of)
    found = await caller.query(lambda session: AgentRepository(session).all())
    return schemas.AgentsOut(items=[_agent(one, now) for one in found])


@router.put("/agents/{agent}")
async def set_presence(caller: Takes, agent: AgentId, presence: schemas.Presence) -> schemas.AgentOut:
    """Say that an agent is ready, or away. Ready holds for 45 seconds: repeat it while it is so."""
    _own(caller, agent)
    now = await caller.query(time_of)

    def enter(session: Transaction) -> tuple[Agent, bool]:
        known = UserRepository(session).named(agent)
        if known is None or known[0].name != agent or not known[0].may(Right.TAKE_CALLS):
            raise DataError("there is no agent {agent}", hint="add a user who may take calls", agent=agent)
        agents, user = AgentRepository(session), known[0]
        before = agents.get(agent)
        agents.save(agent, user.title, user.extension)
        if before is not None and before.available == presence.ready:
            agents.beat(agent, now)
        else:
            agents.set_available(agent, presence.ready, now)
        found = agents.get(agent)
        assert found is not None
        return found, before is None or before.available != found.available

    found, changed = await caller.query(enter)
    if changed:
        await caller.act(
            "agent_ready" if presence.ready else "agent_away", f"agent:{agent}", lambda session: None
        )
    return _agent(found, now)


@router.get("/agents/{agent}/call")
async def show_screen(caller: Takes, agent: AgentId) -> schemas.Screen:
    """Show what stands on an agent's screen. The first look may find nothing: then lines are watched."""
    _own(caller, agent)
    live = caller.house.live
    live.start()
    call = live.of_agent(agent)
    return schemas.Screen(call=_call(call) if call is not None else None)


@router.post("/agents/{agent}/call/{deed}")
async def conduct_call(caller: Takes, agent: AgentId, deed: Literal["hang-up", "speak", "suggest"]) -> Done:
    """End an agent's call, let the bot speak in it, or have it only suggest to the agent."""
    _own(caller, agent)
    live = caller.house.live
    call = live.of_agent(agent)
    line = live.line(call.call_id) if call is not None else None
    if call is None or line is None:
        raise HTTPException(404, f"{agent} has no call now")
    if deed == "hang-up":
        await caller.act("hang_up", f"call:{call.call_id}", lambda session: None)
        await line.hang_up(call.call_id)
    else:
        await caller.act("deliver", f"call:{call.call_id}", lambda session: None, delivery=deed)
        await line.deliver(call.call_id, Delivery(deed))
    return Done(call_id=call.call_id, asked=deed)


@router.post("/agents/{agent}/suggestions", status_code=201)
async def use_suggestion(caller: Takes, agent: AgentId, used: schemas.SuggestionUsed) -> FeedbackOut:
    """Say what an agent did with a suggestion: used, edited or dismissed it."""
    _own(caller, agent)
    now = datetime.now(UTC)

    def work(session: Transaction) -> FeedbackOut:
        feedback = FeedbackRepository(session)
        feedback.clicked(used.call_id, used.seq, used.script, used.use, agent, now, text=used.text)
        return FeedbackOut.of(feedback.of_call(used.call_id)[-1])

    return await caller.act("use_suggestion", f"call:{used.call_id}", work, use=used.use.value)


@router.post("/agents/{agent}/preview")
async def offer_customer(caller: Takes, agent: AgentId, wanted: schemas.NextCustomer) -> schemas.Offered:
    """Keep the next customer of a preview campaign for an agent. Asked again, it is the same one."""
    _own(caller, agent)
    house = caller.house
    now = await caller.query(time_of)
    found = await asyncio.to_thread(preview.offer, house.database, house.vault, wanted.campaign, agent, now)
    if found is None:
        return schemas.Offered(customer=None)
    calls = [
        schemas.EarlierCall(at=one.at, cause=one.cause, disposition=one.disposition) for one in found.calls
    ]
    customer = schemas.CustomerOut(
        contact_id=found.contact_id,
        campaign_id=found.campaign_id,
        campaign=found.campaign,
        number=found.number_masked,
        zone=found.zone,
        slots=dict(found.slots),
        attempts=found.attempts,
        calls=calls,
        until=found.until,
    )
    return schemas.Offered(customer=customer)


@router.post("/agents/{agent}/preview/{contact}/dial", response_model=schemas.Answered)
async def dial_customer(
    caller: Takes, request: Request, agent: AgentId, contact: ContactId, key: Key = ""
) -> schemas.Answered | Response:
    """Have the customer called who is kept for an agent: the agent's phone rings first."""
    _own(caller, agent)

    async def work() -> schemas.Answered:
        house, now = caller.house, await caller.query(time_of)
        await asyncio.to_thread(
            preview.dial, house.database, house.vault, contact, agent, now, actor=caller.name
        )
        return schemas.Answered(contact_id=contact, done="dial")

    return await once(caller, request, key, work, 200)


@router.post("/agents/{agent}/preview/{contact}/skip", response_model=schemas.Answered)
async def skip_customer(
    caller: Takes, request: Request, agent: AgentId, contact: ContactId, skip: schemas.Skip, key: Key = ""
) -> schemas.Answered | Response:
    """Pass by the customer who is kept for an agent; somebody is offered the customer again later."""
    _own(caller, agent)

    async def work() -> schemas.Answered:
        house, now = caller.house, await caller.query(time_of)
        await asyncio.to_thread(
            preview.skip, house.database, house.vault, contact, agent, now, skip.why, actor=caller.name
        )
        return schemas.Answered(contact_id=contact, done="skip")

    return await once(caller, request, key, work, 200)


def _own(caller: Caller, agent: str) -> None:
    """Let a program act for every agent, a browser for its own user alone."""
    if not caller.token_id and agent != caller.name:
        raise HTTPException(403, "a browser acts for its own user alone")


def _agent(agent: Agent, now: datetime) -> schemas.AgentOut:
    return schemas.AgentOut(
        id=agent.id,
        name=agent.name,
        phone=agent.uri,
        state=agent.state(now),
        call_id=agent.call_id,
        missed=agent.missed,
    )


def _call(call: LiveCall) -> schemas.AgentCallOut:
    return schemas.AgentCallOut(
        call_id=call.call_id,
        stage=call.stage.value if call.stage else "",
        delivery=call.delivery.value,
        briefing=_briefing(call.briefing) if call.briefing else None,
        lines=call.lines[-30:],
        suggestion=_suggestion(call.suggestion) if call.suggestion else None,
    )


def _briefing(briefing: Briefing) -> schemas.BriefingOut:
    return schemas.BriefingOut(
        reason=briefing.reason.value,
        summary=briefing.summary,
        emotion=briefing.emotion.value,
        facts=dict(briefing.facts),
        lines=briefing.lines,
    )


def _suggestion(suggestion: Suggestion) -> schemas.SuggestionOut:
    return schemas.SuggestionOut(
        seq=suggestion.seq,
        at=suggestion.at,
        customer_text=suggestion.customer_text,
        emotion=suggestion.emotion.label.value,
        situation=suggestion.situation.value,
        scripts=[
            schemas.SuggestedOut(
                script_id=one.script_id, text=one.text, probability=one.probability, reason=one.reason
            )
            for one in suggestion.scripts
        ],
        after_ms=suggestion.after_ms,
    )
