"""Whole conversations in text: what the bot does with each kind of customer. Rules V1 to V18."""

from __future__ import annotations

from copy import copy
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.conversation import SILENCE, Conversation, consumer_loan
from voicebot import codec
from voicebot.dialogue.policy import RulePolicy
from voicebot.dialogue.relation import relate
from voicebot.dialogue.rules import RULES
from voicebot.dialogue.wording import word
from voicebot.domain.answering import NumberStatus, Told
from voicebot.domain.call import Disposition, EndCause, IntentLevel
from voicebot.domain.dialogue import Candidate, DialogueState, Relation
from voicebot.domain.emotion import EmotionLabel
from voicebot.domain.script import Action, Style

pytestmark = pytest.mark.unit

ANNOYED, ANGRY, HESITANT, CALM = (
    EmotionLabel.ANNOYED,
    EmotionLabel.ANGRY,
    EmotionLabel.HESITANT,
    EmotionLabel.CALM,
)


def test_v1_the_call_opens_with_the_whole_announcement() -> None:
    opening = Conversation().decisions[0]
    assert opening.script_id == "opening_greet"
    assert opening.protected
    for words in ("海豚示例银行", "机器人", "录音"):
        assert words in opening.script_text


def test_v2_who_shows_no_number_is_not_told_that_it_was_noted() -> None:
    call = Conversation()
    call.state = replace(call.state, withheld=True)
    last = call.says("不要再打了")
    assert (last.script_id, last.action, last.do_not_call) == ("do_not_call_withheld", Action.HANG_UP, True)
    assert "没有办法登记" in last.script_text
    outcome = call.ends()
    assert (outcome.disposition, outcome.opted_out) == (Disposition.DO_NOT_CALL, True)
    assert "来电没有显示号码，未能登记" in outcome.reasons


def test_v2_a_playbook_without_words_for_withheld_numbers_promises_nothing() -> None:
    book = replace(consumer_loan(), do_not_call_withheld="")
    call = Conversation(playbook=book)
    call.state = replace(call.state, withheld=True)
    last = call.says("不要再打了")
    assert (last.script_id, last.action, last.do_not_call) == (book.farewell, Action.HANG_UP, True)


def test_an_interested_customer_is_registered_after_a_spoken_confirmation() -> None:
    call = Conversation()
    assert call.says("可以，你说").script_id == "pitch_main"
    assert call.says("利率是多少").script_id == "q_rate"
    assert call.says("那额度呢").script_id == "q_amount"
    assert call.says("好的").script_id == "qualify_invite"
    assert call.says("可以").script_id == "qualify_confirm"
    last = call.says("同意")
    assert (last.script_id, last.action) == ("closing_registered", Action.HANG_UP)
    outcome = call.ends()
    assert (outcome.disposition, outcome.intent_level) == (Disposition.INTERESTED, IntentLevel.A)


def test_a_yes_in_more_words_than_expected_is_a_confirmation_and_a_condition_is_not() -> None:
    def asked() -> Conversation:
        call = Conversation()
        for line in ("可以，你说", "利率是多少", "好的", "可以"):
            call.says(line)
        assert call.decisions[-1].script_id == "qualify_confirm"
        return call

    assert asked().says("行，叫他下午打给我").script_id == "closing_registered"
    assert asked().says("可以是可以，不过先别联系我").script_id != "closing_registered"


def test_v4_no_thanks_after_the_source_of_the_number_is_no_reason_to_go_on_selling() -> None:
    call = Conversation()
    for line in ("可以，你说", "不需要", "你怎么有我的号码"):
        call.says(line)
    assert call.decisions[-1].script_id == "number_source"
    last = call.says("不用了不用了")
    assert (last.script_id, last.action) == ("refusal_close", Action.HANG_UP)


@pytest.mark.parametrize("text", ["行吧那你说", "你说吧", "好，那你介绍一下"])
def test_v2_leave_to_speak_after_the_source_of_the_number_is_no_wish_to_be_left_alone(text: str) -> None:
    call = Conversation()
    assert call.says("你怎么有我的号码").script_id == "number_source"
    assert call.says(text, candidates=()).script_id == "pitch_main"
    call = Conversation()
    call.says("你怎么有我的号码")
    assert call.says("好的，登记吧", candidates=[Candidate("do_not_call", 0.9)]).do_not_call


