"""Rules about another time: a busy customer, the question when, the answer to it."""

from __future__ import annotations

from voicebot.dialogue import callback
from voicebot.dialogue import state as st
from voicebot.dialogue.answers import match
from voicebot.dialogue.moment import ACKNOWLEDGED, Moment
from voicebot.dialogue.state import Reply
from voicebot.domain.dialogue import Relation
from voicebot.domain.script import Expect
from voicebot.domain.understanding import Situation

_VAGUE = ("随便", "都行", "都可以", "看情况", "再说", "到时候", "不一定", "不知道", "等我", "有空")


def time(moment: Moment) -> Reply | None:
    named = callback.hear(moment.text)
    asked = moment.state.expect is Expect.TIME
    calls_back = asked or moment.situation in (Situation.BUSY, Situation.OTHER_PERSON)
    script = moment.by_act("confirm_time")
    if named is None or not calls_back or script is None or moment.negative:
        return None
    facts = {st.CALLBACK_TIME: named.relative, st.CALLBACK_SPOKEN: named.spoken}
    return Reply(script, (f"V9 约定回访：{named.spoken}",), facts=facts, goal=st.CALLBACK_AGREED)


def busy(moment: Moment) -> Reply | None:
    if moment.situation is not Situation.BUSY or moment.relation is Relation.ASKS:
        return None
    offer = moment.by_act("offer_callback")
    if offer is None:
        return None
    if offer.id not in moment.state.used:
        return Reply(offer, ("V9 客户忙而平静：约时间再打",))
    return Reply(moment.close("confirm_time"), ("V9 客户没空约时间：改天再打",), goal=st.CALLBACK_AGREED)


def callback_answer(moment: Moment) -> Reply | None:
    """After "when may we call?": a vague answer is asked about once, then accepted."""
    if moment.state.expect is not Expect.TIME:
        return None
    vague = match(moment.text, ACKNOWLEDGED) or any(word in moment.text for word in _VAGUE)
    if not vague:
        return None
    return no_time(moment)


def no_time(moment: Moment) -> Reply:
    ask = moment.by_act("ask_time")
    if ask and ask.id not in moment.state.used:
        return Reply(ask, ("V9 时间不清楚：再问一次",))
    return Reply(moment.close("confirm_time"), ("V9 没有约定具体时间：改天再打",), goal=st.CALLBACK_AGREED)
