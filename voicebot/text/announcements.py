"""Announcements by their words: what networks, mailboxes and assistants say instead of a person."""

from __future__ import annotations

import re
from collections.abc import Mapping

from voicebot.domain.answering import NumberStatus
from voicebot.text.pinyin import heard_in, syllables

# By sound, so that homophone slips do not hide an announcement. First match wins, so what sends the caller
# elsewhere stands before what networks say on the way there.
_CHINESE: Mapping[NumberStatus, tuple[str, ...]] = {
    NumberStatus.MAILBOX: (
        *("后留言", "请留言", "语音信箱", "语音留言", "提示音后", "提示音之后", "嘀声后", "滴声后"),
        *("嘟声后", "录制留言", "留下您的", "我是机主的", "机主现在", "智能助理", "语音助理", "语音助手"),
        *("来电秘书", "电话秘书", "通信助理", "代接", "帮您转达", "为您转达", "留言服务"),
    ),
    NumberStatus.BUSY: (
        *("正在通话", "用户正忙", "您拨的电话正忙", "电话正忙", "用户忙", "正在通讯中", "正在占线"),
    ),
    NumberStatus.NO_ANSWER: ("无人接听", "无人应答", "没有应答", "没有人接听"),
    NumberStatus.SWITCHED_OFF: ("已关机", "已经关机", "处于关机"),
    NumberStatus.SUSPENDED: ("已停机", "已经停机", "停机了", "欠费停机"),
    NumberStatus.VACANT: (
        *("是空号", "为空号", "号码不存在", "号码有误", "号码是空", "核对后再拨", "查证后再拨", "号码未启用"),
    ),
    NumberStatus.CONGESTED: ("线路正忙", "线路忙", "网络忙", "网络正忙", "话务繁忙"),
    NumberStatus.OUT_OF_REACH: (
        *("无法接通", "不在服务区", "无法接听", "不方便接听您的来电", "已启用短信", "短信通知"),
        *(
            "来电提醒",
            "来电提示",
        ),
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


# Said alone, without a number or a user before it, and long enough to be known when it is half understood.
_WHOLE: Mapping[NumberStatus, tuple[str, ...]] = {
    NumberStatus.CONGESTED: ("线路正忙请稍后再拨", "网络忙请稍后再拨", "网络忙请您稍后再拨"),
    NumberStatus.BUSY: ("请不要挂机您拨打的用户正在通话中",),
    NumberStatus.BARRED: ("该用户已设置呼入限制", "暂时不能接听您的来电"),
    NumberStatus.MAILBOX: ("请在提示音后留言", "请在嘀声后留言", "欢迎使用语音信箱", "我是机主的智能助理"),
}
_HEAD = re.compile("^(您拨的|用户|电话|号码)+")  # stands before every kind, so it tells none
_LEAST_LETTERS = 7  # of a phrase, to be told by its likeness
_KINDS: Mapping[NumberStatus, tuple[str, ...]] = {
    status: tuple(
        kind
        for phrase in phrases
        if (kind := _HEAD.sub("", phrase)) and len("".join(syllables(kind))) >= _LEAST_LETTERS
    )
    for status, phrases in _CHINESE.items()
    if status is not NumberStatus.UNKNOWN
}
# Half heard, such as 您不打的用户: alone an announcement only if it is near, else with a kind.
_HEADS = ("您拨打的用户", "您拨打的号码", "您拨打的电话", "您拨叫的用户", "请不要挂机")
_HEAD_NEAR = 0.15
_HEAD_FAR = 0.3
_WHOLE_DISTANCE = 0.2  # of a phrase's letters; people's sentences lie beyond
_KIND_DISTANCE = 0.26  # where it is certain that a network speaks
_KIND_MARGIN = 0.1  # to the nearest phrase of another kind
_CUT = 0.6  # of a phrase, and three syllables, must be there if the text breaks off in it


def announced(text: str, *, half_heard: bool = False) -> NumberStatus | None:
    """Return what an announcement says of the number; None if a person may be speaking.

    UNKNOWN: an announcement for certain, its kind not heard yet. The wording follows what Chinese networks
    announce; English halves of announcements count too. `half_heard`: the text may break off or be misheard,
    so likeness counts as well; that costs some 20 ms.
    """
    found = _exactly(text)
    if not half_heard:
        return found
    said = "".join(syllables(text))
    head = min(_distance(one, said, whole=True) for one in _HEADS)
    if found is NumberStatus.UNKNOWN or (found is None and head <= _HEAD_NEAR):
        return _nearest(said, _KINDS, _KIND_DISTANCE) or NumberStatus.UNKNOWN
    if found is None and head <= _HEAD_FAR:
        found = _nearest(said, _KINDS, _KIND_DISTANCE)
    return found or _nearest(said, _WHOLE, _WHOLE_DISTANCE)


def may_offer_mailbox(text: str) -> bool:
    """Whether an announcement may go on to offer a mailbox: somebody can not take the call just now."""
    return any(heard_in(phrase, text) for phrase in ("无法接听", "不能接听", "不方便接", "无人接听"))


def _exactly(text: str) -> NumberStatus | None:
    for status, phrases in _CHINESE.items():
        if any(heard_in(phrase, text) for phrase in phrases):
            return status
    lowered = text.lower()
    return next((status for status, words in _WORDS.items() if words.search(lowered)), None)


def _nearest(said: str, table: Mapping[NumberStatus, tuple[str, ...]], most: float) -> NumberStatus | None:
    """Return the status whose phrase is likest to a part of what was said, if none of another comes near."""
    scored = sorted(
        (min(_distance(phrase, said) for phrase in phrases), status) for status, phrases in table.items()
    )
    best, status = scored[0]
    if best > most or (len(scored) > 1 and scored[1][0] - best < _KIND_MARGIN and most > _WHOLE_DISTANCE):
        return None
    return status


def _distance(phrase: str, text: str, *, whole: bool = False) -> float:
    """Return how far a phrase's letters are from the likest stretch of a text, 0-1.

    Unless the `whole` phrase is wanted, the text may break off in it, if most of it was said by then.
    """
    sounds = syllables(phrase)
    letters = "".join(sounds)
    cut = max(_CUT * len(letters), len("".join(sounds[:3])))
    row = [0] * (len(text) + 1)  # the phrase may begin anywhere
    best = 1.0
    for index, wanted in enumerate(letters, 1):
        previous, row[0] = row[0], index
        for at, said in enumerate(text, 1):
            cost = previous + (wanted != said)
            previous, row[at] = row[at], min(cost, row[at] + 1, row[at - 1] + 1)
        if index >= cut and not whole:
            best = min(best, row[-1] / index)
    return min(best, min(row) / len(letters))
