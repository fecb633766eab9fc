"""Rules that carry the conversation on: expected answers, the agenda, the best candidate."""

from __future__ import annotations

from voicebot.dialogue import callback, exploring, phrases
from voicebot.dialogue import state as st
from voicebot.dialogue.answers import ANY, begins_with_yes, lets_speak, match
from voicebot.dialogue.moment import ACKNOWLEDGED, END_FLOOR, FLOOR, QUESTION_FLOOR, Moment, why
from voicebot.dialogue.state import Reply
from voicebot.dialogue.stops import stop
from voicebot.dialogue.times import APOLOGIES, SELLS, no_time
from voicebot.dialogue.unwilling import refused
from voicebot.domain.dialogue import Relation
from voicebot.domain.emotion import EmotionLabel
from voicebot.domain.script import Action, Expect, Script
from voicebot.text.pinyin import bare

CONSENT_CONFIDENCE = 0.4  # of the transcript, for a binding yes
KEEN_TURNS = 3  # in which a customer sounds interested, one after the other
TELL_FLOOR = 0.08  # a candidate that only tells or reassures does little harm as a guess
REFUSAL_FLOOR = 0.25  # one that takes the words for a refusal counts against the customer's second word
_TELLS = frozenset(("answer", "company", "objection", "reassure", "pitch", "qualify"))
_ANSWERS = frozenset(("answer", "company", "number_source"))
_REFUSED = frozenset(("retain", "accept_refusal"))
_MUMBLED = "嗯啊哦呃噢"


def again(moment: Moment) -> Reply | None:
    last = moment.last
    if last is None or not phrases.asks_again(moment.text) or _asks_of_its_own(moment):
        return None
    texts = [said.script_text for said in moment.state.history if said.script_id == last.id]
    if len(texts) < 3:
        # The same words, not the re-prompt of a silent customer: this one wants to hear them.
        return Reply(last, ("V7 客户没听清：再说一遍",), text=texts[0] if texts else "")
    script = moment.by_act("repeat")
    return Reply(script, ("V7 客户还是没听清：换个说法",)) if script else None


def _asks_of_its_own(moment: Moment) -> bool:
    """ "我没听清是哪家的" is answered by the name, not by all that was said."""
    best = moment.best
    told = best is not None and best.script.act in _ANSWERS and best.score >= QUESTION_FLOOR
    return told and best is not None and moment.last is not None and best.script.id != moment.last.id


def resume(moment: Moment) -> Reply | None:
    """The customer spoke into a script without a wish of their own: say it again."""
    if not moment.taken_back or moment.last is None:
        return None
    if match(moment.text, ACKNOWLEDGED) or moment.text in ("喂", "你好", "喂你好"):
        return Reply(moment.last, ("上一句没听完：再说一遍",))
    return None


def expected(moment: Moment) -> Reply | None:
    """The whole utterance is one of the answers that the last script asked for."""
    answer = moment.answer
    script = moment.playbook.scripts.get(answer.then) if answer else None
    if answer is None:
        return None
    reason = f"回答了上一个问题：{answer.name}"
    if script is None:
        return next_step(moment, reason) if moment.last and moment.last.records else None
    if script.act == "registered" and (doubt := _unsure_consent(moment)):
        return doubt
    if script.act == "registered" and moment.hands_over("intent"):
        return Reply(
            moment.role(moment.playbook.handover), (f"V22 {reason}，意向高：转人工",), goal=script.goal
        )
    if script.do_not_call and lets_speak(moment.text):
        return next_step(moment, "客户让接着说")  # no yes to being left alone
    if script.do_not_call:
        return stop(moment, f"V2 {reason}，登记不再来电")
    declined = answer.name == "no" and script.act in (
        "retain",
        "accept_refusal",
        "objection",
        "apologise_close",
    )
    if declined and moment.state.refusals:
        return Reply(
            moment.close("accept_refusal"), ("V4 再次拒绝：接受并结束",), refused=True, goal=st.REFUSED
        )
    if script.id in moment.state.used and not script.repeatable:
        return next_step(moment, reason)
    return Reply(script, (reason,), refused=declined)


