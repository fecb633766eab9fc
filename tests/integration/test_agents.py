"""Agents are reserved once, for as long as they are there, and freed whatever becomes of the worker."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from voicebot.domain.errors import DataError
from voicebot.domain.ids import uuid7
from voicebot.domain.people import AgentState, FeedbackOrigin, Grade, SuggestionUse
from voicebot.store.agents import AgentRepository
from voicebot.store.feedback import FeedbackRepository
from voicebot.store.session import Database
from voicebot.store.workers import LINE, Worker, WorkerRepository

pytestmark = pytest.mark.integration

NOW = datetime(2026, 11, 25, 9, 0, tzinfo=UTC)


def sign_in(database: Database, *logins: str, campaigns: tuple[str, ...] = ()) -> None:
    """Save agents and switch them ready, a second apart."""
    with database.transaction() as session:
        agents = AgentRepository(session)
        for number, login in enumerate(logins):
            agents.save(login, login.title(), f"sip:{login}@127.0.0.1", campaigns)
            agents.set_available(login, True, NOW - timedelta(seconds=10 - number))


def reserve(database: Database, call_id: str, at: datetime = NOW, **more: str) -> str:
    with database.transaction() as session:
        found = AgentRepository(session).reserve(call_id, "w-1", at, **more)  # type: ignore[arg-type]  # ids only
        return found.id if found else ""


def state(database: Database, login: str, at: datetime = NOW) -> AgentState:
    with database.transaction() as session:
        found = AgentRepository(session).get(login)
        assert found is not None
        return found.state(at)


def test_who_waited_longest_is_reserved_first_and_only_once(database: Database) -> None:
    sign_in(database, "ann", "bo")
    assert [reserve(database, call) for call in ("c1", "c2", "c3")] == ["ann", "bo", ""]
    assert state(database, "ann") is AgentState.RESERVED


def test_a_hundred_calls_at_once_reserve_each_agent_once(database: Database) -> None:
    logins = [f"agent{number}" for number in range(5)]
    sign_in(database, *logins)
    with ThreadPoolExecutor(5) as threads:
        taken = list(threads.map(lambda n: reserve(database, f"c{n}"), range(25)))
    assert sorted(filter(None, taken)) == logins


def test_only_agents_of_the_campaign_or_the_one_named_are_reserved(database: Database) -> None:
    sign_in(database, "ann", campaigns=("spring",))
    sign_in(database, "bo")
    with database.transaction() as session:
        assert AgentRepository(session).ready(NOW, "spring") == 2
        assert AgentRepository(session).ready(NOW, "autumn") == 1
    assert reserve(database, "c1", campaign_id="autumn") == "bo"
    assert reserve(database, "c2", campaign_id="autumn") == ""
    assert reserve(database, "c3", campaign_id="spring", agent_id="bo") == ""
    assert reserve(database, "c4", campaign_id="spring", agent_id="ann") == "ann"


def test_opening_the_page_again_keeps_whose_calls_an_agent_takes(database: Database) -> None:
    sign_in(database, "ann", campaigns=("spring",))
    with database.transaction() as session:
        AgentRepository(session).save("ann", "Ann Li", "sip:ann@127.0.0.2")
    assert reserve(database, "c1", campaign_id="autumn") == ""
    assert reserve(database, "c2", campaign_id="spring") == "ann"


def test_a_closed_page_and_a_lapsed_lease_are_seen(database: Database) -> None:
    sign_in(database, "ann")
    assert reserve(database, "c1") == "ann"
    later = NOW + timedelta(seconds=61)
    assert reserve(database, "c2", later) == "", "the page was not seen for too long"
    with database.transaction() as session:
        AgentRepository(session).beat("ann", later)
    assert reserve(database, "c2", later) == "ann", "the first reservation has lapsed"
    with database.transaction() as session:
        assert not AgentRepository(session).connect("ann", "c1", later), "and is lost to its call"
        assert AgentRepository(session).connect("ann", "c2", later)
    assert state(database, "ann", later + timedelta(hours=1)) is AgentState.BUSY


def test_a_missed_call_makes_away_and_a_finished_one_ready(database: Database) -> None:
    sign_in(database, "ann", "bo")
    assert [reserve(database, call) for call in ("c1", "c2")] == ["ann", "bo"]
    with database.transaction() as session:
        agents = AgentRepository(session)
        assert agents.show("ann", "c1", {"summary": "客户要人工"})
        assert agents.screen("ann") == {"summary": "客户要人工"}
        agents.release("ann", "c1", NOW)
        agents.release("bo", "c2", NOW, missed=True)
        agents.release("bo", "c1", NOW)  # another call's: changes nothing
        assert agents.screen("ann") == {}
    assert (state(database, "ann"), state(database, "bo")) == (AgentState.READY, AgentState.AWAY)


def test_agents_of_a_dead_worker_are_freed(database: Database) -> None:
    sign_in(database, "ann", "bo")
    for call, worker in (("c1", "w-1"), ("c2", "w-2")):
        with database.transaction() as session:
            agents = AgentRepository(session)
            found = agents.reserve(call, worker, NOW)
            assert found is not None
            agents.connect(found.id, call, NOW)
    with database.transaction() as session:
        WorkerRepository(session).beat(Worker("w-2", LINE, "h:1", "sip:h", 3, 1, NOW, NOW))
        assert AgentRepository(session).sweep(NOW) == 1
    assert (state(database, "ann"), state(database, "bo")) == (AgentState.READY, AgentState.BUSY)


def test_an_unknown_agent_is_said_so(database: Database) -> None:
    with pytest.raises(DataError, match="there is no agent eve"), database.transaction() as session:
        AgentRepository(session).set_available("eve", True, NOW)


def test_grades_and_clicks_are_kept_with_their_scores(database: Database) -> None:
    call = str(uuid7())
    with database.transaction() as session:
        feedback = FeedbackRepository(session)
        feedback.graded(call, 3, "pitch", Grade.POOR, "sue", NOW, better_script_id="rate")
        feedback.clicked(call, 4, "rate", SuggestionUse.EDITED, "ann", NOW, text="年化百分之四")
    with database.transaction() as session:
        graded, clicked = FeedbackRepository(session).of_call(call)
        assert FeedbackRepository(session).since(NOW, [FeedbackOrigin.SUGGESTION]) == (clicked,)
    assert (graded.action, graded.score, graded.better_script_id) == ("差", 20.0, "rate")
    assert (clicked.action, clicked.text, clicked.weight) == ("edited", "年化百分之四", 0.5)
