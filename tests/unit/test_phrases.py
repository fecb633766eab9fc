"""Words that decide by themselves: the customer's wish counts, and nothing else is taken for it."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from voicebot.dialogue import callback, phrases, playbook
from voicebot.dialogue.answers import NO, YES, begins_with_yes, match
from voicebot.dialogue.situation import WordSituationReader
from voicebot.domain.answering import disposition_of
from voicebot.domain.call import Disposition
from voicebot.domain.script import Answer
from voicebot.domain.speech import Transcript
from voicebot.domain.understanding import Situation
from voicebot.registry.resources import playbooks_dir
from voicebot.text.announcements import announced
from voicebot.text.pinyin import distance, heard_in, homophones, syllables

pytestmark = pytest.mark.unit

ANSWERS = (Answer("yes", YES), Answer("no", NO))


@pytest.mark.parametrize(
    "text",
    [
        "不要再打了",
        "你们别再给我打电话了",
        "以后不要打电话给我",
        "不要在打了",  # 再 heard as 在
        "我说了别再打来",
        "请不要再骚扰我了",
        "麻烦把我的号码删了",
        "把我电话从你们名单里去掉吧",
        "你们再打我就投诉",
        "我直接把你拉黑",
        "我不想再接到你们的电话",
        "不需要，以后别打了",
        "能不能别给我打电话了",
        "别联系我了",
        "把我的电话从你们系统里抹掉",
        "我现在撤回授权",
        "别再找我了",
        "不要再给我推销",
        "我不接受任何营销电话",
        "我不想接这种电话",
        "给我拉黑",
        "把我号码清理干净",
        "把我的电话生干净",  # 删
        "以后本打了",  # 甭, which a recogniser seldom writes
        "你们本再打电话",
        "往后奔给我打电话了",
    ],
)
def test_a_wish_to_be_left_alone_is_heard(text: str) -> None:
    assert phrases.opts_out(text)


@pytest.mark.parametrize(
    "text",
    [
        "现在有事，不要说了",
        "我没说不要再打",
        "不是不要打给我，是现在忙",
        "晚上再打吧，现在别打",
        "现在不要打，明天再打给我",
        "上班时间别打电话",
        "不要打给我老婆",
        "不要打断我",
        "利息能不能打折",
        "如果我说不要再打，你们会删掉吗",
        "会不会上黑名单",
        "征信黑名单能办吗",
        "不需要",
        "你再说一遍",
        "会不会打电话给我家里人",
        "我可以不接受营销电话吧",
        "额度不要大的",
        "别的没有了",
        "怎么把我电话挂掉了",
        "把我号码给掉了谁负责",
        "我本来电话就多",
        "我根本打不过来电话",
        "基本打电话都行",
    ],
)
def test_other_words_are_no_wish_to_be_left_alone(text: str) -> None:
    assert not phrases.opts_out(text)


@pytest.mark.parametrize(
    "text",
    [
        "以后别再给我打电话了",
        "你们不要再打过来了",
        "往后甭给我打电话",
        "这种电话以后不要打给我",
        "别再联系我了",
        "不要再骚扰我",
        "不许再给我打电话",
        "把我的号码删掉",
        "别老给我打电话",
    ],
)
def test_no_single_homophone_hides_the_wish_to_be_left_alone(text: str) -> None:
    words = "布补部步憋瘪蹩崩绷泵大答达载在仔找宰的得地店垫点典化画华滑哈来莱赖郭果锅国给我"
    words += "握窝卧系洗西喜连脸练扫嫂绕饶许需续虚准谆山闪善码吗马妈号好豪毫掉吊调后候往网"
    words += "忘以已一要药腰用永老劳捞中种种重这者"
    slips = [
        text[:place] + other + text[place + 1 :]
        for place, char in enumerate(text)
        for other in words
        if other != char and syllables(other) == syllables(char)
    ]
    assert len(slips) > 5
    assert [slip for slip in slips if not phrases.opts_out(slip)] == []


@pytest.mark.parametrize("name", ["consumer_loan", "after_sales"])
def test_no_example_line_of_another_script_sounds_like_a_wish_to_be_left_alone(name: str) -> None:
    book = playbook.load(playbooks_dir() / f"{name}.yaml")
    apart = ("do_not_call", "complaint")  # "再打我报警" is both
    lines = [line for one in book.scripts.values() if one.act not in apart for line in one.examples]
    asked = "能删掉我的信息吗"  # taken for the wish: better once too often
    assert [line for line in lines if phrases.opts_out(line) and line != asked] == []


@pytest.mark.parametrize(
    "text", ["转人工", "我要人工客服", "让你们经理来跟我说", "有没有真人", "我不跟机器人说话", "找个人跟我讲"]
)
def test_a_request_for_a_person_is_heard(text: str) -> None:
    assert phrases.wants_human(text)


@pytest.mark.parametrize(
    "text", ["不用转人工", "你是真人吗", "客户经理什么时候联系我", "我找的是别家银行", "怎么又换个人打来"]
)
def test_other_words_ask_for_no_person(text: str) -> None:
    assert not phrases.wants_human(text)


@pytest.mark.parametrize(
    "text", ["你是机器人吗", "你是不是机器人", "你是真人还是假人", "怎么好像机器人在说", "你是不是录音放的"]
)
def test_the_question_whether_a_robot_speaks_is_heard(text: str) -> None:
    assert phrases.asks_robot(text)


@pytest.mark.parametrize(
    "text", ["不需要", "我不需要，谢谢", "真的没兴趣", "不用了不用了", "我都说了不考虑", "没空，不需要"]
)
def test_a_refusal_is_heard(text: str) -> None:
    assert phrases.refuses(text)


@pytest.mark.parametrize(
    "text",
    [
        "不需要抵押吗",
        "不用还利息吗",
        "需要担保人吗",
        "不要担保人的那种",
        "不用利息的有没有",
        "可以",
        "现在有事，不要说了",
    ],
)
def test_questions_and_a_busy_customer_are_no_refusal(text: str) -> None:
    assert not phrases.refuses(text, busy=True)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("可以", "yes"),
        ("嗯，可以啊", "yes"),
        ("可以，你说吧", "yes"),
        ("好的好的没问题", "yes"),
        ("那行吧", "yes"),
        ("不可以", "no"),
        ("不行", "no"),
        ("我不需要", "no"),
        ("没有啊", "no"),
        ("不同意", "no"),
        ("嗯，那你接着讲吧", "yes"),
        ("行吧，那你说两句", "yes"),
        ("嗯，可以，谢谢", "yes"),
        ("谢谢", None),
        ("说不准", None),
        ("是不是", None),
        ("有没有", None),
        ("可以不用吗", None),
        ("可以提前还吗", None),
        ("好是好就是贵", None),
        ("要不要手续费", None),
    ],
)
def test_only_whole_answers_are_taken(text: str, name: str | None) -> None:
    found = match(text, ANSWERS)
    assert (found.name if found else None) == name


REGISTER = (
    Answer("yes", phrases=(*YES, "登记上", "你给我登记上", "不要打了"), then="a"),
    Answer("no", phrases=(*NO, "不用登记"), then="b"),
)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("好，那你给我登机上", "yes"),  # 登记, misheard
        ("行，登机上吧", "yes"),
        ("步要打了", None),  # 不 is not taken by sound
        ("那不用登机", "no"),
        ("好，那你给我登机票", None),
        ("登机", None),  # too short to be taken by sound
    ],
)
def test_an_answer_within_an_answer_is_taken_by_sound(text: str, name: str | None) -> None:
    found = match(text, REGISTER)
    assert (found.name if found else None) == name


@pytest.mark.parametrize(
    ("text", "begins"),
    [
        ("号，你们记一下吧", True),  # 好, misheard
        ("型，那就这么办", True),
        ("好，你们记一下吧", True),
        ("号你们记一下吧", False),  # not set off: 号码 and many others begin so
        ("号码，你们记一下吧", False),
        ("号", False),
        ("号，那不行", False),
        ("喂，你们记一下吧", False),
    ],
)
def test_a_yes_that_is_set_off_is_known_by_its_sound(text: str, begins: bool) -> None:
    found = begins_with_yes(text, ANSWERS)
    assert (found is not None and found.name == "yes") is begins


@pytest.mark.parametrize(
    ("text", "relative", "spoken"),
    [
        ("明天下午三点吧", "+1d 15:00", "明天下午三点"),
        ("后天上午十点半", "+2d 10:30", "后天上午十点半"),
        ("晚上七点以后", "+0d 19:00", "今天晚上七点"),
        ("明天吧", "+1d 10:00", "明天"),
        ("三点半", "+0d 15:30", "今天下午三点半"),
        ("下午吧", "+0d 15:00", "今天下午"),
        ("名田下舞再说", "+1d 15:00", "明天下午"),
        ("下周三上午", "w+2 10:00", "下周三上午"),
        ("周六", "w5 10:00", "周六"),
        ("周末再打", "w5 10:00", "周六"),
        ("过一个小时再打", "+60m", "一个小时以后"),
        ("半个小时以后", "+30m", "半小时以后"),
        ("过两天再说", "+2d 10:00", "两天以后"),
        ("明天15点", "+1d 15:00", "明天十五点"),
        ("中午十二点", "+0d 12:00", "今天中午十二点"),
    ],
)
def test_a_callback_time_is_understood(text: str, relative: str, spoken: str) -> None:
    assert callback.hear(text) == callback.CallbackTime(relative, spoken)


@pytest.mark.parametrize("text", ["利率几个点", "随便", "可以", "我没时间", "有一点贵", "一点都不想"])
def test_no_callback_time_is_made_up(text: str) -> None:
    assert callback.hear(text) is None


def test_a_relative_time_becomes_a_moment_that_is_never_in_the_past() -> None:
    now = datetime(2026, 11, 23, 16, 0, tzinfo=ZoneInfo("Asia/Shanghai"))  # a Monday
    assert callback.resolve("+1d 15:00", now) == now.replace(day=24, hour=15)
    assert callback.resolve("+0d 15:00", now) == now.replace(day=24, hour=15)
    assert callback.resolve("w2 10:00", now) == now.replace(day=25, hour=10)
    assert callback.resolve("w0 10:00", now) == now.replace(day=30, hour=10)
    assert callback.resolve("w+2 10:00", now) == now.replace(month=12, day=2, hour=10)
    assert callback.resolve("+60m", now) == now.replace(hour=17)


@pytest.mark.parametrize(
    ("text", "disposition"),
    [
        ("您好，您拨打的用户正在通话中，请稍后再拨", Disposition.BUSY),
        ("你拨打的电话已关机", Disposition.UNREACHABLE),
        ("您播打的号码是空号请核对后再播", Disposition.UNREACHABLE),
        ("您拨打的电话暂时无人接听", Disposition.NO_ANSWER),
        ("请在滴声后留言", Disposition.VOICEMAIL),
        ("你好我是机主的智能助理请问您找他有什么事", Disposition.VOICEMAIL),
        ("Sorry, the number you dialed is power off", Disposition.UNREACHABLE),
    ],
)
def test_an_announcement_is_told_from_a_person(text: str, disposition: Disposition) -> None:
    found = announced(text)
    assert found is not None
    assert disposition_of(found) == disposition


@pytest.mark.parametrize("text", ["喂你好", "我在打电话呢", "你是智能机器人吗", "我手机没电了要关机了"])
def test_a_person_is_no_announcement(text: str) -> None:
    assert announced(text) is None


@pytest.mark.parametrize(
    ("text", "situation"),
    [
        ("我在开车呢", Situation.DRIVING),
        ("正在开会", Situation.MEETING),
        ("现在有点忙", Situation.BUSY),
        ("没空", Situation.BUSY),
        ("真没功夫", Situation.BUSY),
        ("美工夫听你说", Situation.BUSY),  # by its sound
        ("骑着电动车呢", Situation.DRIVING),
        ("正骑三轮呢", Situation.DRIVING),
        ("在起电瓶车", Situation.DRIVING),  # by its sound
        ("我改天骑电动车过去", Situation.FREE),
        ("现在有事，不要说了", Situation.BUSY),
        ("我是他老婆，他不在", Situation.OTHER_PERSON),
        ("我不忙，你说吧", Situation.FREE),
        ("没在开车", Situation.FREE),
        ("利率多少", Situation.FREE),
        ("方不方便提前还", Situation.FREE),
    ],
)
def test_the_customers_situation_is_read_from_words(text: str, situation: Situation) -> None:
    assert WordSituationReader().read(Transcript(text), None, Situation.FREE) == situation


@pytest.mark.parametrize(
    "text",
    [
        "行，叫他下午打给我",
        "没问题，你让经理联系我",
        "对对，同意，快点就行",
        "好的，给我登记上",
        "可以，安排人找我吧",
    ],
)
def test_a_longer_yes_to_being_called_is_heard(text: str) -> None:
    assert phrases.consents(text)


@pytest.mark.parametrize(
    "text",
    [
        "可以是可以，就是别打给我单位",
        "同意什么呀",
        "先别联系我",
        "让他打给我老婆吧",
        "我考虑一下再同意",
        "你们会不会打给我家里人",
        "登记了以后几天联系我",
        "我不同意",
        "好的",
    ],
)
def test_other_words_are_no_yes_to_being_called(text: str) -> None:
    assert not phrases.consents(text)


@pytest.mark.parametrize(
    ("text", "situation"),
    [
        ("我在盲呢", Situation.BUSY),
        ("我正在芒不说了", Situation.BUSY),
        ("现在不放便", Situation.BUSY),
        ("没食间听这个", Situation.BUSY),
        ("我在开灰", Situation.MEETING),
        ("正在凯车", Situation.DRIVING),
        ("再高速上", Situation.DRIVING),
    ],
)
def test_the_situation_is_read_through_a_homophone(text: str, situation: Situation) -> None:
    assert WordSituationReader().read(Transcript(text), None, Situation.FREE) is situation


def test_a_reproach_behind_a_refusal_asks_for_nothing() -> None:
    assert not phrases.asks_again("我说不用了没听见吗")
    assert phrases.refuses("我说不用了没听见吗")
    assert phrases.asks_again("没听见，再说一遍")


@pytest.mark.parametrize("text", ["那谢谢了，载见啊", "拜拜", "好，先挂了"])
def test_a_goodbye_is_heard(text: str) -> None:
    assert phrases.closes(text)


def test_a_relative_s_telephone_is_no_abuse() -> None:
    assert not phrases.abuses("我妈的首机，她出去了")
    assert phrases.abuses("妈的，又来")


def test_driving_lasts_until_the_words_say_otherwise() -> None:
    read = WordSituationReader().read
    assert read(Transcript("嗯"), None, Situation.DRIVING) == Situation.DRIVING
    assert read(Transcript("你说吧，现在可以"), None, Situation.DRIVING) == Situation.FREE
    assert read(Transcript("利率多少"), None, Situation.BUSY) == Situation.FREE


def test_texts_are_compared_by_sound() -> None:
    assert syllables("利率，多少？") == ("li", "lü", "duo", "shao")
    assert distance("利率多少", "利绿多少") == 0
    assert distance("十分", "四分") < distance("十分", "三分")
    assert distance("", "可以") == 1
    assert homophones("不用了", "不用乐") is False or syllables("不用了") == syllables("不用乐")
    assert not homophones("不同意", "普同意")
    assert heard_in("您拨打的", "你好，您播打的用户")