def test_what_the_bot_does_not_know_it_says_so_each_time() -> None:
    call = Conversation()
    call.says("可以，你说")
    for line in ("今天天气怎么样", "你会唱歌吗"):
        assert call.says(line, candidates=[Candidate("off_topic", 0.9)]).script_id == "off_topic"


def test_v9_a_calm_busy_customer_gets_a_callback_offer_and_no_apology() -> None:
    call = Conversation()
    offer = call.says("现在有事，不要说了", CALM)
    assert offer.script_id == "busy_offer"
    assert "不好意思" not in offer.script_text
    confirmed = call.says("明天下午三点吧")
    assert confirmed.script_text.startswith("好的，明天下午三点，")
    assert confirmed.action is Action.HANG_UP
    outcome = call.ends()
    assert (outcome.disposition, outcome.intent_level) == (Disposition.CALLBACK, IntentLevel.C)
    assert outcome.facts["callback_time"] == "+1d 15:00"


SELLING = ("pitch", "qualify", "objection", "apologise", "apologise_close")


@pytest.mark.parametrize("before", [[], ["你说"], ["你说", "利率多少"], ["你说", "不需要"], ["没空"]])
@pytest.mark.parametrize(
    "text", ["我在忙呢", "没空，利率多少", "现在有事，烦死了", "我在芒，不需要", "走不开，贵"]
)
@pytest.mark.parametrize("relation", list(Relation))
def test_v9_whoever_is_heard_to_be_busy_and_calm_is_neither_sold_to_nor_apologised_to(
    before: list[str], text: str, relation: Relation
) -> None:
    call = Conversation()
    for line in before:
        call.says(line)
    for script in call.playbook.scripts.values():
        again = copy(call)
        again.policy = Settled(relation)
        decision = again.says(text, CALM, candidates=[Candidate(script.id, 0.95)])
        said = call.playbook.scripts.get(decision.script_id)
        assert said is not None
        assert said.act not in SELLING, (script.id, decision.reasons)


class Settled(RulePolicy):
    """Reads the same relation in everything."""

    def __init__(self, relation: Relation) -> None:
        super().__init__()
        self._relation = relation

    def relate(self, *_: object) -> Relation:
        return self._relation


def test_v9_a_guess_never_apologises_to_a_calm_customer() -> None:
    guesses = [Candidate("apology", 0.9), Candidate("q_rate", 0.05)]
    assert Conversation().says("名田皂上在说", CALM, candidates=guesses).script_id != "apology"


def test_v9_another_day_is_heard_through_homophones() -> None:
    call = Conversation()
    decision = call.says("名天早尚你在打", CALM, candidates=[Candidate("q_rate", 0.9)])
    assert (decision.script_id, call.state.facts["callback_time"]) == ("callback_confirm", "+1d 09:00")


def test_v9_a_callback_is_offered_where_that_is_likelier_than_what_would_be_sold() -> None:
    away = [Candidate("busy_offer", 0.2), Candidate("meeting", 0.15)]
    call = Conversation()
    call.says("你说")
    assert call.says("哎呀这个", candidates=[Candidate("obj_no_need", 0.3), *away]).script_id == "busy_offer"
    call = Conversation()
    call.says("你说")
    assert call.says("哎呀这个", candidates=[Candidate("obj_no_need", 0.5), *away]).script_id == "obj_no_need"


def test_v9_who_named_no_time_when_asked_is_asked_once_more_and_not_sold_to() -> None:
    call = Conversation()
    assert call.says("没空").script_id == "busy_offer"
    guess = [Candidate("qualify_amount", 0.2)]
    assert call.says("说不好，看情形", candidates=guess).script_id == "callback_ask_time"


