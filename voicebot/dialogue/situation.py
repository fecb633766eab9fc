"""Reads from the words in which situation the customer is."""

from __future__ import annotations

import re
from functools import partial

from voicebot.domain.audio import Audio
from voicebot.domain.speech import Transcript
from voicebot.domain.understanding import Situation
from voicebot.text.pinyin import bare, heard_in

_WORDS: tuple[tuple[Situation, re.Pattern[str]], ...] = (
    (
        Situation.DRIVING,
        re.compile(
            r"(?<!没)(?<!没在)(?<!不)(?:开车(?!贷)|开着车|在高速|高速上|骑车|在骑|正骑|方向盘|倒车"
            r"|骑(?:着|个|辆)*(?:车|(?:电动|电瓶|摩托|三轮|自行)车?|单车|电驴)(?!车|过去|去|来|上下班|上班))"
        ),
    ),
    (
        Situation.MEETING,
        re.compile(
            r"(?<!没)(?<!没在)(?<!不)(?:开会|开着会|会议室|会上呢|在上课|上课呢|在考试|在考场|在医院|看病呢|在开庭|例会)"
        ),
    ),
    (
        Situation.OTHER_PERSON,
        re.compile(
            r"我是(?:他|她|机主)的?(?:老婆|老公|爱人|媳妇|先生|太太|儿子|女儿|妈|爸|同事|朋友|家人|父亲|母亲|哥|姐|弟|妹|秘书|助理)"
            r"|(?:他|她|机主|本人)(?:现在|这会儿|今天|人|刚)?(?:不在|出去了|出门了|没在|在洗澡|在忙|睡了|上班去了)"
            r"|(?:帮|替)(?:他|她|别人|机主)接|(?:这是|手机是|电话是)(?:我)?(?:他|她|我爸|我妈|我老公|我老婆|我爱人|我儿子|我女儿)的?(?:爸|妈)?的?(?:手机|电话|号)?$"
            r"|这是我(?:爸|妈|老公|老婆|爱人|儿子|女儿|同事)的?(?:手机|电话|号)"
        ),
    ),
    (
        Situation.BUSY,
        re.compile(
            r"(?<!不)(?<!没)(?:在忙|忙着|很忙|太忙|正忙|挺忙|有点忙|比较忙|忙呢|我忙|现在忙|这会儿忙)|没空|没有空|没时间(?!去)|没有时间|没有?(?:工|功)夫|(?:抽|脱|走)不(?:开|出)|事情(?:太|很)?多|没法(?:说话|聊|接)|不得空|在(?:睡觉|补觉|休息|出差|排队|带孩子|赶车|地铁)"
            r"|有(?:点|些|急)?事(?!吗|你|说)|(?<!方)不(?:太|是很|大)?方便(?:说|接|讲|听|通话|电话|$|啊|呢|吧|现在)?|在上班|上班呢|手上有(?:活|事)|在干活|在吃饭|吃饭呢"
            r"|(?:等会儿?|待会儿?|一会儿?|晚点|晚一点|过会儿|回头|改天|过两天|下次)(?:你)?(?:再|在)?(?:打|联系|说|聊|讲)|再(?:打|来电|联系)(?:过来|给我|我|吧|来|$)|在外面(?:办事|呢|忙)|接个(?:电话|客户)"
        ),
    ),
)
# The plainest of them through homophone slips of the recogniser; longer than a chance likeness.
_SOUNDS: tuple[tuple[Situation, tuple[str, ...]], ...] = (
    (Situation.DRIVING, ("在开车", "正开车", "开车呢", "开着车", "在高速上", "在骑车", "骑着车", "骑电动车")),
    (Situation.DRIVING, ("骑电瓶车", "骑着电动车", "骑着电瓶车", "骑摩托", "骑三轮", "骑自行车")),
    (Situation.MEETING, ("在开会", "正开会", "开会呢", "开着会", "会议室")),
    (
        Situation.BUSY,
        ("现在忙", "正在忙", "我在忙", "正忙着", "忙着呢", "没有空", "没时间", "不方便", "不得空", "没工夫"),
    ),
    (
        Situation.BUSY,
        ("走不开", "抽不开", "脱不开", "有急事", "晚点再打", "改天再打", "待会再打", "在上班", "在吃饭"),
    ),
)
_FREE_NOW = re.compile(r"不忙|忙完了|有空|有时间|你说吧|现在可以|没事你说")
_NO_TIME = (Situation.DRIVING, Situation.MEETING, Situation.BUSY)
_LASTING = (Situation.DRIVING, Situation.OTHER_PERSON)


class WordSituationReader:
    """SituationReader over the words alone."""

    def read(self, transcript: Transcript, audio: Audio | None, before: Situation) -> Situation:
        """Return the situation after this utterance.

        Driving and somebody else's voice last until the words say otherwise; being busy does not:
        who goes on asking has time.
        """
        found = _told(transcript.text)
        if found is None:
            likely = (one for one in _NO_TIME if transcript.probably(partial(_tells, one)))
            found = next(likely, None)
        return found or (before if before in _LASTING else Situation.FREE)


def _tells(situation: Situation, text: str) -> bool:
    return _told(text) is situation


def _told(text: str) -> Situation | None:
    """Return the situation that words tell, None if they tell none."""
    said = bare(text)
    for situation, pattern in _WORDS:
        if pattern.search(said):
            return situation
    if _FREE_NOW.search(said):
        return Situation.FREE
    for situation, phrases in _SOUNDS:
        if any(_misheard(phrase, said) for phrase in phrases):
            return situation
    return None


def _misheard(phrase: str, said: str) -> bool:
    """Whether a phrase sounds in an utterance without being in it; the rules above have read it if it is."""
    return phrase not in said and heard_in(phrase, said)
