"""The agents' desk over Postgres. Without a database nobody is free, and calls go on with the bot."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

import structlog

from voicebot import codec
from voicebot.domain.errors import VoicebotError
from voicebot.domain.people import Agent, Briefing
from voicebot.store.agents import AgentRepository
from voicebot.store.session import Database, time_of

log = structlog.get_logger()

T = TypeVar("T")


class PostgresDesk:
    """Implements AgentDesk."""

    def __init__(self, database: Database, worker: str) -> None:
        """Reserve in the name of a worker."""
        self._database = database
        self._worker = worker

    async def reserve(self, call_id: str, campaign_id: str, agent_id: str = "") -> Agent | None:
        """Reserve an agent; None = nobody is free, or nobody knows."""
        return await self._do(
            lambda agents, now: agents.reserve(
                call_id, self._worker, now, campaign_id=campaign_id, agent_id=agent_id
            ),
            None,
        )

    async def staffed(self, campaign_id: str) -> bool:
        """Return whether it makes sense to wait for an agent."""
        return await self._do(lambda agents, now: agents.staffed(now, campaign_id), False)

    async def show(self, agent: Agent, briefing: Briefing) -> None:
        """Put the briefing on the agent's screen."""
        screen = codec.plain(briefing)
        await self._do(lambda agents, _: agents.show(agent.id, briefing.call_id, screen), False)

    async def connected(self, agent: Agent, call_id: str) -> None:
        """The agent talks."""
        await self._do(lambda agents, now: agents.connect(agent.id, call_id, now), False)

    async def release(self, agent: Agent, call_id: str, *, missed: bool = False, away: bool = False) -> None:
        """The agent is free again; or away if the call was missed, or goes on where we do not see it."""
        await self._do(
            lambda agents, now: agents.release(agent.id, call_id, now, missed=missed, away=away), None
        )

    async def _do(self, work: Callable[[AgentRepository, datetime], T], otherwise: T) -> T:
        def run() -> T:
            with self._database.transaction() as session:
                return work(AgentRepository(session), time_of(session))

        try:
            return await asyncio.to_thread(run)
        except VoicebotError as error:
            log.warning("the agents' desk does not answer", error=str(error))
            return otherwise