def test_another_decision_put_off_is_reassured_and_not_taken_for_a_busy_customer() -> None:
    call = Conversation()
    call.says("你说")
    compare = [Candidate("hes_compare", 0.6)]
    assert call.says("我跟别家比一比，回头再说", candidates=compare).script_id == "hes_compare"
    call = Conversation()
    call.says("你说")
    busy = [Candidate("busy_offer", 0.6)]
    assert call.says("我这儿忙，回头再说", candidates=busy).script_id == "busy_offer"


def test_v16_a_time_named_by_somebody_else_is_taken_when_it_was_asked_for() -> None:
    call = Conversation()
    call.says("他不在")
    assert call.says("等他睡了，晚上十点吧").script_id == "callback_confirm"


def test_a_yes_with_more_behind_it_accepts_the_offer_unless_something_else_fits_or_it_binds() -> None:
    def offered() -> Conversation:
        call = Conversation()
        for said in ("可以，你说", "利率是多少", "好的"):
            call.says(said)
        assert call.decisions[-1].script_id == "qualify_invite"
        return call

    unsure = [Candidate("qualify_use", 0.1)]
    assert offered().says("好的，我想办一个", candidates=unsure).script_id == "qualify_confirm"
    assert offered().says("好的，我想办一个，但不要打电话", candidates=unsure).script_id != "qualify_confirm"
    assert offered().says("可以上门办吗", candidates=unsure).script_id != "qualify_confirm"
    sure = [Candidate("hes_think", 0.8)]
    assert offered().says("好的，我再想想", candidates=sure).script_id == "hes_think"
    bound = offered()
    bound.says("可以")
    assert bound.decisions[-1].script_id == "qualify_confirm"
    assert bound.says("好的我先听听看", candidates=unsure).script_id != "closing_registered"


def test_a_yes_in_more_words_to_being_left_alone_is_obeyed() -> None:
    for line in ("好，那麻烦你这就办了", "行那就麻烦你办了", "可以的，那你赶快办"):
        call = Conversation()
        call.says("你从哪儿弄到我电话的", candidates=[Candidate("number_source", 0.9)])
        assert call.decisions[-1].script_id == "number_source"
        last = call.says(line, candidates=[Candidate("qualify_confirm", 0.5)])
        assert (last.script_id, last.do_not_call) == ("do_not_call", True), line
    call = Conversation()
    call.says("你从哪儿弄到我电话的", candidates=[Candidate("number_source", 0.9)])
    asks = call.says("好那先告诉我利息怎么算", candidates=[Candidate("q_rate", 0.9)])
    assert (asks.script_id, asks.do_not_call) == ("q_rate", False)


def test_an_assistant_that_takes_calls_is_a_machine() -> None:
    last = Conversation().says("您好，我是王先生的电话助理，请问有什么事")
    assert (last.action, last.script_text) == (Action.HANG_UP, "")


def test_leave_to_speak_behind_a_yes_is_a_yes_but_never_to_the_binding_question() -> None:
    line = "行吧，反正也没事，你讲讲看"
    assert Conversation().says(line, candidates=()).script_id == "pitch_main"
    call = Conversation()
    for said in ("可以，你说", "利率是多少", "好的", "可以"):
        call.says(said)
    assert call.decisions[-1].script_id == "qualify_confirm"
    assert call.says("行，要是不收费，你说说", candidates=()).script_id != "closing_registered"


def test_v4_a_refusal_with_its_reason_is_met_by_what_answers_the_reason() -> None:
    call = Conversation()
    call.says("你说")
    reason = [Candidate("q_credit_bad", 0.8)]
    assert call.says("不用了，我以前还款晚过几回", candidates=reason).script_id == "q_credit_bad"
    assert call.says("说了不用了，我还款晚过几回", candidates=reason).script_id == "refusal_close"


def test_a_no_to_the_papers_is_no_refusal_of_the_loan() -> None:
    call = Conversation()
    call.says("你说")
    call.says("发个资料", candidates=[Candidate("q_send_info", 0.9)])
    assert call.says("不用了，我都记下了", candidates=()).script_id == "closing_no_pressure"


