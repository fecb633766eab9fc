"""Rules about another time: a busy customer, the question when, the answer to it."""

from __future__ import annotations

import re

from voicebot.dialogue import callback
from voicebot.dialogue import state as st
from voicebot.dialogue.answers import match
from voicebot.dialogue.moment import ACKNOWLEDGED, QUESTION_FLOOR, Moment
from voicebot.dialogue.state import Reply
from voicebot.domain.dialogue import Relation
from voicebot.domain.script import Expect
from voicebot.domain.understanding import Situation
from voicebot.text.pinyin import heard_in

SELLS = frozenset(("pitch", "qualify", "objection"))
APOLOGIES = frozenset(("apologise", "apologise_close"))
_AWAY = frozenset(("offer_callback", "confirm_time", "ask_time", "driving", "meeting"))
_LATER = ("再打", "再联系", "再来电", "再聊", "再讲")
_OTHERS = re.compile(r"经理|主管|他|她|人")
_VAGUE = ("随便", "都行", "都可以", "看情况", "再说", "到时候", "不一定", "不知道", "等我", "有空")


def time(moment: Moment) -> Reply | None:
    named = callback.hear(moment.text)
    asked = moment.state.expect is Expect.TIME
    away = moment.situation in (Situation.BUSY, Situation.OTHER_PERSON)
    calls_back = asked or away or _wants_later(moment)
    script = moment.by_act("confirm_time")
    if named is None or not calls_back or script is None or moment.negative:
        return None
    facts = {st.CALLBACK_TIME: named.relative, st.CALLBACK_SPOKEN: named.spoken}
    return Reply(script, (f"V9 约定回访：{named.spoken}",), facts=facts, goal=st.CALLBACK_AGREED)


def _wants_later(moment: Moment) -> bool:
    """Whether the words ask for another call, through homophones too; a manager's call is none."""
    bound = moment.last is not None and moment.last.act in ("confirm", "qualify")
    return not bound and not _OTHERS.search(moment.text) and any(heard_in(one, moment.text) for one in _LATER)


def busy(moment: Moment) -> Reply | None:
    if moment.situation is not Situation.BUSY or moment.relation is Relation.ASKS:
        return None
    best = moment.best
    if best and best.script.act == "reassure" and best.score >= QUESTION_FLOOR:
        return None  # "我比一比，回头再说" puts off the decision, not the call
    return _offer(moment, "V9 客户忙而平静：约时间再打")


def spared(moment: Moment, reply: Reply) -> Reply:
    """Return a reply that neither sells nor apologises to a calm customer without time."""
    script = reply.script
    if script is None or not moment.busy or script.act not in SELLS | APOLOGIES:
        return reply
    return _offer(moment, "V9 客户忙而平静：不推销、不道歉，约时间再打") or reply


def maybe_busy(moment: Moment) -> Reply | None:
    """What would be sold is less likely than that the customer has no time now: offer to call again."""
    best = moment.best
    if best is None or best.script.act not in SELLS or moment.negative:
        return None
    away = sum(one.candidate.probability for one in moment.scored if one.script.act in _AWAY)
    if away < best.candidate.probability:
        return None
    return _offer(moment, f"V9 可能没空（{away:.2f}）：约时间再打")


def _offer(moment: Moment, reason: str) -> Reply | None:
    offer = moment.by_act("offer_callback")
    if offer is None:
        return None
    if offer.id not in moment.state.used:
        return Reply(offer, (reason,))
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
