"""Texts of recognition: normal form, distances, short answers, guards."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicebot.speech.recognition.answers import Expected, agree, may_replace, merge
from voicebot.speech.recognition.guards import invented
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


@given(HANZI, HANZI)
def test_a_negation_that_was_heard_never_vanishes(heard: str, phrase: str) -> None:
    if may_replace(heard, phrase):
        for said, meant in zip(heard, phrase, strict=True):
            assert said not in "不没" or said == meant


@given(HANZI, st.lists(HANZI))
def test_correction_keeps_the_number_of_syllables(heard: str, phrases: list[str]) -> None:
    assert len(comparable(Expected(phrases).correct(heard).text)) == len(comparable(heard))


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
