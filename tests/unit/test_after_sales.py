"""The second playbook: a survey, not a sale. What makes it different stands in its file alone."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

import voicebot
from tests.unit.conversation import SILENCE, Conversation
from voicebot.bench import dialogue as bench
from voicebot.dialogue.playbook import load
from voicebot.domain.call import Disposition, EndCause
from voicebot.domain.dialogue import Candidate
from voicebot.domain.emotion import EmotionLabel
from voicebot.domain.script import Action, Playbook
from voicebot.registry.resources import playbooks_dir

pytestmark = pytest.mark.unit

HELD_OUT = Path(__file__).parents[1] / "data" / "dialogues" / "after_sales.yaml"


@cache
def after_sales() -> Playbook:
    return load(playbooks_dir() / "after_sales.yaml")


def test_the_survey_is_asked_through_and_its_answers_are_kept() -> None:
    call = Conversation(playbook=after_sales())
    for said in ("可以", "准时", "态度不好", "没收", "正常", "九分"):
        call.says(said)
    assert call.scripts[-1] == "thanks_done"
    outcome = call.ends()
    assert outcome.disposition is Disposition.COMPLETED
    assert outcome.facts == {
        "product": after_sales().product,
        "arrived_on_time": "yes",
        "polite": "no",
        "extra_charge": "no",
        "working": "yes",
        "satisfaction": "high",
    }


def test_a_question_of_the_customer_is_answered_and_the_open_one_put_again_in_other_words() -> None:
    call = Conversation(playbook=after_sales())
    for said in ("可以", "准时", "挺好"):
        call.says(said)
    assert call.says("保修几年").script_id == "q_warranty"
    assert call.state.question == "ask_charge"
    again = call.says("哦")
    assert again.script_id == "ask_charge"
    assert again.script_text == after_sales().scripts["ask_charge"].reprompt[0]


def test_a_question_whose_answer_told_of_a_fault_is_not_put_again() -> None:
    call = Conversation(playbook=after_sales())
    for said in ("可以", "准时", "挺好", "没有"):
        call.says(said)
    assert call.scripts[-1] == "ask_working"
    assert call.says("外机嗡嗡响").script_id == "trouble_noise"
    assert call.says("先不用").script_id == "ask_score"
    assert call.says("八分").script_id == "thanks_done"
    assert call.scripts.count("ask_working") == 1


def test_a_good_word_in_the_middle_does_not_end_the_survey() -> None:
    call = Conversation(playbook=after_sales())
    call.says("可以")
    done = [Candidate("thanks_done", 0.9)]
    assert call.says("还行吧，我挺满意", candidates=done).script_id == "ask_manner"
    assert call.says("那再见吧", candidates=done).action is Action.HANG_UP


def test_a_fault_is_taken_up_and_registered_after_a_spoken_yes() -> None:
    call = Conversation(playbook=after_sales())
    assert call.says("漏水").script_id == "trouble_leak"
    assert call.says("好的").script_id == "visit_confirm"
    assert call.says("对").script_id == "visit_registered"
    outcome = call.ends()
    assert (outcome.disposition, outcome.reasons[0]) == (Disposition.COMPLETED, "登记了上门检修")


def test_an_angry_owner_is_handed_to_a_person_but_abuse_and_a_wish_to_be_left_alone_end_the_call() -> None:
    asked = Conversation(playbook=after_sales()).says("你们到底想干什么", EmotionLabel.ANGRY)
    assert (asked.action, asked.do_not_call) == (Action.TRANSFER, False)
    for line in ("滚", "不要再打了"):
        ended = Conversation(playbook=after_sales()).says(line, EmotionLabel.ANGRY)
        assert (ended.action, ended.do_not_call) == (Action.HANG_UP, True), line


def test_an_owner_who_is_not_understood_twice_is_handed_to_a_person() -> None:
    call = Conversation(playbook=after_sales())
    for line in ("呃那个呃那个呃", "呃呃那个"):
        assert call.says(line, candidates=[]).action is Action.SAY
    assert call.says("啊呃那", candidates=[]).action is Action.TRANSFER
    assert call.says(SILENCE).script_id == "no_agent"
    assert call.ends().facts["callback_by"] == "person"


def test_who_hangs_up_in_the_middle_has_not_completed_it() -> None:
    call = Conversation(playbook=after_sales())
    call.says("可以")
    assert call.ends(EndCause.CUSTOMER_HUNG_UP).disposition is Disposition.UNDECIDED


def test_the_held_out_dialogues_fit_the_playbook_and_are_not_its_examples() -> None:
    dialogues = bench.read(HELD_OUT, after_sales())
    assert bench.overlap(dialogues, after_sales()) < 0.3


def test_no_code_knows_a_product() -> None:
    package = Path(voicebot.__file__).parent
    product = re.compile(r"贷|利率|利息|额度|银行|客户经理|空调|师傅|冷气")
    rooms = ("dialogue", "ranker", "call", "domain", "learning", "registry")
    lines = [
        f"{path.name}: {line.strip()}"
        for room in rooms
        for path in (package / room).glob("**/*.py")
        for line in path.read_text("utf-8").splitlines()
        if product.search(line)
    ]
    # an agent of any trade may be called 客户经理; 开车贷 is no driving
    known = ("真人|人工|活人", "开车(?!贷)")
    assert [line for line in lines if not any(words in line for words in known)] == []
