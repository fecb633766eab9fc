"""What an agent is offered, and why."""

from __future__ import annotations

import pytest

from tests.unit.parts import PLAYBOOK
from voicebot.dialogue.offers import offers
from voicebot.domain.dialogue import Candidate, Decision, DialogueState, Relation
from voicebot.domain.script import Action, Style

pytestmark = pytest.mark.unit


def test_the_choice_comes_first_and_a_probability_that_says_nothing_is_not_told() -> None:
    ranked = (Candidate("hello", 0.62), Candidate("more", 0.371), Candidate("pardon", 0.0049))
    reasons = ("V21 候选 hello：概率0.62",)
    decision = Decision(
        Action.SAY, "hello", "您好。", Style.NEUTRAL, ranked, reasons, Relation.ANSWERS, "opening", "opening"
    )
    found = offers(decision, DialogueState("loan", "v1", "opening"), PLAYBOOK, seed=1)
    assert [(one.script_id, one.reason) for one in found] == [
        ("hello", "V21 候选 hello：概率0.62"),
        ("more", "候选：概率0.37"),
        ("pardon", "候选：可能性低"),
    ]
