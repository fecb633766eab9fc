"""How many calls each campaign may begin now. Pure: what is known goes in, numbers come out.

Nothing is remembered between two looks, so a dialer that was killed, or a second one, paces just as well.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

MIN_ANSWER_RATE = 0.05  # an even lower one is not believed
PRIOR_ANSWERS, PRIOR_CALLS = 1.0, 2.0  # before anything is known, every second call is thought to be answered
CAUTION = 1.64  # standard deviations kept free: in 19 of 20 looks no more answer than there is room


@dataclass(frozen=True, slots=True)
class Load:
    """What a campaign, or a trunk, has under way."""

    open: int = 0  # attempts, ringing and talking
    talking: int = 0
    begun: int = 0  # in the rate's window, see `rate_window_s`
    answered: int = 0  # of the attempts of late
    ended: int = 0  # attempts of late whose end is known


@dataclass(frozen=True, slots=True)
class Want:
    """A campaign that wants to call."""

    id: str
    trunk: str
    priority: int
    max_calls: int
    max_talks: int  # 0 = as many as calls
    calls_per_s: float  # 0 = no limit
    load: Load
    people: int | None = None  # agents who are ready, if people talk; None = the bot does


@dataclass(frozen=True, slots=True)
class Limits:
    """What a trunk allows."""

    max_calls: int  # 0 = no limit
    calls_per_s: float  # 0 = no limit
    load: Load


def rate_window_s(calls_per_s: float) -> float:
    """Return over how many seconds begun calls are counted: at least one call must fit."""
    return max(1.0, 1.0 / calls_per_s) if calls_per_s > 0 else 0.0


def answer_rate(load: Load) -> float:
    """Return the share of calls that are answered, as far as it is known."""
    return max(MIN_ANSWER_RATE, (load.answered + PRIOR_ANSWERS) / (load.ended + PRIOR_CALLS))


def ringing_allowed(room: int, rate: float) -> int:
    """Return how many may ring at once so that those who answer have room for a talk.

    Answers are binomial: with n ringing, n * rate + CAUTION standard deviations must fit.

    >>> ringing_allowed(4, 1.0), ringing_allowed(4, 0.25)
    (4, 7)
    """
    if room <= 0:
        return 0
    calls = room
    while _most(calls + 1, rate) <= room:
        calls += 1
    return calls


def share(wants: Sequence[Want], trunks: Mapping[str, Limits], free_lines: int) -> dict[str, int]:
    """Return how many calls each campaign may begin.

    Free lines go to the highest priority first, and round the campaigns of the same priority.
    """
    room = {want.id: _own_room(want) for want in wants}
    trunk_room = {name: _trunk_room(limits) for name, limits in trunks.items()}
    given = dict.fromkeys(room, 0)
    left = free_lines
    for priority in sorted({want.priority for want in wants}, reverse=True):
        peers = [want for want in wants if want.priority == priority]
        while left > 0:
            before = left
            for want in peers:
                if left > 0 and room[want.id] > 0 and trunk_room.get(want.trunk, 1) > 0:
                    given[want.id] += 1
                    room[want.id] -= 1
                    left -= 1
                    if want.trunk in trunk_room:
                        trunk_room[want.trunk] -= 1
            if left == before:
                break
    return given


def _own_room(want: Want) -> int:
    load = want.load
    room = want.max_calls - load.open
    if want.people is not None:
        # One call an agent who is ready: nobody answers to hear that all agents are busy.
        return max(0, min(room, want.people, _rate_room(want.calls_per_s, load.begun)))
    if want.max_talks:
        ringing = load.open - load.talking
        allowed = ringing_allowed(want.max_talks - load.talking, answer_rate(load))
        room = min(room, allowed - ringing)
    return max(0, min(room, _rate_room(want.calls_per_s, load.begun)))


def _trunk_room(limits: Limits) -> int:
    room = limits.max_calls - limits.load.open if limits.max_calls else _PLENTY
    return max(0, min(room, _rate_room(limits.calls_per_s, limits.load.begun)))


def _rate_room(calls_per_s: float, begun: int) -> int:
    if calls_per_s <= 0:
        return _PLENTY
    return max(0, math.floor(calls_per_s * rate_window_s(calls_per_s) + 1e-9) - begun)


def _most(calls: int, rate: float) -> float:
    return calls * rate + CAUTION * math.sqrt(calls * rate * (1 - rate))


_PLENTY = 1_000_000