def test_v7_a_pardon_about_one_thing_is_answered_by_that_thing() -> None:
    call = Conversation()
    name = [Candidate("q_company", 0.7)]
    assert call.says("没听清，你哪家银行的", candidates=name).script_id == "q_company"
    assert call.says("没听清，再说一遍", candidates=name).script_id == "q_company"


def test_v10_the_same_words_said_with_irritation_end_the_call_with_an_apology() -> None:
    call = Conversation()
    decision = call.says("现在有事，不要说了", ANNOYED)
    assert (decision.script_id, decision.action) == ("apology_close", Action.HANG_UP)
    assert not decision.do_not_call
    assert call.ends().disposition == Disposition.REFUSED


def test_an_objection_to_the_price_is_answered_and_a_later_yes_is_taken() -> None:
    call = Conversation()
    call.says("嗯你说")
    assert call.says("利息太高了").script_id == "obj_rate_high"
    assert call.says("那行吧，我了解一下").script_id == "qualify_invite"
    call.says("好")
    call.says("对，同意")
    assert call.ends().intent_level == IntentLevel.A


def test_v2_an_annoyed_refusing_customer_is_never_called_again() -> None:
    call = Conversation()
    assert call.says("你们烦不烦啊", ANNOYED).script_id == "apology"
    last = call.says("不要再打了", ANNOYED)
    assert (last.script_id, last.action, last.do_not_call) == ("do_not_call", Action.HANG_UP, True)
    outcome = call.ends(EndCause.CUSTOMER_HUNG_UP)
    assert (outcome.disposition, outcome.intent_level) == (Disposition.DO_NOT_CALL, IntentLevel.F)
    assert outcome.opted_out


@pytest.mark.parametrize("before", [[], ["你说"], ["没空"], ["你说", "利率多少", "好的", "可以"], ["不需要"]])
def test_v2_the_wish_not_to_be_called_is_obeyed_in_every_scene(before: list[str]) -> None:
    call = Conversation()
    for line in before:
        call.says(line)
    assert call.says("以后别给我打电话了").do_not_call


def test_v2_the_wish_counts_even_after_the_goodbye_and_if_the_call_then_fails() -> None:
    call = Conversation()
    call.says("我在开车")
    assert call.says("别再打了").do_not_call
    assert call.ends(EndCause.FAILURE).disposition == Disposition.DO_NOT_CALL


def test_v3_nothing_is_said_after_the_goodbye() -> None:
    call = Conversation()
    call.says("你打错了")
    decision = call.says("等等，利率多少")
    assert (decision.action, decision.script_text) == (Action.HANG_UP, "")


def test_a_refused_call_tells_the_product_and_the_objection_that_was_met() -> None:
    call = Conversation()
    call.says("你说")
    met = call.says("这利息也太高了", candidates=[Candidate("obj_rate_high", 0.9)])
    assert met.script_id == "obj_rate_high"
    call.says("算了不需要")
    call.says("真的不用")
    outcome = call.ends()
    assert outcome.disposition is Disposition.REFUSED
    assert outcome.facts["product"] == call.playbook.product
    assert outcome.facts["refusal_reason"] == "利息太高了"
    assert outcome.reasons == ("客户拒绝", "原因：利息太高了", "机器人结束通话")


def test_who_only_says_no_is_given_no_reason_and_who_agrees_none_either() -> None:
    call = Conversation()
    call.says("不需要")
    call.says("真的不用")
    assert "refusal_reason" not in call.ends().facts
    later = Conversation()
    later.says("你说")
    later.says("这利息也太高了", candidates=[Candidate("obj_rate_high", 0.9)])
    later.says("明天下午三点再打给我吧")
    assert later.ends().disposition is Disposition.CALLBACK
    assert "refusal_reason" not in later.ends().facts
    assert Conversation().ends(EndCause.NO_ANSWER).facts == {}


def test_v4_a_first_refusal_gets_one_reason_a_second_one_is_accepted() -> None:
    call = Conversation()
    assert call.says("不需要").script_id == "refusal_soft"
    assert call.says("真的不用").script_id == "refusal_close"
    assert (call.ends().disposition, call.ends().intent_level) == (Disposition.REFUSED, IntentLevel.E)


