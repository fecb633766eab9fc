"""A/B of wordings, and what another ranker would have earned."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from tests.unit.conversation import Conversation, consumer_loan
from voicebot.domain.dialogue import Shown
from voicebot.domain.intervals import Share
from voicebot.domain.report import ScriptConversion, wordings
from voicebot.learning.offpolicy import estimate
from voicebot.store.decisions import LoggedDecision

pytestmark = pytest.mark.unit


def said(variant: str, hits: int, of: int = 1000, script: str = "pitch") -> ScriptConversion:
    return ScriptConversion(script, variant, Share(hits, of), of, Share(0, of))


def test_the_wording_that_was_said_is_kept_where_there_was_a_choice() -> None:
    book = consumer_loan()
    farewell = book.scripts["farewell"]
    scripts = {**book.scripts, "farewell": replace(farewell, variants=("好的，再见。",))}
    varied = replace(book, scripts=scripts, version="varied")
    call = Conversation(playbook=varied)
    call.says("方便，你说吧")
    decision = call.says("好的我知道了，再见")
    wording = {farewell.text: "A", "好的，再见。": "B"}
    assert decision.variant == wording[decision.script_text]
    assert call.decisions[0].variant == ""


def test_a_wording_wins_only_beyond_doubt() -> None:
    (found,) = wordings([said("A", 100), said("B", 200), said("", 900, script="greet")])
    assert (found.script_id, found.winner, [one.variant for one in found.variants]) == (
        "pitch",
        "B",
        ["B", "A"],
    )
    (even,) = wordings([said("A", 10, 100), said("B", 14, 100)])
    assert even.winner == ""
    assert wordings([said("A", 100)]) == ()


def decisions(count: int) -> list[LoggedDecision]:
    """Decisions between two scripts, the second tried in a tenth of them though it is liked more."""
    chance, at = np.random.default_rng(5), datetime(2026, 11, 25, tzinfo=UTC)
    found = []
    for number in range(count):
        second = bool(chance.random() < 0.1)
        score = 80.0 if chance.random() < (0.8 if second else 0.4) else 20.0
        found.append(
            LoggedDecision(
                f"call{number}", 1, at, "second" if second else "first", 0.1 if second else 0.9,
                (Shown("first", 0.6, 0.9), Shown("second", 0.4, 0.1)), "ranker-2", score, 1.0,
                "好", "", "", "pitch", (), {},
            )
        )  # fmt: skip
    return found


def test_another_rankers_worth_is_estimated_from_what_was_explored() -> None:
    found = {one.name: one for one in estimate(decisions(4000), lambda one: "second")}
    for name in ("IPS", "SNIPS", "DM", "DR"):
        assert found[name].value == pytest.approx(0.68, abs=0.04)
        assert found[name].conclusive
    first = estimate(decisions(4000), lambda one: "first")
    assert max(one.value for one in first) < 0.5


def test_few_explored_decisions_conclude_nothing() -> None:
    assert not any(one.conclusive for one in estimate(decisions(300), lambda one: "second"))
    assert estimate([], lambda one: "second") == ()