def _unsure_consent(moment: Moment) -> Reply | None:
    """A mumbled or badly heard yes binds nobody: confirm once more, then leave it."""
    clear = bool(bare(moment.text).strip(_MUMBLED)) and moment.transcript.confidence >= CONSENT_CONFIDENCE
    if clear or moment.last is None:
        return None
    if moment.state.unclear or not moment.last.reprompt:
        return Reply(moment.role(moment.playbook.farewell), ("V13 没有明确同意：不登记，道别",))
    reason = "V13 肯定的回答不明确：再确认一次"
    return Reply(moment.last, (reason,), text=moment.last.reprompt[0], unclear=True)


def unwanted(moment: Moment) -> Reply | None:
    """ "不用了" after "shall I take your number out?" may mean either: nothing is sold upon it."""
    asked = moment.last is not None and moment.last.act == "number_source"
    return refused(moment) if asked and moment.refuses else None


def consented(moment: Moment) -> Reply | None:
    """A yes to the binding question in more words than the expected ones."""
    last = moment.last
    if last is None or last.act != "confirm" or not phrases.consents(moment.text):
        return None
    agreed = next((answer for answer in last.answers if answer.name == "yes"), None)
    script = moment.playbook.scripts.get(agreed.then) if agreed else None
    if script is None:
        return None
    return _unsure_consent(moment) or Reply(script, ("V13 客户说了同意",))


def changed_mind(moment: Moment) -> Reply | None:
    """The customer takes back what was agreed: the later word holds, and no is not argued with."""
    if moment.relation is not Relation.CONTRADICTS:
        return None
    answer = moment.answer
    if answer and answer.name == "yes":
        return next_step(moment, "V20 客户改口说可以")
    best = moment.best
    declines = best is not None and best.script.act in _REFUSED
    if not moment.refuses and not (answer and answer.name == "no") and not declines:
        return None
    declined = (
        next((answer for answer in moment.last.answers if answer.name == "no"), None) if moment.last else None
    )
    script = moment.playbook.scripts.get(declined.then) if declined else None
    if script is None or script.action is Action.SAY:
        script = moment.close("accept_refusal")
    return Reply(script, ("V20 客户改口说不：不再劝，结束",), refused=True)


def learnt(moment: Moment, script: Script | None) -> dict[str, str]:
    """Return what the answer to the last script tells, if that script keeps it."""
    last = moment.last
    if last is None or not last.records:
        return {}
    led = next((answer for answer in last.answers if script and answer.then == script.id), None)
    answer = moment.answer or led
    return {last.records: answer.name} if answer and answer.name != ANY else {}


def farewell(moment: Moment) -> Reply | None:
    said = phrases.closes(moment.text) and not phrases.asks(moment.text)
    if moment.relation is not Relation.CLOSES and not said:
        return None
    return Reply(moment.role(moment.playbook.farewell), ("客户结束通话：道别",))


def acknowledged(moment: Moment) -> Reply | None:
    """ "嗯", "好的", "明白了" after something that asked nothing: go on to the next step."""
    if moment.last is None or moment.last.answers or not match(moment.text, ACKNOWLEDGED):
        return None
    return next_step(moment, "客户听明白了")


def next_step(moment: Moment, reason: str) -> Reply:
    """Return the next point of the playbook's agenda that is not done, else the farewell.

    A question that the customer left open is put again in other words.
    """
    last = moment.last
    answered = last.id if last and (moment.answer or last.records) else ""
    for key in moment.playbook.agenda:
        script = moment.role(key)
        if (
            key == answered
            or st.done(script, moment.state)
            or not set(script.needs) <= set(moment.state.goals)
        ):
            continue
        again = key in moment.state.used and bool(script.reprompt)
        step = "再问一次" if again else "接着说"
        return Reply(script, (f"{reason}：{step} {key}",), text=script.reprompt[0] if again else "")
    return Reply(moment.role(moment.playbook.farewell), (f"{reason}，没有别的了：道别",))


