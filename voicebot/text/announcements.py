"""Announcements by their words: what networks, mailboxes and assistants say instead of a person."""

from __future__ import annotations

import re
from collections.abc import Mapping

from voicebot.domain.answering import NumberStatus, Told
from voicebot.text.pinyin import heard_in, syllables

# By sound, so that homophone slips do not hide an announcement. First match wins, so what sends the caller
# elsewhere stands before what networks say on the way there.
_CHINESE: Mapping[NumberStatus, tuple[str, ...]] = {
    NumberStatus.MAILBOX: (
        *("后留言", "请留言", "语音信箱", "语音留言", "提示音后", "提示音之后", "嘀声后", "滴声后"),
        *("嘟声后", "录制留言", "留下您的", "机主现在", "智能助理", "语音助理", "语音助手"),
        *(
            "来电秘书",
            "电话秘书",
            "语音秘书",
            "智能秘书",
            "通信助理",
            "电话助理",
            "电话助手",
            "来电助理",
            "来电助手",
        ),
        *("留言服务",),
    ),
    NumberStatus.BUSY: (
        *("正在通话", "用户正忙", "您拨的电话正忙", "电话正忙", "用户忙", "正在通讯中", "正在占线"),
    ),
    NumberStatus.NO_ANSWER: ("无人接听", "无人应答", "没有应答", "没有人接听"),
    NumberStatus.SWITCHED_OFF: ("已关机", "已经关机", "处于关机"),
    NumberStatus.SUSPENDED: ("已停机", "已经停机", "欠费停机"),
    NumberStatus.VACANT: (
        *("是空号", "为空号", "号码不存在", "号码有误", "号码是空", "核对后再拨", "查证后再拨", "号码未启用"),
    ),
    NumberStatus.CONGESTED: ("线路正忙", "线路忙", "网络忙", "网络正忙", "话务繁忙"),
    NumberStatus.OUT_OF_REACH: (
        *("无法接通", "不在服务区", "无法接听", "不方便接听您的来电", "已启用短信", "短信通知"),
        *("来电提醒", "来电提示"),
    ),
    NumberStatus.BARRED: ("暂停服务", "呼入限制", "限制呼入", "呼叫限制", "呼入受限", "拒绝接收", "停止服务"),
    NumberStatus.UNKNOWN: (
        *("您拨打的", "您所拨打的", "您拨叫的", "您呼叫的", "您拨的"),
        *("你所拨打的", "请稍后再拨", "稍候再拨"),
    ),
}
_ENGLISH: Mapping[NumberStatus, str] = {
    NumberStatus.MAILBOX: r"voice ?mail|leave (a|your) message|after the (tone|beep)|record your message",
    NumberStatus.BUSY: r"(is|line is) busy|(is|be) on the (phone|line)|in (a |)conversation|engaged",
    NumberStatus.NO_ANSWER: r"not? answer(ed|ing|)|nobody answers|is not available to answer",
    NumberStatus.SWITCHED_OFF: r"power(ed|) off|switched off|turned off",
    NumberStatus.SUSPENDED: r"out of service|suspended|been disconnected|no longer in service",
    NumberStatus.VACANT: r"does not exist|not in service|not valid|check the number|vacant|unallocated",
    NumberStatus.CONGESTED: r"circuits are busy|network is busy|lines? (is|are) busy",
    NumberStatus.OUT_OF_REACH: r"can ?not be (connected|reached)|not reachable|out of (reach|range|coverage)"
    r"|(be|is) unavailable|not be connected",
    NumberStatus.BARRED: r"barring|restricted|not accept(ing|) (incoming |)calls",
    NumberStatus.UNKNOWN: r"(number|subscriber|customer|person|party|user) (that |)you('re| are| have|'ve|) "
    r"(dial|call|reach|try)|redial|call again later|dial again|try again later",
}
_WORDS = {status: re.compile(pattern) for status, pattern in _ENGLISH.items()}

_HEAD = re.compile("^(您拨的|用户|电话|号码)+")  # stands before every kind, so it tells none
_LEAST_LETTERS = 7  # of a phrase, to be told by its likeness
_KINDS: Mapping[NumberStatus, tuple[str, ...]] = {
    status: tuple(
        letters
        for phrase in phrases
        if len(letters := "".join(syllables(_HEAD.sub("", phrase)))) >= _LEAST_LETTERS
    )
    for status, phrases in _CHINESE.items()
    if status is not NumberStatus.UNKNOWN
}
_HEADS = ("您拨打的用户", "您拨打的号码", "您拨打的电话", "您拨叫的用户")
_HEAD_NEAR = 0.15  # of the letters
_KIND_NEAR = 0.26
_KIND_MARGIN = 0.1  # to the nearest phrase of another kind


def announced(text: str) -> NumberStatus | None:
    """Return what an announcement says of the number; None if a person may be speaking.

    UNKNOWN: an announcement for certain, its kind not heard yet. The wording follows what Chinese networks
    announce; English halves of announcements count too. Words that no table lists are told by a trained
    model: `speech/answering/wording.py`.
    """
    for status, phrases in _CHINESE.items():
        if any(heard_in(phrase, text) for phrase in phrases):
            return status
    lowered = text.lower()
    return next((status for status, words in _WORDS.items() if words.search(lowered)), None)


def by_table(text: str) -> Told | None:
    """Tell the wording that is known for certain."""
    found = announced(text)
    return None if found is None else Told(found, found)


def alike(text: str) -> NumberStatus | None:
    """Return what half-heard words are nearest to, letter by letter: 以情形 is 已停机. Some 20 ms.

    Only for words that are likely a machine's. None: near to nothing; UNKNOWN: near to how they begin.
    """
    said = "".join(syllables(text))
    (best, status), (second, _) = sorted(
        (min(_apart(phrase, said) for phrase in phrases), status) for status, phrases in _KINDS.items()
    )[:2]
    if best <= _KIND_NEAR and second - best >= _KIND_MARGIN:
        return status
    head = min(_apart("".join(syllables(one)), said) for one in _HEADS)
    return NumberStatus.UNKNOWN if head <= _HEAD_NEAR else None


def _apart(phrase: str, text: str) -> float:
    """Return how far a phrase's letters are from the likest stretch of a text, 0-1 (Sellers 1980)."""
    row = [0] * (len(text) + 1)  # the phrase may begin anywhere
    for index, wanted in enumerate(phrase, 1):
        previous, row[0] = row[0], index
        for at, said in enumerate(text, 1):
            cost = previous + (wanted != said)
            previous, row[at] = row[at], min(cost, row[at] + 1, row[at - 1] + 1)
    return min(row) / len(phrase)


def may_offer_mailbox(text: str) -> bool:
    """Whether an announcement may go on to offer a mailbox: somebody can not take the call just now."""
    return any(heard_in(phrase, text) for phrase in ("无法接听", "不能接听", "不方便接", "无人接听"))
