"""Whoever begins to watch in the middle of a call is told what still matters."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from voicebot.call.recap import TURNS, Recap
from voicebot.domain.call import CallEvent, Delivery
from voicebot.domain.emotion import EmotionLabel
from voicebot.domain.people import Briefing, TakeoverReason, TakeoverStage, TakeoverUpdate

pytestmark = pytest.mark.unit

BEGAN = datetime(2026, 11, 25, tzinfo=UTC)
BRIEFING = Briefing("c", "", TakeoverReason.ASKED, "客户要求人工。", (), EmotionLabel.CALM)


def at(second: int) -> datetime:
    return BEGAN + timedelta(seconds=second)


def takeover(stage: TakeoverStage, second: int, briefing: Briefing | None = None) -> CallEvent:
    update = TakeoverUpdate(stage, "eve", briefing)
    return CallEvent("c", "takeover", at(second), takeover=update)


def test_the_latest_of_everything_is_told_in_its_order() -> None:
    recap = Recap()
    for event in (
        CallEvent("c", "dialling", at(0)),
        CallEvent("c", "answered", at(1)),
        *(CallEvent("c", "turn", at(2 + turn)) for turn in range(TURNS + 5)),
        takeover(TakeoverStage.RINGING, 50, BRIEFING),
        CallEvent("c", "delivery", at(51), delivery=Delivery.SUGGEST),
        takeover(TakeoverStage.CONNECTED, 52),
        CallEvent("c", "suggestion", at(53)),
    ):
        recap.take(event)
    told = recap.events()
    kinds = ["answered", *["turn"] * TURNS, "delivery", "takeover", "suggestion"]
    assert [event.kind for event in told] == kinds
    update = told[-2].takeover
    assert update is not None
    assert (update.stage, update.briefing) == (TakeoverStage.CONNECTED, BRIEFING)


def test_a_takeover_that_is_over_leaves_no_suggestion_and_a_call_that_is_over_nothing() -> None:
    recap = Recap()
    recap.take(CallEvent("c", "suggestion", at(1)))
    recap.take(takeover(TakeoverStage.ENDED, 2))
    assert [event.kind for event in recap.events()] == ["takeover"]
    recap.take(CallEvent("c", "ended", at(3)))
    assert recap.events() == []
