"""The rules of the conversation as code, in the order in which they count.

Each takes the moment and returns a reply or None; the first reply wins. Names V1 to V19: `rules`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from voicebot.dialogue import callback, choice, machine, phrases
from voicebot.dialogue import state as st
from voicebot.dialogue.answers import ANY, YES, match
from voicebot.dialogue.state import Reply
from voicebot.domain.dialogue import DialogueState, Relation
from voicebot.domain.emotion import EmotionLabel
from voicebot.domain.script import Action, Answer, Expect, Playbook, Script
from voicebot.domain.speech import Utterance, UtteranceKind
from voicebot.domain.understanding import Situation
from voicebot.text.pinyin import bare

FLOOR = 0.12  # a candidate below this is a guess: ask back
END_FLOOR = 0.4  # for scripts that end the call: a guess must not hang up
QUESTION_FLOOR = 0.35  # an annoyed customer's question is answered if it is this clear
CONSENT_CONFIDENCE = 0.4  # of the transcript, for a binding yes
MACHINE_TURNS = 3  # announcements come at the beginning

_ACKNOWLEDGED = (
    Answer(
        "yes", (*YES, "明白", "明白了", "知道了", "了解", "了解了", "清楚了", "这样啊", "是这样", "哦", "噢")
    ),
)
_MUMBLED = "嗯啊哦呃噢"
_TELLS = frozenset(("answer", "company", "number_source"))
_VAGUE = ("随便", "都行", "都可以", "看情况", "再说", "到时候", "不一定", "不知道", "等我", "有空")


@dataclass(frozen=True, slots=True)
class Moment:
    """Everything a rule may look at."""

    utterance: Utterance
    text: str
    confidence: float
    situation: Situation
    emotion: EmotionLabel
    relation: Relation
    scored: tuple[choice.Scored, ...]
    last: Script | None
    state: DialogueState
    playbook: Playbook
    taken_back: bool = False  # the script before was interrupted too early to count

    def by_act(self, act: str) -> Script | None:
        """Return the script of an act: the best candidate of that act, else the first in the file."""
        ranked = [item.script for item in self.scored if item.script.act == act]
        listed = [script for script in self.playbook.scripts.values() if script.act == act]
        return next(iter((*ranked, *listed)), None)

    def role(self, key: str) -> Script:
        """Return a script by id."""
        return self.playbook.scripts[key]

    def close(self, act: str) -> Script:
        """Return the closing script of an act, else the farewell."""
        return self.by_act(act) or self.role(self.playbook.farewell)

    @property
    def negative(self) -> bool:
        """Whether words and voice together say that the customer is annoyed."""
        return self.emotion in (EmotionLabel.ANNOYED, EmotionLabel.ANGRY)


Rule = Callable[[Moment], Reply | None]


def _opening(moment: Moment) -> Reply | None:
    if moment.utterance.kind is not UtteranceKind.ANSWERED:
        return None
    return Reply(moment.role(moment.playbook.opening), ("V1 接通：开场声明",))


def _silence(moment: Moment) -> Reply | None:
    if moment.utterance.kind is not UtteranceKind.SILENCE:
        return None
    if moment.state.transferred:
        # whoever is handed over is gone: silence means that nobody took the call
        return Reply(moment.close("no_agent"), ("V19 转人工没有成功：如实说明，登记回电",), taken_back=True)
    if moment.state.closed:
        return Reply(None, ("V3 通话已结束：挂断",))
    count, prompts = moment.state.silences, moment.playbook.silence
    if count == 0 and moment.last and moment.last.reprompt:
        return Reply(moment.last, ("V12 客户沉默：换个说法再问",), text=moment.last.reprompt[0])
    if count < len(prompts):
        return Reply(moment.role(prompts[count]), (f"V12 客户沉默：第{count + 1}次提示",))
    return Reply(moment.role(moment.playbook.give_up), ("V12 客户一直沉默：礼貌结束",))


def _opt_out(moment: Moment) -> Reply | None:
    if phrases.opts_out(moment.text):
        return _stop(moment, "V2 客户要求不再来电：马上停止并登记")
    return None


def _stop(moment: Moment, reason: str) -> Reply:
    return Reply(moment.role(moment.playbook.do_not_call), (reason,), do_not_call=True)


def _machine(moment: Moment) -> Reply | None:
    if moment.state.turn > MACHINE_TURNS:
        return None
    found = machine.machine(moment.text)
    if found is None:
        return None
    return Reply(None, ("V8 机器接听：不说话，挂断",), facts={st.MACHINE: found.value}, action=Action.HANG_UP)


def _angry(moment: Moment) -> Reply | None:
    if moment.emotion is EmotionLabel.ANGRY or phrases.abuses(moment.text):
        return _stop(moment, "V17 客户愤怒：马上停止并登记不再来电")
    return None


def _closed(moment: Moment) -> Reply | None:
    if moment.state.closed:
        return Reply(None, ("V3 通话已结束：挂断",), action=Action.HANG_UP)
    return None


def _human(moment: Moment) -> Reply | None:
    if phrases.wants_human(moment.text) or moment.utterance.dtmf == "0":
        return Reply(moment.role(moment.playbook.handover), ("V5 客户要人工：马上转接",))
    return None


def _complaint(moment: Moment) -> Reply | None:
    script = moment.by_act("complaint")
    if script and phrases.complains(moment.text):
        return Reply(script, ("V5 客户要投诉：道歉并转人工",), goal=st.COMPLAINED)
    return None


def _robot(moment: Moment) -> Reply | None:
    script = moment.by_act("robot")
    if script and phrases.asks_robot(moment.text):
        return Reply(script, ("V6 如实回答是机器人",))
    return None


def _wrong_person(moment: Moment) -> Reply | None:
    if not phrases.is_wrong_person(moment.text):
        return None
    return Reply(moment.close("wrong_person"), ("V16 打错了：道歉结束",), goal=st.WRONG_PERSON)


def _other_person(moment: Moment) -> Reply | None:
    script = moment.by_act("other_person")
    if moment.situation is not Situation.OTHER_PERSON or script is None:
        return None
    best = moment.scored[0] if moment.scored else None
    if best and moment.relation is Relation.ASKS and best.script.act in ("company", "robot", "number_source"):
        return None
    if script.id not in moment.state.used:
        return Reply(script, ("V16 别人接听：只问本人何时方便",), goal=st.OTHER_PERSON)
    return _time(moment) or Reply(moment.close("confirm_time"), ("V16 别人接听：改时间再打",))


def _driving(moment: Moment) -> Reply | None:
    act = {Situation.DRIVING: "driving", Situation.MEETING: "meeting"}.get(moment.situation)
    script = moment.by_act(act) if act else None
    if script is None:
        return None
    reason = "开车" if act == "driving" else "开会"
    return Reply(script, (f"V9 客户在{reason}：马上结束，改时间再打",), goal=st.CALLBACK_AGREED)


def _again(moment: Moment) -> Reply | None:
    last = moment.last
    if last is None or not phrases.asks_again(moment.text):
        return None
    texts = [said.script_text for said in moment.state.history if said.script_id == last.id]
    if len(texts) < 3:
        # The same words, not the re-prompt of a silent customer: this one wants to hear them.
        return Reply(last, ("V7 客户没听清：再说一遍",), text=texts[0] if texts else "")
    script = moment.by_act("repeat")
    return Reply(script, ("V7 客户还是没听清：换个说法",)) if script else None


def _time(moment: Moment) -> Reply | None:
    named = callback.hear(moment.text)
    asked = moment.state.expect is Expect.TIME
    calls_back = asked or moment.situation is Situation.BUSY
    script = moment.by_act("confirm_time")
    if named is None or not calls_back or script is None or moment.negative:
        return None
    facts = {st.CALLBACK_TIME: named.relative, st.CALLBACK_SPOKEN: named.spoken}
    return Reply(script, (f"V9 约定回访：{named.spoken}",), facts=facts, goal=st.CALLBACK_AGREED)


def _refusal(moment: Moment) -> Reply | None:
    busy = moment.situation is Situation.BUSY and not moment.negative
    return _refused(moment) if phrases.refuses(moment.text, busy=busy) else None


def _refused(moment: Moment) -> Reply:
    """First refusal: one soft reason at most. Never against an annoyed customer, never twice."""
    accept = moment.close("accept_refusal")
    if moment.negative:
        return Reply(
            moment.close("apologise_close"), ("V10 厌烦地拒绝：道歉结束",), refused=True, goal=st.REFUSED
        )
    if moment.state.refusals or moment.state.expect is Expect.TIME:
        return Reply(accept, ("V4 再次拒绝：接受并结束",), refused=True, goal=st.REFUSED)
    best = moment.scored[0] if moment.scored else None
    if best and best.script.act == "objection" and best.score >= QUESTION_FLOOR:
        return Reply(best.script, ("V4 第一次拒绝：针对理由说一句", _why(best)), refused=True)
    soft = moment.by_act("retain")
    if soft is None or soft.id in moment.state.used:
        return Reply(accept, ("V4 拒绝：接受并结束",), refused=True, goal=st.REFUSED)
    return Reply(soft, ("V4 第一次拒绝：只说一个理由",), refused=True)


def _annoyed(moment: Moment) -> Reply | None:
    if not moment.negative and not phrases.is_rude(moment.text):
        return None
    if (answer := _answer(moment)) and answer.name == "yes":
        return None  # a loud yes is a yes: the words decide
    best = moment.scored[0] if moment.scored else None
    asks = moment.relation is Relation.ASKS and best and best.script.act in _TELLS
    if asks and best and best.score >= QUESTION_FLOOR:
        return Reply(best.script, ("V10 厌烦但在提问：简短回答", _why(best)))
    apology = moment.role(moment.playbook.apology)
    if moment.situation is Situation.BUSY or apology.id in moment.state.used:
        return Reply(moment.close("apologise_close"), ("V10 厌烦：道歉结束",), goal=st.REFUSED)
    return Reply(apology, ("V10 客户厌烦：道歉并提出停止",))


def _busy(moment: Moment) -> Reply | None:
    if moment.situation is not Situation.BUSY or moment.relation is Relation.ASKS:
        return None
    offer = moment.by_act("offer_callback")
    if offer is None:
        return None
    if offer.id not in moment.state.used:
        return Reply(offer, ("V9 客户忙而平静：约时间再打",))
    return Reply(moment.close("confirm_time"), ("V9 客户没空约时间：改天再打",), goal=st.CALLBACK_AGREED)


def _callback_answer(moment: Moment) -> Reply | None:
    """After "when may we call?": a vague answer is asked about once, then accepted."""
    if moment.state.expect is not Expect.TIME:
        return None
    vague = match(moment.text, _ACKNOWLEDGED) or any(word in moment.text for word in _VAGUE)
    if not vague:
        return None
    return _no_time(moment)


def _answer(moment: Moment) -> Answer | None:
    return (
        match(moment.text, moment.last.answers)
        if moment.last and moment.state.expect is not Expect.OPEN
        else None
    )


def _resume(moment: Moment) -> Reply | None:
    """The customer spoke into a script without a wish of their own: say it again."""
    if not moment.taken_back or moment.last is None:
        return None
    if match(moment.text, _ACKNOWLEDGED) or moment.text in ("喂", "你好", "喂你好"):
        return Reply(moment.last, ("上一句没听完：再说一遍",))
    return None


def _expected(moment: Moment) -> Reply | None:
    """The whole utterance is one of the answers that the last script asked for."""
    answer = _answer(moment)
    script = moment.playbook.scripts.get(answer.then) if answer else None
    if answer is None or script is None:
        return None
    reason = f"回答了上一个问题：{answer.name}"
    if script.act == "registered" and (doubt := _unsure_consent(moment)):
        return doubt
    if script.do_not_call:
        return _stop(moment, f"V2 {reason}，登记不再来电")
    refused = answer.name == "no" and script.act in (
        "retain",
        "accept_refusal",
        "objection",
        "apologise_close",
    )
    if refused and moment.state.refusals:
        return Reply(
            moment.close("accept_refusal"), ("V4 再次拒绝：接受并结束",), refused=True, goal=st.REFUSED
        )
    if script.id in moment.state.used and not script.repeatable:
        return _next_step(moment, reason)
    return Reply(script, (reason,), refused=refused)


def _unsure_consent(moment: Moment) -> Reply | None:
    """A mumbled or badly heard yes binds nobody: confirm once more, then leave it."""
    clear = bool(bare(moment.text).strip(_MUMBLED)) and moment.confidence >= CONSENT_CONFIDENCE
    if clear or moment.last is None:
        return None
    if moment.state.unclear or not moment.last.reprompt:
        return Reply(moment.role(moment.playbook.farewell), ("V13 没有明确同意：不登记，道别",))
    reason = "V13 肯定的回答不明确：再确认一次"
    return Reply(moment.last, (reason,), text=moment.last.reprompt[0], unclear=True)


def _farewell(moment: Moment) -> Reply | None:
    if moment.relation is not Relation.CLOSES:
        return None
    return Reply(moment.role(moment.playbook.farewell), ("客户结束通话：道别",))


def _acknowledged(moment: Moment) -> Reply | None:
    """ "嗯", "好的", "明白了" after something that asked nothing: go on to the next step."""
    if moment.last is None or moment.last.answers or not match(moment.text, _ACKNOWLEDGED):
        return None
    return _next_step(moment, "客户听明白了")


def _next_step(moment: Moment, reason: str) -> Reply | None:
    """Return the pitch if it was not said yet, else the invitation, else the farewell."""
    unsaid = [script for script in moment.playbook.scripts.values() if script.id not in moment.state.used]
    if st.PITCHED not in moment.state.goals:
        pitch = next(
            (script for script in unsaid if script.act == "pitch" and script.goal == st.PITCHED), None
        )
        if pitch:
            return Reply(pitch, (f"{reason}：介绍产品",))
    defaults = {scene.default for scene in moment.playbook.scenes.values()}
    invite = next((script for script in unsaid if script.act == "qualify" and script.id in defaults), None)
    if invite:
        return Reply(invite, (f"{reason}：邀请下一步",))
    return Reply(moment.role(moment.playbook.farewell), (f"{reason}，没有别的了：道别",))


def _candidate(moment: Moment) -> Reply | None:
    """The best candidate that fits scene, relation, emotion and what was already said."""
    best = moment.scored[0] if moment.scored else None
    if best is None or not moment.text:
        return None
    script = best.script
    if best.score < (FLOOR if script.action is Action.SAY else END_FLOOR):
        return None
    if script.do_not_call:
        return _stop(moment, f"V2 {_why(best)}")
    if script.act in ("retain", "accept_refusal"):
        return _refused(moment)
    facts = None
    if script.act == "confirm_time" and (named := callback.hear(moment.text)):
        facts = {st.CALLBACK_TIME: named.relative, st.CALLBACK_SPOKEN: named.spoken}
    return Reply(script, (_why(best),), facts=facts)


def _any_answer(moment: Moment) -> Reply | None:
    """The last script takes any answer, or asked for a time: go on instead of asking back."""
    if not bare(moment.text) or moment.last is None or moment.relation is Relation.ASKS:
        return None
    if moment.state.expect is Expect.TIME:
        return _no_time(moment)
    answer = next((answer for answer in moment.last.answers if answer.name == ANY), None)
    script = moment.playbook.scripts.get(answer.then) if answer else None
    if script is None or script.id in moment.state.used:
        return None
    return Reply(script, ("回答了上一个问题",))


def _no_time(moment: Moment) -> Reply:
    ask = moment.by_act("ask_time")
    if ask and ask.id not in moment.state.used:
        return Reply(ask, ("V9 时间不清楚：再问一次",))
    return Reply(moment.close("confirm_time"), ("V9 没有约定具体时间：改天再打",), goal=st.CALLBACK_AGREED)


def _why(best: choice.Scored) -> str:
    factors = "".join(f"，{name}×{value:g}" for name, value in best.factors if value != 1.0)
    return f"候选 {best.script.id}：概率{best.candidate.probability:.2f}{factors}"


def _unclear(moment: Moment) -> Reply:
    """Ask back in other words; twice unclear: a person, if there is interest, else a polite close."""
    prompts, count = moment.playbook.unclear, moment.state.unclear
    best = moment.scored[0] if moment.scored else None
    low = f"（最好的候选 {best.script.id} 只有{best.score:.2f}）" if best else "（没有候选）"
    if count < min(len(prompts), 2):
        return Reply(moment.role(prompts[count]), (f"V11 没听懂：请客户再说{low}",), unclear=True)
    if st.INTERESTED in moment.state.goals:
        return Reply(moment.role(moment.playbook.handover), (f"V11 连着没听懂，客户有意向：转人工{low}",))
    return Reply(moment.role(moment.playbook.give_up), (f"V11 连着没听懂：礼貌结束{low}",))


RULES: tuple[Rule, ...] = (
    _opening,
    _silence,
    _opt_out,
    _machine,
    _angry,
    _closed,
    _human,
    _complaint,
    _robot,
    _wrong_person,
    _other_person,
    _driving,
    _time,
    _annoyed,
    _resume,
    _expected,
    _refusal,
    _again,
    _busy,
    _callback_answer,
    _farewell,
    _acknowledged,
    _candidate,
    _any_answer,
)


def reply(moment: Moment) -> Reply:
    """Return the reply of the first rule that has one; nothing fits: ask back."""
    return next(filter(None, (rule(moment) for rule in RULES)), None) or _unclear(moment)