def test_v4_no_plans_and_no_interest_are_two_refusals() -> None:
    call = Conversation()
    call.says("方便")
    assert call.says("没有啊").script_id == "obj_no_need"
    assert call.says("不需要").action is Action.HANG_UP


def test_v5_a_request_for_a_person_is_obeyed_at_once() -> None:
    call = Conversation()
    decision = call.says("我要找人工客服")
    assert (decision.script_id, decision.action) == ("handover", Action.TRANSFER)
    outcome = call.ends(EndCause.TRANSFERRED)
    assert (outcome.disposition, outcome.intent_level) == (Disposition.TRANSFERRED, IntentLevel.A)


def test_nobody_takes_the_call_so_the_bot_says_so_and_a_callback_is_noted() -> None:
    call = Conversation()
    call.says("帮我转人工客服")
    decision = call.says(SILENCE)  # the line worker asks at once when a transfer has failed
    assert (decision.script_id, decision.action) == ("no_agent", Action.HANG_UP)
    assert not call.state.transferred
    outcome = call.ends()
    assert outcome.disposition is Disposition.CALLBACK
    assert (outcome.facts["callback_time"], outcome.facts["callback_by"]) == ("+30m", "person")
    assert "登记由人工回电" in outcome.reasons[0]


def handing_over(*when: str) -> Conversation:
    return Conversation(playbook=replace(consumer_loan(), handover_when=when))


def test_v22_who_agrees_talks_to_a_person_and_the_consent_is_kept() -> None:
    call = handing_over("intent")
    for line in ("可以，你说", "利率是多少", "好的", "可以"):
        assert call.says(line).action is Action.SAY
    last = call.says("同意")
    assert (last.script_id, last.action) == ("handover", Action.TRANSFER)
    assert last.reasons[0].startswith("V22 ")
    assert call.says(SILENCE).script_id == "no_agent"
    assert call.ends().intent_level == IntentLevel.A


def test_v22_who_is_interested_for_long_talks_to_a_person() -> None:
    call, keen = handing_over("intent"), EmotionLabel.INTERESTED
    call.says("可以，你说", keen)
    assert call.says("利率是多少", keen).script_id == "q_rate"
    assert call.says("那额度呢", keen).script_id == "handover"


def test_v23_an_angry_customer_is_handed_over_where_the_playbook_wants_it_but_no_abuse_and_no_opt_out() -> (
    None
):
    decision = handing_over("anger").says("你们到底想干什么", ANGRY)
    assert (decision.script_id, decision.do_not_call) == ("handover", False)
    assert handing_over("anger").says("滚", ANGRY).do_not_call
    assert handing_over("anger").says("不要再打了", ANGRY).do_not_call
    again = handing_over("anger")
    again.says("你们到底想干什么", ANGRY)
    assert again.says("你们到底想干什么", ANGRY).do_not_call, "nobody is handed over twice"


def test_v11_twice_unclear_goes_to_a_person_where_the_playbook_wants_it() -> None:
    call = handing_over("unclear")
    for line in ("呃那个呃那个呃", "呃呃那个"):
        call.says(line, candidates=[])
    assert call.says("啊呃那", candidates=[]).script_id == "handover"


def test_a_complaint_goes_to_a_person_and_is_no_sign_of_interest() -> None:
    call = Conversation()
    assert call.says("我要投诉你们").action is Action.TRANSFER
    assert call.ends(EndCause.TRANSFERRED).intent_level == IntentLevel.E


@pytest.mark.parametrize("before", [[], ["你说"], ["你说", "利率多少"]])
def test_v6_the_bot_admits_to_be_a_robot(before: list[str]) -> None:
    call = Conversation()
    for line in before:
        call.says(line)
    assert "不是真人" in call.says("你是机器人吗").script_text


def test_v7_a_customer_who_did_not_hear_hears_it_again_then_in_other_words() -> None:
    call = Conversation()
    pitch = call.says("你说")
    assert call.says("没听清").script_text == pitch.script_text
    assert call.says("你再说一遍").script_text == pitch.script_text
    assert call.says("还是没听清").script_text != pitch.script_text


