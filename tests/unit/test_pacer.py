"""The pacer: limits hold, priorities come first, answers never outgrow the room, failing trunks stop."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicebot.campaign import breaker
from voicebot.campaign.breaker import Tried
from voicebot.campaign.pacer import Limits, Load, Want, answer_rate, rate_window_s, ringing_allowed, share
from voicebot.campaign.policy_pack import policy_pack

pytestmark = pytest.mark.unit

WANT = Want("a", "gw", 0, 10, 0, 0.0, Load())


def test_free_lines_go_round_campaigns_of_the_same_priority() -> None:
    wants = [WANT, replace(WANT, id="b"), replace(WANT, id="c")]
    assert share(wants, {}, 7) == {"a": 3, "b": 2, "c": 2}


def test_a_higher_priority_is_served_first() -> None:
    wants = [WANT, replace(WANT, id="b", priority=5, max_calls=4)]
    assert share(wants, {}, 6) == {"a": 2, "b": 4}
    assert share(wants, {}, 3) == {"a": 0, "b": 3}


def test_a_trunks_limits_hold_for_all_its_campaigns_together() -> None:
    wants = [WANT, replace(WANT, id="b"), replace(WANT, id="c", trunk="other")]
    given = share(wants, {"gw": Limits(5, 0.0, Load(open=2))}, 30)
    assert given["a"] + given["b"] == 3
    assert given["c"] == 10


@pytest.mark.parametrize(
    ("calls_per_s", "begun", "expected"), [(2.0, 0, 2), (2.0, 1, 1), (2.0, 5, 0), (0.2, 0, 1), (0.2, 1, 0)]
)
def test_calls_begin_no_faster_than_they_may(calls_per_s: float, begun: int, expected: int) -> None:
    assert share([replace(WANT, calls_per_s=calls_per_s, load=Load(begun=begun))], {}, 20) == {"a": expected}
    trunk = {"gw": Limits(0, calls_per_s, Load(begun=begun))}
    assert share([WANT], trunk, 20) == {"a": expected}
    assert rate_window_s(0.2) == 5.0


def test_the_fewer_answer_the_more_may_ring() -> None:
    talks = replace(WANT, max_calls=40, max_talks=4)
    rarely = replace(talks, load=Load(answered=20, ended=200))
    often = replace(talks, load=Load(answered=180, ended=200))
    unknown = share([talks], {}, 40)["a"]
    assert share([often], {}, 40)["a"] == 4
    assert unknown > 4 - 1
    assert share([rarely], {}, 40)["a"] > unknown
    busy = replace(rarely, load=Load(open=4, talking=4, answered=20, ended=200))
    assert share([busy], {}, 40)["a"] == 0


def test_people_get_one_call_each() -> None:
    assert share([replace(WANT, people=2)], {}, 9) == {"a": 2}
    assert share([replace(WANT, people=0)], {}, 9) == {"a": 0}


@given(room=st.integers(0, 30), rate=st.floats(0.05, 1.0))
def test_the_expected_answers_always_fit(room: int, rate: float) -> None:
    ringing = ringing_allowed(room, rate)
    assert ringing >= min(room, 0)
    assert ringing * rate <= max(room, ringing if ringing <= room else room)


@given(
    counts=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 3), st.integers(0, 9)), max_size=6),
    lines=st.integers(0, 40),
)
def test_no_limit_is_ever_exceeded(counts: list[tuple[int, int, int]], lines: int) -> None:
    wants = [
        replace(WANT, id=str(index), priority=priority, max_calls=most, load=Load(open=is_open))
        for index, (most, priority, is_open) in enumerate(counts)
    ]
    given_out = share(wants, {"gw": Limits(12, 0.0, Load(open=3))}, lines)
    assert sum(given_out.values()) <= min(lines, 9)
    for want in wants:
        assert given_out[want.id] <= max(0, want.max_calls - want.load.open)


def test_the_answer_rate_is_guessed_before_it_is_known() -> None:
    assert answer_rate(Load()) == 0.5
    assert answer_rate(Load(answered=0, ended=1000)) == 0.05


@pytest.mark.parametrize(
    ("tried", "trips"),
    [
        ([Tried("unreachable", 503)] * 6, True),
        ([Tried("unreachable", 503)] * 5, False),  # too few to tell
        ([Tried("unreachable", 0)] * 6, True),
        ([Tried("unreachable", 408)] * 6, True),
        ([Tried("rejected", 403)] * 6, True),
        ([Tried("unreachable", 404)] * 20, False),  # bad numbers, not a bad trunk
        ([Tried("no_answer", 487)] * 20, False),
        ([Tried("busy", 486)] * 20, False),
        ([Tried("failure", 503)] * 20, False),  # our own inference was away
        ([Tried("unreachable", 503)] * 4 + [Tried("bot_hung_up", 200)] * 6, False),
    ],
)
def test_a_campaign_pauses_when_its_trunk_fails(tried: list[Tried], trips: bool) -> None:
    assert bool(breaker.failing(tried)) == trips


def test_customers_without_an_agent_stop_the_calls() -> None:
    us = policy_pack("US")
    assert breaker.abandoned(us, 100, 3) == ""
    assert "4 通" in breaker.abandoned(us, 100, 4)
    assert breaker.abandoned(us, 10, 10) == ""  # too few to mean anything
    assert breaker.abandoned(policy_pack("SIMULATION"), 100, 100) == ""
