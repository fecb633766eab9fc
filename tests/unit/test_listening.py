"""While a person talks through us: whose words are over when, on frame time."""

from __future__ import annotations

from typing import TypeVar

import pytest

from voicebot.call.listening import (
    AGENT_PAUSE_MS,
    SHORTEST_MS,
    AgentPaused,
    Listening,
    Noticed,
    Settled,
    Unanswered,
)
from voicebot.call.turns import Decide, Send, TurnTuning
from voicebot.domain.audio import FRAME_MS, SILENT_FRAME

pytestmark = pytest.mark.unit

T = TypeVar("T")
BEGAN_MS, ENDPOINT_MS = 5000, 640


class Talk:
    """A customer and an agent who speak in turn, or do not."""

    def __init__(self) -> None:
        self.listening = Listening(TurnTuning(endpoint_ms=ENDPOINT_MS), BEGAN_MS, 3)
        self.noticed: list[Noticed] = []

    def frames(self, ms: int, *, customer: bool = False, agent: bool = False) -> None:
        """Let time pass in which they speak, or are silent."""
        for _ in range(ms // FRAME_MS):
            self.noticed += self.listening.customer(SILENT_FRAME, customer)
            self.noticed += self.listening.agent(SILENT_FRAME, agent)

    def line(self, ms: int = 900) -> None:
        """The customer says something and has finished."""
        self.frames(ms, customer=True)
        self.frames(1000)

    def only(self, kind: type[T]) -> list[T]:
        return [one for one in self.noticed if isinstance(one, kind)]


def test_a_line_to_which_the_agent_is_silent_is_over_when_the_customer_goes_on() -> None:
    talk = Talk()
    for _ in range(3):
        talk.line()
    assert [one.generation for one in talk.only(Unanswered)] == [4, 5]
    assert [one.generation for one in talk.only(Settled)] == [4, 5, 6]
    second = talk.noticed.index(talk.only(Unanswered)[0])
    assert isinstance(talk.noticed[second - 1], Send | Settled)
    assert [one.generation for one in talk.noticed[second:] if isinstance(one, Decide)] == [5, 6]
    assert talk.only(Unanswered)[0].at_s == pytest.approx((BEGAN_MS + 1900) / 1000, abs=0.05)


def test_a_line_that_the_agent_answered_is_not_left() -> None:
    talk = Talk()
    talk.line()
    talk.frames(800, agent=True)
    talk.frames(AGENT_PAUSE_MS + 100)
    talk.line()
    assert len(talk.only(AgentPaused)) == 1
    assert talk.only(Unanswered) == []


def test_an_agent_who_is_answering_is_waited_for() -> None:
    talk = Talk()
    talk.line()
    talk.frames(600, agent=True)
    talk.frames(900, agent=True, customer=True)  # both at once
    talk.frames(AGENT_PAUSE_MS + 100)
    assert talk.only(Unanswered) == []


def test_a_mere_noise_of_the_customers_leaves_the_line_open() -> None:
    talk = Talk()
    talk.line()
    talk.line(SHORTEST_MS - 60)
    assert talk.only(Unanswered) == []
    talk.line()
    assert [one.generation for one in talk.only(Unanswered)] == [5], "the line with its 嗯 is over"


def test_a_customer_in_mid_line_is_not_cut() -> None:
    talk = Talk()
    talk.frames(900, customer=True)
    talk.frames(ENDPOINT_MS - 100)  # a long pause within
    talk.frames(900, customer=True)
    assert (talk.only(Unanswered), talk.only(Settled)) == ([], [])