def keen(moment: Moment) -> Reply | None:
    """A customer who is interested for long talks to a person, where the playbook wants that."""
    latest = (*moment.state.emotions, moment.emotion)[-KEEN_TURNS:]
    long = len(latest) == KEEN_TURNS and all(one is EmotionLabel.INTERESTED for one in latest)
    if not long or st.INTERESTED not in moment.state.goals or not moment.hands_over("intent"):
        return None
    return Reply(moment.role(moment.playbook.handover), ("V22 客户一直有兴趣：转人工",))


def agreed(moment: Moment) -> Reply | None:
    """A yes to what was offered, in more words, where nothing else fits well; never to a binding question."""
    last, best = moment.last, moment.best
    if last is None or last.act == "confirm" or moment.refuses or phrases.asks(moment.text):
        return None
    yes = begins_with_yes(moment.text, last.answers)
    script = moment.playbook.scripts.get(yes.then) if yes else None
    if script is None:
        return None
    if script.do_not_call:
        # "好，那你先说说看" is no yes to being left alone, nor is a question with an answer of its own
        if lets_speak(moment.text) or _asks_of_its_own(moment):
            return None
        return stop(moment, "V2 客户说好：登记不再来电")
    if moment.negative or script.id in moment.state.used or script.action is not Action.SAY:
        return None
    if best is not None and best.score >= QUESTION_FLOOR:
        return None
    return Reply(script, ("客户说好，又多说了几句：接着往下",))


def candidate(moment: Moment) -> Reply | None:
    """The best candidate that fits scene, relation, emotion and what was already said."""
    # apologies are for the annoyed, by a rule of their own: to a calm customer they are no guess
    best = next((one for one in moment.scored if one.script.act not in APOLOGIES), None)
    if best is None or not moment.text:
        return None
    script = best.script
    if best.score < _floor(script, moment):
        return None
    if _binds(script) and phrases.is_noise(moment.text):
        return None
    if script.do_not_call:
        return stop(moment, f"V2 {why(best)}")
    if script.act == "close" and script.action is not Action.SAY and _left_to_ask(moment):
        return next_step(moment, "像是说完了，可还没问完")
    if script.act in _REFUSED:
        return refused(moment)
    facts = None
    if script.act == "confirm_time" and (named := callback.hear(moment.text)):
        facts = {st.CALLBACK_TIME: named.relative, st.CALLBACK_SPOKEN: named.spoken}
    return Reply(script, (why(best),), facts=facts, rivals=exploring.rivals(moment))


def _binds(script: Script) -> bool:
    """Whether a script takes the words for a no, or ends the call: knocks and barks do neither."""
    return script.do_not_call or script.action is not Action.SAY or script.act in _REFUSED


def _left_to_ask(moment: Moment) -> bool:
    """Whether the customer has just been asked something that is to be kept, and more of it is to come."""
    last, agenda = moment.last, moment.playbook.agenda
    if last is None or not last.records or moment.relation is Relation.CLOSES:
        return False
    return any(not st.done(moment.role(key), moment.state) for key in agenda if key != last.id)


def _floor(script: Script, moment: Moment) -> float:
    """Return how sure a candidate must be: the more a wrong one costs, the surer."""
    if moment.state.expect is Expect.TIME and script.act in SELLS:
        return QUESTION_FLOOR  # who is asked for another time has none now
    if script.act in _TELLS:
        return TELL_FLOOR
    if script.act in _REFUSED:
        return REFUSAL_FLOOR
    return FLOOR if script.action is Action.SAY else END_FLOOR


def any_answer(moment: Moment) -> Reply | None:
    """The last script takes any answer, or asked for a time: go on instead of asking back."""
    if not bare(moment.text) or moment.last is None:
        return None
    if moment.state.expect is Expect.TIME:
        return no_time(moment)
    if moment.relation is Relation.ASKS:
        return None
    answer = next((answer for answer in moment.last.answers if answer.name == ANY), None)
    script = moment.playbook.scripts.get(answer.then) if answer else None
    if script is None or script.id in moment.state.used:
        return None
    return Reply(script, ("回答了上一个问题",))