@pytest.mark.parametrize(
    ("text", "disposition"),
    [
        ("您好，您拨打的用户正在通话中，请稍后再拨", Disposition.BUSY),
        ("您拨打的电话已关机", Disposition.UNREACHABLE),
        ("请在提示音后留言", Disposition.VOICEMAIL),
    ],
)
def test_v8_a_machine_is_not_talked_to(text: str, disposition: Disposition) -> None:
    call = Conversation()
    decision = call.says(text)
    assert (decision.action, decision.script_id, decision.script_text) == (Action.HANG_UP, "", "")
    assert call.ends().disposition == disposition


@pytest.mark.parametrize(("text", "script"), [("我在开车呢", "driving"), ("正开会呢", "meeting")])
def test_v9_who_drives_or_sits_in_a_meeting_is_left_at_once(text: str, script: str) -> None:
    call = Conversation()
    decision = call.says(text)
    assert (decision.script_id, decision.action) == (script, Action.HANG_UP)
    assert call.ends().disposition == Disposition.CALLBACK


def test_a_vague_time_is_asked_about_once_then_accepted() -> None:
    call = Conversation()
    call.says("没空")
    assert call.says("随便").script_id == "callback_ask_time"
    last = call.says("都行")
    assert last.action is Action.HANG_UP
    assert "{" not in last.script_text
    assert call.ends().disposition == Disposition.CALLBACK


def test_v11_twice_unclear_ends_politely_or_with_a_person_if_there_is_interest() -> None:
    stranger, interested = Conversation(), Conversation()
    interested.says("你说")
    interested.says("利率多少")
    for call in (stranger, interested):
        first = call.says("呃那个呃那个呃", candidates=[Candidate("q_rate", 0.05), Candidate("q_term", 0.04)])
        second = call.says("呃呃那个", candidates=[])
        assert first.script_text != second.script_text
        assert (first.action, second.action) == (Action.SAY, Action.SAY)
    assert stranger.says("啊呃那", candidates=[]).script_id == "give_up"
    assert interested.says("啊呃那", candidates=[]).script_id == "handover"


def test_an_open_question_stands_through_a_pardon() -> None:
    call = Conversation()
    call.says("你说")
    call.says("呃那个呃那个", candidates=[])
    assert call.says("有啊").script_id == "qualify_use"


def test_v12_a_silent_customer_is_asked_in_other_words_then_released() -> None:
    call = Conversation()
    texts = {call.decisions[0].script_text, call.says(SILENCE).script_text, call.says(SILENCE).script_text}
    assert len(texts) == 3
    assert call.says(SILENCE).action is Action.HANG_UP
    assert call.ends().disposition == Disposition.SILENT


def test_a_silence_is_forgiven_when_the_customer_speaks() -> None:
    call = Conversation()
    call.says(SILENCE)
    assert call.says("可以").script_id == "pitch_main"
    assert call.says(SILENCE).action is Action.SAY


@pytest.mark.parametrize(("text", "confidence"), [("嗯", 0.9), ("同意", 0.2)])
def test_v13_a_mumbled_or_badly_heard_yes_binds_nobody(text: str, confidence: float) -> None:
    call = Conversation()
    for line in ("你说", "利率多少", "好的", "可以"):
        call.says(line)
    asked = call.says(text, confidence=confidence)
    assert (asked.script_id, asked.action) == ("qualify_confirm", Action.SAY)
    assert call.says(text, confidence=confidence).script_id == "farewell"
    assert call.ends().intent_level != IntentLevel.A


def test_v13_no_candidate_however_probable_registers_anything() -> None:
    call = Conversation()
    call.says("你说")
    decision = call.says("同意同意", candidates=[Candidate("closing_registered", 0.99)])
    assert decision.script_id != "closing_registered"


def test_v14_a_script_whose_needs_are_not_met_is_not_said() -> None:
    call = Conversation()
    assert "pitch_flexible" not in call.policy.allowed(call.state, call.playbook)
    call.says("你说")
    assert "pitch_flexible" in call.policy.allowed(call.state, call.playbook)


