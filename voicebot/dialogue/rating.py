"""The customer's own rating: asked once before a friendly end, answered in words or by a key. Pure.

Nobody is asked who refused, is annoyed, is busy, or wants no more calls. Whatever is answered, the call
then ends with the words with which it would have ended.
"""

from __future__ import annotations

from dataclasses import replace

from voicebot.dialogue.answers import match
from voicebot.dialogue.moment import Moment
from voicebot.dialogue.state import REFUSED, Reply
from voicebot.domain.script import RATING, RATING_SCORE, Action, Script
from voicebot.domain.speech import UtteranceKind
from voicebot.domain.understanding import Situation

ENDS = frozenset(("close", "registered"))  # acts of friendly ends


def asked(moment: Moment, reply: Reply) -> Reply:
    """Return the question for a rating in place of a friendly end, else the reply itself."""
    rating, end = moment.playbook.rating, reply.script
    if rating is None or end is None or not _friendly(moment, reply, end):
        return reply
    script = moment.role(rating.script)
    if script.id in moment.state.used:
        return reply
    return replace(
        reply,
        script=script,
        reasons=(*reply.reasons, "结束前请客户评价"),
        text="",
        action=None,
        goal=reply.goal or end.goal,
        closing=end.id,
    )


def answered(moment: Moment) -> Reply | None:
    """Take a rating, in words or by its key, and end; silence ends too."""
    rating, end = moment.playbook.rating, _closing(moment)
    if rating is None or end is None or moment.last is None:
        return None
    if moment.utterance.kind is UtteranceKind.SILENCE:
        return Reply(end, ("客户没有评价：结束",))
    answer = match(moment.text, moment.last.answers)
    name = moment.last.keys.get(moment.utterance.dtmf, "") or (answer.name if answer else "")
    if name not in rating.scores:
        return None
    facts = {RATING: name, RATING_SCORE: f"{rating.scores[name]:g}"}
    return Reply(end, (f"客户评价：{name}",), facts=facts)


def unanswered(moment: Moment) -> Reply | None:
    """Whatever else is said: nobody is asked twice."""
    end = _closing(moment)
    return Reply(end, ("客户没有评价：结束",)) if end else None


def _closing(moment: Moment) -> Script | None:
    rating, last = moment.playbook.rating, moment.last
    if rating is None or last is None or last.id != rating.script:
        return None
    return moment.playbook.scripts.get(moment.state.closing)


def _friendly(moment: Moment, reply: Reply, end: Script) -> bool:
    ends = (reply.action or end.action) is Action.HANG_UP and end.act in ENDS and not end.do_not_call
    refused = reply.refused or reply.do_not_call or reply.goal == REFUSED or moment.state.refusals > 0
    talks = moment.utterance.kind in (UtteranceKind.SPEECH, UtteranceKind.DTMF)
    willing = not moment.negative and moment.situation is Situation.FREE and not moment.state.opted_out
    return ends and talks and willing and not refused
