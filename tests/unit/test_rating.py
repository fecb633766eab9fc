"""The customer's own rating: asked before a friendly end, answered in words or by a key, credited."""

from __future__ import annotations

from functools import cache

import pytest

from tests.unit.conversation import SILENCE, Conversation
from tests.unit.test_learning import AT
from voicebot.dialogue.playbook import parse
from voicebot.domain.call import Disposition
from voicebot.domain.emotion import EmotionLabel
from voicebot.domain.errors import PlaybookError
from voicebot.domain.people import FeedbackOrigin
from voicebot.domain.script import RATING, RATING_SCORE, Action, Playbook
from voicebot.learning.rating import EARLIER_WEIGHT, RECENT_WEIGHT, Credit, credits
from voicebot.learning.scores import Judgement, verdict
from voicebot.registry.resources import playbooks_dir

pytestmark = pytest.mark.unit

ASKS = """
rating:
  script: ask_rating
  scores: {优: 80, 良: 70, 中: 50, 差: 20}
"""


def text_of(rating: str) -> str:
    return (playbooks_dir() / "consumer_loan.yaml").read_text("utf-8") + rating


@cache
def rated() -> Playbook:
    """The shipped playbook, whose customers are asked."""
    return parse(text_of(ASKS), "consumer_loan")


def at_the_end() -> Conversation:
    """A call whose customer has just said goodbye in a friendly way."""
    call = Conversation(playbook=rated())
    call.says("方便，你说吧")
    call.says("好的我知道了，再见")
    assert call.scripts[-1] == "ask_rating"
    assert call.decisions[-1].action is Action.SAY
    return call


@pytest.mark.parametrize(
    ("said", "name", "score"),
    [
        ("优", "优", "80"),
        ("良吧", "良", "70"),
        ("中", "中", "50"),
        ("一般般", "中", "50"),
        ("不满意", "差", "20"),
    ],
)
def test_a_rating_in_words_is_kept_and_ends_the_call(said: str, name: str, score: str) -> None:
    call = at_the_end()
    decision = call.says(said)
    assert (decision.action, decision.script_id) == (Action.HANG_UP, "farewell")
    assert dict(call.ends().facts) | {RATING: name, RATING_SCORE: score} == dict(call.ends().facts)


@pytest.mark.parametrize(("key", "name"), [("1", "优"), ("2", "良"), ("3", "中"), ("4", "差")])
def test_a_rating_by_key(key: str, name: str) -> None:
    call = at_the_end()
    assert call.presses(key).action is Action.HANG_UP
    assert call.ends().facts[RATING] == name


@pytest.mark.parametrize("said", [SILENCE, "今天天气怎么样"])
def test_nobody_is_asked_twice(said: str) -> None:
    call = at_the_end()
    assert (call.says(said).script_id, call.scripts.count("ask_rating")) == ("farewell", 1)
    assert RATING not in call.ends().facts


def test_whoever_wants_no_more_calls_instead_of_rating_is_heard() -> None:
    call = at_the_end()
    assert call.says("以后别再给我打电话了").do_not_call
    assert call.ends().disposition is Disposition.DO_NOT_CALL


@pytest.mark.parametrize(
    ("said", "emotion"),
    [("不需要，谢谢", EmotionLabel.CALM), ("再见", EmotionLabel.ANNOYED), ("别再打了", EmotionLabel.CALM)],
)
def test_whoever_refuses_or_is_annoyed_is_not_asked(said: str, emotion: EmotionLabel) -> None:
    call = Conversation(playbook=rated())
    call.says("方便，你说吧")
    call.says(said, emotion)
    call.says(said, emotion)
    assert "ask_rating" not in call.scripts


def test_a_playbook_without_a_rating_asks_nobody() -> None:
    call = Conversation()
    call.says("方便，你说吧")
    assert call.says("好的我知道了，再见").script_id == "farewell"


@pytest.mark.parametrize(
    ("rating", "wrong"),
    [
        (ASKS.replace("ask_rating", "farewell"), "no question for a rating"),
        (ASKS.replace("差: 20", "坏: 20"), "no answer 坏"),
        (ASKS.replace(", 差: 20", ""), "has no score"),
    ],
)
def test_a_rating_that_can_not_work_is_told(rating: str, wrong: str) -> None:
    with pytest.raises(PlaybookError, match=wrong):
        parse(text_of(rating), "consumer_loan")


def test_a_rating_is_credited_to_what_answered_the_customer_the_last_turns_most() -> None:
    turns = [
        (0, "greet", False), (1, "pitch", True), (2, "rate_info", True), (3, "", True), (4, "reassure", True),
        (5, "qualify", True), (6, "ask_rating", True), (7, "farewell", True),
    ]  # fmt: skip
    found = credits(turns, {RATING: "优", RATING_SCORE: "80"})
    assert found == [
        Credit(1, "pitch", 80, EARLIER_WEIGHT),
        Credit(2, "rate_info", 80, RECENT_WEIGHT),
        Credit(4, "reassure", 80, RECENT_WEIGHT),
        Credit(5, "qualify", 80, RECENT_WEIGHT),
    ]
    assert credits(turns, {}) == []


def test_a_customers_rating_stands_above_signals_and_below_a_grade() -> None:
    def said(origin: FeedbackOrigin, score: float) -> Judgement:
        return Judgement(origin, "", AT, score, 0.6)

    about = [said(FeedbackOrigin.IMPLICIT, 65), said(FeedbackOrigin.CUSTOMER, 20)]
    found = verdict(about)
    assert found is not None
    assert (found.score, found.origin) == (20, FeedbackOrigin.CUSTOMER)
    graded = verdict([*about, said(FeedbackOrigin.GRADE, 80)])
    assert graded is not None
    assert graded.score == 80