def test_v15_a_known_name_is_used_and_a_missing_one_avoided() -> None:
    assert Conversation({"customer": "王先生"}).says("你找谁").script_text == "请问您是王先生吗？"
    assert Conversation().says("你找谁").script_text == "请问您是机主本人吗？"
    assert Conversation({"customer": "Mr Wang"}).says("你找谁").script_text == "请问您是机主本人吗？"


def test_v16_a_wrong_number_is_released_and_a_relative_is_only_asked_for_a_time() -> None:
    wrong = Conversation()
    assert wrong.says("你打错了").action is Action.HANG_UP
    assert wrong.ends().disposition == Disposition.WRONG_PERSON
    relative = Conversation()
    assert relative.says("他不在，我是他老婆").script_id == "other_person"
    assert relative.says("晚上七点以后吧").script_text.startswith("好的，今天晚上七点")
    assert relative.ends().disposition == Disposition.CALLBACK
    assert not {"pitch_main", "pitch_short"} & set(relative.scripts)


@pytest.mark.parametrize("text", ["滚", "你他妈的有病吧", "傻逼"])
def test_v17_whoever_swears_is_never_called_again(text: str) -> None:
    assert Conversation().says(text).do_not_call


def test_v17_an_angry_voice_and_words_stop_the_call() -> None:
    assert Conversation().says("你们到底想干什么", ANGRY).do_not_call


def test_a_loud_yes_is_a_yes_and_an_annoyed_question_is_answered_briefly() -> None:
    call = Conversation()
    assert call.says("可以可以", ANNOYED).script_id == "pitch_main"
    answer = call.says("利率多少", ANNOYED)
    assert (answer.script_id, answer.style) == ("q_rate", Style.BRISK)


def test_a_hesitant_customer_is_reassured_softly() -> None:
    call = Conversation()
    call.says("你说")
    decision = call.says("我考虑一下", HESITANT)
    assert (decision.script_id, decision.style) == ("hes_think", Style.SOFT)
    assert call.ends(EndCause.CUSTOMER_HUNG_UP).intent_level == IntentLevel.C


def test_a_script_cut_off_early_was_not_said() -> None:
    call = Conversation()
    call.says("你说")
    assert call.says("喂", heard_ms=900).script_id == "pitch_main"
    call.says("利率多少", heard_ms=900)
    assert "pitched" not in call.state.goals
    assert call.says("好的").script_id == "pitch_main"


def test_a_customer_who_hangs_up_at_once_is_undecided() -> None:
    outcome = Conversation().ends(EndCause.CUSTOMER_HUNG_UP)
    assert (outcome.disposition, outcome.intent_level) == (Disposition.UNDECIDED, IntentLevel.D)


@pytest.mark.parametrize(
    ("cause", "disposition"),
    [
        (EndCause.NO_ANSWER, Disposition.NO_ANSWER),
        (EndCause.BUSY, Disposition.BUSY),
        (EndCause.UNREACHABLE, Disposition.UNREACHABLE),
        (EndCause.NO_MEDIA, Disposition.DROPPED),
        (EndCause.FAILURE, Disposition.DROPPED),
    ],
)
def test_a_call_that_never_became_a_conversation_says_why(cause: EndCause, disposition: Disposition) -> None:
    outcome = Conversation().ends(cause)
    assert outcome.disposition == disposition
    assert outcome.reasons


@pytest.mark.parametrize(
    ("text", "relation"),
    [
        ("可以", Relation.ANSWERS),
        ("利率多少", Relation.ASKS),
        ("利息太高了", Relation.OBJECTS),
        ("对了，你们网点在哪", Relation.CHANGES_TOPIC),
        ("先挂了啊", Relation.CLOSES),
    ],
)
def test_the_relation_to_what_was_said_before(text: str, relation: Relation) -> None:
    call = Conversation()
    call.says("你说")
    assert relate(text, (), call.state, call.playbook) == relation


