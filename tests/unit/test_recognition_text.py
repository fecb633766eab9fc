"""Texts of recognition: normal form, distances, short answers, guards."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicebot.speech.recognition.answers import Expected, agree, may_replace, merge, second_stage, sounding
from voicebot.speech.recognition.guards import invented
from voicebot.speech.recognition.language import CharacterModel
from voicebot.speech.recognition.topic import Topic
from voicebot.text.distance import character_error, edits, syllable_error
from voicebot.text.normalise import comparable, normalise

pytestmark = pytest.mark.unit

HANZI = st.text("不没要可以是好行用需对步美腰", max_size=6)


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        ("設定29度, 好嗎?", "设定二十九度，好吗？"),
        ("利率是3.5%", "利率是百分之三点五"),
        ("2015年", "二零一五年"),
        ("1,000,000元", "一百万元"),
        ("1,399,636,635,239元", "一三九九六三六六三五二三九元"),
        ("电话13800000000", "电话一三八零零零零零零零零"),
        ("０５７１", "零五七一"),
        ("我 要 APP 下载", "我要APP下载"),
        ("안녕 하세요", "안녕 하세요"),
        ("", ""),
    ],
)
def test_text_is_stored_in_one_form(written: str, stored: str) -> None:
    assert normalise(written) == stored


def test_comparison_ignores_punctuation_case_and_spaces() -> None:
    assert comparable("好 的，OK！") == comparable("好的ok")


def test_character_error_counts_edits_by_characters_said() -> None:
    assert character_error([("不需要，谢谢", "不需要谢"), ("好", "好")]) == pytest.approx(1 / 6)


def test_homophones_are_no_syllable_error() -> None:
    pairs = [("利率多少", "力率多少")]
    assert (syllable_error(pairs), character_error(pairs)) == (0.0, 0.25)


def test_text_where_nothing_was_said_is_an_error() -> None:
    assert character_error([("", "你好")]) == 1.0
    assert character_error([("", "")]) == 0.0


@given(HANZI, HANZI)
def test_edits_are_symmetric_and_bounded(one: str, other: str) -> None:
    assert edits(one, other) == edits(other, one)
    assert abs(len(one) - len(other)) <= edits(one, other) <= max(len(one), len(other))


EXPECTED = Expected(["不需要", "需要", "可以", "方便", "没有", "买", "卖"])


@pytest.mark.parametrize(
    ("heard", "text", "method"),
    [
        ("不需要。", "不需要。", "list"),
        ("步需要", "不需要", "homophone"),
        ("可信", "可信", "1-best"),
        ("刻以", "可以", "homophone"),
        ("迈", "迈", "1-best"),  # 买 or 卖: nothing tells
        ("我不需要这个", "我不需要这个", "1-best"),  # the whole answer, never a part
        ("普需要", "普需要", "1-best"),
        ("", "", "1-best"),
    ],
)
def test_a_short_answer_is_taken_from_the_list_as_a_whole(heard: str, text: str, method: str) -> None:
    corrected = EXPECTED.correct(heard)
    assert (corrected.text, corrected.method) == (text, method)


TOPIC = Topic(
    ["我想找人工客服", "人工客服有吗", "可以提前还款吗", "我不想提前还款", "利息多少", "每月还款多少"],
    ["人工客服", "提前还款"],
)


@pytest.mark.parametrize(
    ("hypotheses", "text", "method"),
    [
        ([("我想找人工克服。", -2.6)], "我想找人工客服。", "lexicon"),
        ([("可以提前海款吗", -2.0), ("可以提前还款吗？", -2.3)], "可以提前还款吗？", "n-best"),
        ([("利息多少？", -1.0), ("力西多少", -0.9)], "利息多少？", "1-best"),
        ([("我想提前还款", -2.0), ("我不想提前还款", -2.1)], "我想提前还款", "1-best"),  # polarity stays
        ([("股市今天大幅下跌", -2.0), ("古诗今天大幅下跌", -2.1)], "股市今天大幅下跌", "1-best"),  # off topic
        ([], "", "1-best"),
    ],
)
def test_what_is_known_of_the_talk_chooses_among_what_was_probably_said(
    hypotheses: list[tuple[str, float]], text: str, method: str
) -> None:
    chosen = TOPIC.choose(hypotheses)
    assert (chosen.text, chosen.method) == (text, method)


def test_what_may_have_been_said_instead_is_kept_with_its_share() -> None:
    heard = [("我想提前还款", -1.0), ("我不想提前还款", -2.0), ("你好", -40.0)]
    chosen = TOPIC.choose(heard)
    assert chosen.text == "我想提前还款"
    (other,) = chosen.others  # what denies is never chosen, but may have been said
    assert other.text == "我不想提前还款"
    assert 0.3 < other.share < 0.7
    assert TOPIC.choose([("我想提前还款", -1.0), ("我不想提前还款", -30.0)]).others == ()


def test_a_mended_word_leaves_the_punctuation_in_place() -> None:
    chosen = TOPIC.choose([("我想找，人工克服。", -2.6)])
    assert (chosen.text, chosen.method) == ("我想找，人工客服。", "lexicon")


def test_only_what_is_chosen_is_spelt_however_many_words_sound_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    spelt: list[str] = []

    def spell(text: str) -> str:
        spelt.append(text)
        return text

    monkeypatch.setattr("voicebot.speech.recognition.topic.normalise", spell)
    alike = ["".join(pair) for pair in itertools.product("课刻科可渴", "服福符扶浮")]
    topic = Topic(["我想找人工客服", "人工客服有吗"], ["人工客服", *alike])
    chosen = topic.choose([("我想找，人工克服。", -2.6), ("我想找人工科服", -2.7)])
    assert chosen.text == "我想找，人工客服。"
    assert len(spelt) <= 2


def test_off_topic_what_was_heard_without_a_prompt_is_believed() -> None:
    chosen = TOPIC.choose([("古诗今天大幅下跌", -2.0)], [("股市今天大幅下跌", -2.4)])
    assert (chosen.text, chosen.method) == ("股市今天大幅下跌", "1-best")


def test_a_line_is_not_cut_short_because_less_is_likelier() -> None:
    chosen = TOPIC.choose([("我想找人工客服", -3.0), ("我", -2.6)])
    assert chosen.text == "我想找人工客服"


YES_NO = (("可以", "好的", "行"), ("不可以", "不行", "不用"), ("晚点", "改天"))


def scored(scores: dict[str, float]) -> Callable[[Sequence[str], float], list[float]]:
    return lambda phrases, floor: [scores.get(phrase, -math.inf) for phrase in phrases]


@pytest.mark.parametrize(
    ("scores", "heard", "text"),
    [
        ({"可以": -0.4, "不可以": -3.0}, "可一", "可以"),
        ({"不行": -4.0, "不用": -4.2}, "步形", "不行"),  # one meaning: no margin between its phrases
        ({"可以": -4.2, "晚点": -4.9}, "可", None),  # two meanings too close
        ({"可以": -5.5}, "可", None),  # too unlikely
        ({"可以": -0.1}, "不可以", None),  # a negation that was heard never vanishes
        ({"不可以": -0.1}, "可以", None),  # nor is one made up
        ({}, "什么", None),
    ],
)
def test_the_second_stage_takes_what_the_sound_says_or_asks_back(
    scores: dict[str, float], heard: str, text: str | None
) -> None:
    taken = second_stage(YES_NO, scored(scores), heard)
    assert (taken and taken.text) == text
    if taken is not None:
        assert taken.method == "trie"
        assert 0.7 < taken.belief <= 1


@given(HANZI, HANZI)
def test_what_is_known_of_the_talk_never_adds_or_removes_a_negation(first: str, second: str) -> None:
    topic = Topic(["不可以", "可以", "没需要", "需要", "不是好用"], ["可以", "需要"])
    chosen = topic.choose([(first, -1.0), (second, -1.1)]).text
    assert [char for char in chosen if char in "不没"] == [char for char in first if char in "不没"]


def test_the_character_model_likes_what_it_has_seen_() -> None:
    model = CharacterModel(["提前还款", "提前还清"])
    assert model.per_character("提前还款") > model.per_character("提前海款") > model.per_character("谁知道呢")


@given(HANZI, HANZI)
def test_a_negation_that_was_heard_never_vanishes(heard: str, phrase: str) -> None:
    if may_replace(heard, phrase):
        for said, meant in zip(heard, phrase, strict=True):
            assert said not in "不没" or said == meant


@given(HANZI, st.lists(HANZI))
def test_correction_keeps_the_number_of_syllables(heard: str, phrases: list[str]) -> None:
    assert len(comparable(Expected(phrases).correct(heard).text)) == len(comparable(heard))


def test_texts_that_sound_the_same_are_one_in_certainty_but_never_across_a_negation() -> None:
    heard = {"对得没错": 0.4, "对的没错": 0.35, "对待没错": 0.1, "对得美错": 0.15}
    assert sounding(heard, "对的没错。") == pytest.approx(0.75)
    assert sounding({"部可以": 0.6, "不可以": 0.4}, "不可以") == 0.4
    assert sounding({"可以": 1.0}, "同意") == 0


def test_hypotheses_with_the_same_words_share_their_probability() -> None:
    posterior = merge([("好的。", -1.0), ("好的", -1.0), ("号的", -1.0)])
    assert list(posterior) == ["好的", "号的"]
    assert posterior["好的"] == pytest.approx(2 / 3)
    assert merge([]) == {}


@pytest.mark.parametrize(
    ("prompted", "unprompted", "text", "doubted"),
    [
        ("可以。", "可以", "可以。", False),
        ("明白。", "明吧", "明白。", False),
        ("可以。", "贵", "可以。", True),  # made up by the prompt
        ("对。", "2", "对。", True),
        ("可以", "可以提前还吗", "可以提前还吗", False),
        ("可以", "", "可以", True),
    ],
)
def test_a_short_answer_that_only_the_prompt_suggests_is_doubted(
    prompted: str, unprompted: str, text: str, doubted: bool
) -> None:
    believed, belief = agree(prompted, unprompted)
    assert believed == text
    assert (belief < 0.5) is doubted


@pytest.mark.parametrize(
    ("text", "voiced_s"),
    [
        ("请不吝点赞 订阅 转发 打赏支持明镜与点点栏目", 6.0),
        ("谢谢大家观看", 1.0),
        ("我们我们我们我们我们我们我们", 4.0),
        ("这个产品的利率是多少我想问一下可以分期还款吗谢谢", 0.3),
    ],
)
def test_inventions_are_caught(text: str, voiced_s: float) -> None:
    assert invented(text, voiced_s, -0.9)


@pytest.mark.parametrize("text", ["是", "好", "不用", "对对对", "谢谢", "不用谢谢", "嗯", "我在看字幕呢好吧"])
def test_short_answers_are_no_inventions(text: str) -> None:
    assert not invented(text, 0.2 + 0.15 * len(text), -1.8)
