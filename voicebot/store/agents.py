"""Agents: who is there, who is free, who talks with whom.

An agent is reserved in one statement, with a lease: two calls never ring at the same phone, and a worker that
dies between reserving and ringing loses the agent only for the length of the lease.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, case, func, literal, or_, select, update
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.orm import Session

from voicebot.domain.errors import DataError
from voicebot.domain.people import PAGE_ALIVE, PUSH_ALIVE, Agent, AgentState
from voicebot.store.tables import AgentRow, WorkerRow
from voicebot.store.workers import fresh

LEASE = timedelta(seconds=60)  # of a reservation: ringing and briefing take less

_FREE: Mapping[str, Any] = {
    "call_id": "",
    "worker": "",
    "lease_until": None,
    "connected_at": None,
    "screen": {},
}


class AgentRepository:
    """Agents. Every method takes the moment (UTC) at which it happens."""

    def __init__(self, session: Session) -> None:
        self._session = session

    # -- what the agent does --

    def save(self, agent_id: str, name: str, uri: str, campaigns: tuple[str, ...] | None = None) -> None:
        """Write who an agent is and where the phone is; presence stays as it was.

        `campaigns` whose calls the agent takes, () = of all; None: as it was, of all for a new agent.
        """
        values: dict[str, object] = {"name": name, "uri": uri}
        if campaigns is not None:
            values["campaigns"] = list(campaigns)
        self._session.execute(
            insert(AgentRow)
            .values(id=agent_id, **{"campaigns": [], **values})
            .on_conflict_do_update(index_elements=[AgentRow.id], set_=values)
        )

    def set_available(self, agent_id: str, available: bool, now: datetime) -> None:
        """Switch ready on or off. Raises DataError if there is no such agent."""
        changed = self._session.scalars(
            update(AgentRow)
            .where(AgentRow.id == agent_id)
            .values(available=available, seen_at=now, idle_since=now, missed=0)
            .returning(AgentRow.id)
        ).all()
        if not changed:
            raise DataError("there is no agent {agent}", hint="save the agent's phone first", agent=agent_id)

    def beat(self, agent_id: str, now: datetime) -> None:
        """The agent's page is open."""
        self._session.execute(update(AgentRow).where(AgentRow.id == agent_id).values(seen_at=now))

    # -- what calls do --

    def reserve(
        self,
        call_id: str,
        worker: str,
        now: datetime,
        *,
        campaign_id: str = "",
        agent_id: str = "",
        lease: timedelta = LEASE,
    ) -> Agent | None:
        """Reserve the agent who has waited longest, or the one named; None = nobody is free.

        Args:
            call_id: for which call.
            worker: who reserves: a line worker or a dialer.
            now: UTC.
            campaign_id: only agents who take this campaign's calls.
            agent_id: only this agent.
            lease: how long the reservation holds unless it is renewed.
        """
        free = (
            select(AgentRow.id)
            .where(
                AgentRow.available,
                AgentRow.uri != "",
                _present(now),
                _unoccupied(now),
                _takes(campaign_id),
                *((AgentRow.id == agent_id,) if agent_id else ()),
            )
            .order_by(AgentRow.idle_since)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        row = self._session.scalars(
            update(AgentRow)
            .where(AgentRow.id == free.scalar_subquery())
            .values(call_id=call_id, worker=worker, lease_until=now + lease, connected_at=None, screen={})
            .returning(AgentRow)
            .execution_options(populate_existing=True)
        ).one_or_none()
        return _agent(row) if row is not None else None

    def renew(self, agent_id: str, call_id: str, worker: str, until: datetime) -> bool:
        """Prolong a reservation, which its new keeper may be another; False = it is lost."""
        return self._held(agent_id, call_id, {"worker": worker, "lease_until": until})

    def show(self, agent_id: str, call_id: str, screen: Mapping[str, Any]) -> bool:
        """Put the call's context on the agent's screen; False = the reservation is lost."""
        return self._held(agent_id, call_id, {"screen": dict(screen)})

    def connect(self, agent_id: str, call_id: str, now: datetime) -> bool:
        """The agent talks with the customer; False = the reservation is lost."""
        return self._held(agent_id, call_id, {"connected_at": now, "missed": 0})

    def release(
        self, agent_id: str, call_id: str, now: datetime, *, missed: bool = False, away: bool = False
    ) -> None:
        """The call is over for this agent. One who missed it, or is away, is not ready until switched on."""
        values: dict[str, Any] = {**_FREE, "idle_since": now}
        if away:
            values["available"] = False
        if missed:
            values |= {"available": False, "missed": AgentRow.missed + 1}
        self._held(agent_id, call_id, values)

    def sweep(self, now: datetime) -> int:
        """Free agents whose call was carried by a worker that is gone; return how many."""
        alive = select(WorkerRow.id).where(fresh(now))
        freed = self._session.scalars(
            update(AgentRow)
            .where(AgentRow.connected_at.is_not(None), AgentRow.worker.not_in(alive))
            .values(**_FREE, idle_since=now)
            .returning(AgentRow.id)
        ).all()
        return len(freed)

    # -- who is there --

    def get(self, agent_id: str) -> Agent | None:
        """Return one agent."""
        row = self._session.get(AgentRow, agent_id, populate_existing=True)
        return _agent(row) if row is not None else None

    def away(self, agent_id: str, now: datetime) -> bool:
        """Return whether an agent is not there, be it to wait for."""
        found = self.get(agent_id)
        return found is None or found.state(now) is AgentState.AWAY

    def screen(self, agent_id: str) -> Mapping[str, Any]:
        """Return what stands on the agent's screen: a Briefing as JSON, or nothing."""
        found = self._session.scalar(select(AgentRow.screen).where(AgentRow.id == agent_id))
        return found or {}

    def all(self) -> tuple[Agent, ...]:
        """Return every agent, by name."""
        return tuple(_agent(row) for row in self._session.scalars(select(AgentRow).order_by(AgentRow.name)))

    def ready(self, now: datetime, campaign_id: str = "") -> int:
        """Return how many agents could be reserved for a campaign now."""
        query = select(func.count()).where(
            AgentRow.available,
            AgentRow.uri != "",
            _present(now),
            _unoccupied(now),
            _takes(campaign_id),
        )
        return int(self._session.scalar(query) or 0)

    def staffed(self, now: datetime, campaign_id: str = "") -> bool:
        """Return whether anybody takes a campaign's calls at all, be it after a wait."""
        query = select(AgentRow.id).where(
            AgentRow.available,
            AgentRow.uri != "",
            _present(now),
            _takes(campaign_id),
        )
        return self._session.scalars(query.limit(1)).first() is not None

    def _held(self, agent_id: str, call_id: str, values: Mapping[str, Any]) -> bool:
        changed = self._session.scalars(
            update(AgentRow)
            .where(AgentRow.id == agent_id, AgentRow.call_id == call_id)
            .values(**values)
            .returning(AgentRow.id)
        ).all()
        return bool(changed)


def _takes(campaign_id: str) -> Any:
    return or_(AgentRow.campaigns == literal([], JSONB), AgentRow.campaigns.has_key(campaign_id))


def _present(now: datetime) -> Any:
    alive = case((AgentRow.notified, now - PUSH_ALIVE), else_=now - PAGE_ALIVE)
    return AgentRow.seen_at > alive


def _unoccupied(now: datetime) -> Any:
    lapsed = and_(AgentRow.connected_at.is_(None), AgentRow.lease_until < now)
    return or_(AgentRow.call_id == "", lapsed)


def _agent(row: AgentRow) -> Agent:
    return Agent(
        row.id,
        row.name,
        row.uri,
        row.available,
        tuple(row.campaigns),
        row.seen_at,
        row.call_id,
        row.worker,
        row.lease_until,
        row.connected_at,
        row.missed,
        row.notified,
    )