def test_a_question_asked_again_and_a_yes_taken_back_are_seen() -> None:
    call = Conversation()
    call.says("你说")
    call.says("利率是多少")
    assert relate("利率是多少啊", (), call.state, call.playbook) == Relation.REPEATS
    call = Conversation()
    call.says("可以")
    assert relate("算了，不需要", (), call.state, call.playbook) == Relation.CONTRADICTS


LINES = sorted({line for script in consumer_loan().scripts.values() for line in script.examples})
turns = st.lists(
    st.tuples(st.sampled_from([SILENCE, *LINES]), st.sampled_from(list(EmotionLabel))), max_size=8
)


@settings(max_examples=30, deadline=None)
@given(turns)
def test_no_conversation_breaks_the_rules(lines: list[tuple[str, EmotionLabel]]) -> None:
    call, again = Conversation(), Conversation()
    closed = False
    for text, emotion in lines:
        decision = call.says(text, emotion)
        assert decision == again.says(text, emotion)  # V18
        assert "{" not in decision.script_text  # V15
        assert decision.reasons
        if closed:
            assert decision.script_id in ("", "do_not_call", "no_agent")  # V3; V19 after a transfer
        closed = closed or decision.action is not Action.SAY
    assert codec.decode(DialogueState, codec.encode(call.state)) == call.state
    assert call.ends() == again.ends()


def test_every_rule_named_in_a_reason_is_in_the_table() -> None:
    call = Conversation()
    for line in ("喂", "你说", "不需要", "你是机器人吗", "说了不需要"):
        call.says(line)
    named = {
        reason.split()[0] for decision in call.decisions for reason in decision.reasons if reason[0] == "V"
    }
    assert named
    assert named <= set(RULES)


def test_the_seed_chooses_between_wordings_and_always_the_same() -> None:
    loan = consumer_loan()
    script = replace(loan.scripts["q_rate"], variants=("换个说法。",))
    said = [word(script, Style.NEUTRAL, {}, loan, seed) for seed in range(30)]
    assert set(said) == {script.text, "换个说法。"}
    assert said == [word(script, Style.NEUTRAL, {}, loan, seed) for seed in range(30)]


def test_v2_a_wish_to_be_left_alone_counts_if_it_was_probably_said() -> None:
    call = Conversation()
    decision = call.says("以后比打电话", candidates=(), perhaps={"以后别打电话": 0.6, "以后比大电话": 0.1})
    assert (decision.script_id, decision.do_not_call) == ("do_not_call", True)
    call = Conversation()
    assert not call.says("以后比打电话", candidates=(), perhaps={"以后别打电话": 0.3}).do_not_call


def test_v9_a_customer_who_was_probably_said_to_drive_is_let_go() -> None:
    call = Conversation()
    assert call.says("你在哈车", perhaps={"我在开车": 0.4, "我再开车呢": 0.2}).script_id == "driving"
    call = Conversation()
    assert call.says("你说吧", perhaps={"我在开车": 0.2}).script_id == "pitch_main"


def test_noise_neither_ends_a_call_nor_registers_a_wish() -> None:
    for end in ("do_not_call", "refusal_close"):
        call = Conversation()
        noise = call.says("光光光", candidates=[Candidate(end, 0.9)])
        assert (noise.script_id, noise.do_not_call) == ("unclear_repeat", False)
    assert Conversation().says("光我这儿就够烦了", candidates=[Candidate("do_not_call", 0.9)]).do_not_call


def test_v6_who_asks_whether_an_assistant_speaks_is_answered_and_no_machine() -> None:
    assert Conversation().says("你是语音助手吧").script_id == "robot"


def test_v8_the_model_of_announcements_is_asked_as_in_what_listens_beside_the_dialogue() -> None:
    told = {"这个机主换号了改拨新号": Told(NumberStatus.UNKNOWN, NumberStatus.OUT_OF_REACH)}
    call = Conversation()
    call.policy = RulePolicy(tells=told.get)
    decision = call.says("这个机主换号了改拨新号")
    assert (decision.script_text, decision.action) == ("", Action.HANG_UP)
    assert call.ends().disposition == Disposition.UNREACHABLE
    assert Conversation().says("这个机主换号了改拨新号").script_text
