"""A machine is known by words that no table lists; people are never taken for one."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from voicebot.domain.answering import NumberStatus, Told
from voicebot.domain.errors import DataError, ModelError
from voicebot.registry.resources import models_dir
from voicebot.speech.answering import grammar as grammars
from voicebot.speech.answering import training
from voicebot.speech.answering.grammar import Grammar, Sentence, cut, misheard, sentence
from voicebot.speech.answering.wording import LABELS, WordingModel
from voicebot.text.announcements import by_table
from voicebot.text.pinyin import syllables

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def model() -> WordingModel:
    return WordingModel.load([models_dir()])


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("对不起您拨打的电话与关节", NumberStatus.SWITCHED_OFF),
        ("您好您播打的电话以情形", NumberStatus.SUSPENDED),
        ("您好，您拨打的用户正在通过", NumberStatus.BUSY),
        ("您好。谢陆正盲。请稍后再步", NumberStatus.CONGESTED),
        ("您好您播打的用户暂时无法", NumberStatus.OUT_OF_REACH),
        ("您好您不打的电话正", NumberStatus.UNKNOWN),
        ("您好您不打的电话正在通", NumberStatus.BUSY),
        ("您好，您拨打的用户", NumberStatus.UNKNOWN),
        ("您好，我是王先生的智能小助理，请问有什么事", NumberStatus.MAILBOX),
        ("您呼叫的号码刚刚被对方按掉了", NumberStatus.UNKNOWN),
    ],
)
def test_an_announcement_is_told_even_when_it_is_half_heard_or_worded_anew(
    model: WordingModel, text: str, status: NumberStatus
) -> None:
    told = model.told(text)
    assert told is not None
    assert told.status is status


@pytest.mark.parametrize(
    "text",
    [
        *("喂，你好", "我在打电话呢，等会儿再说", "我手机快没电了要关机了", "我现在不方便接电话", "你打错了"),
        *("我在开会请稍后再打", "你们线路不好我听不清", "网络不好请稍后再打给我", "用户是我爱人"),
        *("不需要，别打了", "我正忙着呢", "你说的那个号码我不知道", "这个用户是谁", "帮我留个言吧", ""),
        *("您好，这里是大华公司，请问您找哪位", "他不在，有什么事我帮您转达", "您好"),
    ],
)
def test_a_person_is_no_machine(model: WordingModel, text: str) -> None:
    assert model.told(text) is None


def test_a_kind_that_nobody_said_is_not_guessed(model: WordingModel) -> None:
    nothing = Told(NumberStatus.UNKNOWN, NumberStatus.UNKNOWN)
    assert model.told("您好，您拨打的用户") == nothing
    assert by_table("您拨打的用户已关机") == Told(NumberStatus.SWITCHED_OFF, NumberStatus.SWITCHED_OFF)
    assert by_table("喂你好") is None


def little() -> Grammar:
    return Grammar(
        parts={"opening": ("您好",), "hello": ("喂",), "who": ("您拨打的用户~", "对方")},
        machines={NumberStatus.SWITCHED_OFF: ("<opening><who>[已关机]=请稍后再拨",)},
        people=("<hello>[哪位/找谁]",),
    )


def test_a_sentence_knows_from_where_on_it_tells_what() -> None:
    words, line = little(), little().machines[NumberStatus.SWITCHED_OFF][0]
    made = {sentence(line, NumberStatus.SWITCHED_OFF, words, random.Random(n)) for n in range(20)}
    assert {one.sounds: (one.neutral, one.machine, one.kind) for one in made} == {
        syllables("您好您拨打的用户已关机请稍后再拨"): (2, 8, 11),
        syllables("您好对方已关机请稍后再拨"): (2, 7, 7),
    }


def test_what_is_cut_off_is_a_machine_only_where_it_was_said() -> None:
    told = Sentence("x", syllables("您好您拨打的用户已关机"), NumberStatus.SWITCHED_OFF, 2, 8, 11)
    dice = random.Random(1)
    found = {len(part[0]): part[1] for _ in range(500) if (part := cut(told, dice)) is not None}
    assert found == {
        **dict.fromkeys((1, 2)),
        **dict.fromkeys((8, 9), NumberStatus.UNKNOWN),
        11: NumberStatus.SWITCHED_OFF,
    }


def test_sounds_are_misheard_at_the_rate_that_is_asked_for() -> None:
    sounds = syllables("您好您拨打的用户已关机请稍后再拨") * 50
    assert misheard(sounds, 0.0, ["a"], random.Random(1)) == list(sounds)
    heard = misheard(sounds, 0.2, ["a"], random.Random(1))
    kept = sum(heard.count(sound) for sound in set(heard) & set(sounds))
    assert 0.75 <= kept / len(sounds) <= 0.95


def test_a_trained_model_survives_its_file_and_learns_what_it_was_taught(tmp_path: Path) -> None:
    kinds = {NumberStatus.SWITCHED_OFF: "已关机", NumberStatus.BUSY: "正在通话"}
    words = Grammar(
        parts={"opening": ("", "您好"), "hello": ("喂", "你好"), "who": ("您拨打的用户~", "您呼叫的号码~")},
        machines={
            status: tuple(
                f"<opening><who>{kind}={tail}" for tail in ("请稍后再拨", "请挂机", *"一二三四五六七八")
            )
            for status, kind in kinds.items()
        },
        people=tuple(
            f"<hello>{text}" for text in ("哪位", "找谁", *"天地玄黄宇宙洪荒日月盈昃辰宿列张寒来暑往")
        ),
    )
    manifest = training.train(words, ["我想找一家酒店"], tmp_path / "answering" / "1", seed=1, data="test")
    assert manifest.metrics["disposition_right"] == 1.0
    assert manifest.metrics["human_called_machine"] == 0.0
    told = WordingModel.load([tmp_path]).told("您呼叫的号码正在通话")
    assert told is not None
    assert told.likeliest is NumberStatus.BUSY


def test_too_few_wordings_talk_that_is_none_and_a_changed_model_are_said(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="lines"):
        training.train(little(), [], tmp_path / "answering" / "1", seed=1, data="")
    with pytest.raises(DataError, match="no talk"):
        training.read_talk(tmp_path / "missing.txt")
    with pytest.raises(DataError, match="no file of wordings"):
        grammars.load(tmp_path / "missing.yaml")
    with pytest.raises(ModelError):
        WordingModel.load([tmp_path])


def test_talk_is_read_from_lines_and_from_dialogues(tmp_path: Path) -> None:
    (tmp_path / "talk.txt").write_text("你好\n\n再见\n", "utf-8")
    told = {"train": [{"ctx": [["A", "您好"], ["C", "找酒店"]]}]}
    (tmp_path / "talk.json").write_text(json.dumps(told), "utf-8")
    assert training.read_talk(tmp_path / "talk.txt") == ["你好", "再见"]
    assert training.read_talk(tmp_path / "talk.json") == ["您好", "找酒店"]
    assert len(training.read_talk(tmp_path / "talk.txt", most=1)) == 1


def test_every_status_but_fax_is_a_label() -> None:
    assert {*LABELS} == {"person", *NumberStatus} - {NumberStatus.FAX}
