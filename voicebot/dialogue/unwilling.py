"""Rules for who does not want: a refusal is argued with once at most, annoyance never."""

from __future__ import annotations

from voicebot.dialogue import phrases
from voicebot.dialogue import state as st
from voicebot.dialogue.answers import clauses, match
from voicebot.dialogue.moment import QUESTION_FLOOR, Moment, why
from voicebot.dialogue.state import Reply
from voicebot.domain.script import Expect
from voicebot.domain.understanding import Situation

_TELLS = frozenset(("answer", "company", "number_source"))
_REASONS = ("objection", "answer", "reassure")  # what meets the reason for a first refusal
_SERVES = frozenset(("care",))  # what an annoyed customer may be told without a question


def refusal(moment: Moment) -> Reply | None:
    if not moment.refuses:
        return None
    return _declined(moment) or refused(moment)


def _declined(moment: Moment) -> Reply | None:
    """A no to an offer beyond the product, such as papers: the script that waits for it, not a new reason."""
    last = moment.last
    no = next((answer for answer in last.answers if answer.name == "no"), None) if last else None
    script = moment.playbook.scripts.get(no.then) if no else None
    if no is None or script is None or script.act != "close" or moment.negative:
        return None
    said = any(match(part, (no,)) for part in clauses(moment.text))
    return Reply(script, (f"回答了上一个问题：{no.name}",)) if said else None


def refused(moment: Moment) -> Reply:
    """First refusal: one soft reason at most. Never against an annoyed customer, never twice."""
    accept = moment.close("accept_refusal")
    if moment.negative:
        return Reply(
            moment.close("apologise_close"), ("V10 厌烦地拒绝：道歉结束",), refused=True, goal=st.REFUSED
        )
    if moment.state.refusals or moment.state.expect is Expect.TIME:
        return Reply(accept, ("V4 再次拒绝：接受并结束",), refused=True, goal=st.REFUSED)
    best = moment.best
    reason = phrases.gives_reason(moment.text, moment.playbook.refusals)
    fits = best is not None and best.script.act in (_REASONS if reason else ("objection",))
    if best and fits and best.score >= QUESTION_FLOOR:
        return Reply(best.script, ("V4 第一次拒绝：针对理由说一句", why(best)), refused=True)
    soft = moment.by_act("retain")
    if soft is None or soft.id in moment.state.used:
        return Reply(accept, ("V4 拒绝：接受并结束",), refused=True, goal=st.REFUSED)
    return Reply(soft, ("V4 第一次拒绝：只说一个理由",), refused=True)


def annoyed(moment: Moment) -> Reply | None:
    if not moment.negative and not phrases.is_rude(moment.text):
        return None
    if (answer := moment.answer) and answer.name == "yes":
        return None  # a loud yes is a yes: the words decide
    best = moment.best
    if best and best.script.act in _TELLS and best.score >= QUESTION_FLOOR:
        return Reply(best.script, ("V10 厌烦但在提问：简短回答", why(best)))
    if best and best.script.act in _SERVES and best.score >= QUESTION_FLOOR:
        return Reply(best.script, ("V10 厌烦是因为事情没办好：先解决", why(best)))
    if moment.busy:
        return None
    apology = moment.role(moment.playbook.apology)
    if moment.situation is Situation.BUSY or apology.id in moment.state.used:
        return Reply(moment.close("apologise_close"), ("V10 厌烦：道歉结束",), goal=st.REFUSED)
    return Reply(apology, ("V10 客户厌烦：道歉并提出停止",))
