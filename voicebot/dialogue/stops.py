"""Rules that end a call, hand it over or answer for the bot itself: they come before all others."""

from __future__ import annotations

from voicebot.dialogue import keys, phrases
from voicebot.dialogue import state as st
from voicebot.dialogue.moment import Moment
from voicebot.dialogue.state import Reply
from voicebot.dialogue.times import time
from voicebot.domain.answering import disposition_of
from voicebot.domain.dialogue import Relation
from voicebot.domain.emotion import EmotionLabel
from voicebot.domain.script import Action, Expect
from voicebot.domain.speech import UtteranceKind
from voicebot.domain.understanding import Situation

CALL_BACK = "+30m"  # after a takeover that found nobody; compliance moves it into a window
MACHINE_TURNS = 3  # announcements come at the beginning


def opening(moment: Moment) -> Reply | None:
    if moment.utterance.kind is not UtteranceKind.ANSWERED:
        return None
    return Reply(moment.role(moment.playbook.opening), ("V1 接通：开场声明",))


def silence(moment: Moment) -> Reply | None:
    if moment.utterance.kind is not UtteranceKind.SILENCE:
        return None
    if moment.state.transferred:
        # whoever is handed over is gone: silence means that nobody took the call
        return Reply(
            moment.close("no_agent"),
            ("V19 转人工没有成功：如实说明，登记回电",),
            facts={st.CALLBACK_TIME: CALL_BACK, st.CALLBACK_BY: st.PERSON},
            taken_back=True,
        )
    if moment.state.closed:
        return Reply(None, ("V3 通话已结束：挂断",))
    count, prompts = moment.state.silences, moment.playbook.silence
    if count == 0 and moment.last and moment.last.reprompt:
        return Reply(moment.last, ("V12 客户沉默：换个说法再问",), text=moment.last.reprompt[0])
    if count < len(prompts):
        return Reply(moment.role(prompts[count]), (f"V12 客户沉默：第{count + 1}次提示",))
    return Reply(moment.role(moment.playbook.give_up), ("V12 客户一直沉默：礼貌结束",))


def opt_out(moment: Moment) -> Reply | None:
    if moment.probably(phrases.opts_out):
        return stop(moment, "V2 客户要求不再来电：马上停止并登记")
    return None


def stop(moment: Moment, reason: str) -> Reply:
    """Stop for good. Who shows no number is not told that it was noted."""
    playbook = moment.playbook
    if not moment.state.withheld:
        return Reply(moment.role(playbook.do_not_call), (reason,), do_not_call=True)
    role = playbook.do_not_call_withheld or playbook.farewell
    reasons = (reason, "来电没有显示号码：登记不了，如实说明")
    return Reply(moment.role(role), reasons, goal="opted_out", do_not_call=True)


def answered_by_machine(moment: Moment) -> Reply | None:
    if moment.machine is None or moment.state.turn > MACHINE_TURNS or phrases.asks_robot(moment.text):
        return None
    facts = {st.MACHINE: disposition_of(moment.machine.likeliest).value}
    return Reply(None, ("V8 机器接听：不说话，挂断",), facts=facts, action=Action.HANG_UP)


def angry(moment: Moment) -> Reply | None:
    abuses = phrases.abuses(moment.text)
    if moment.emotion is EmotionLabel.ANGRY and not abuses and moment.hands_over("anger"):
        return Reply(moment.role(moment.playbook.handover), ("V23 客户愤怒：转人工",))
    if moment.emotion is EmotionLabel.ANGRY or abuses:
        return stop(moment, "V17 客户愤怒：马上停止并登记不再来电")
    return None


def closed(moment: Moment) -> Reply | None:
    if moment.state.closed:
        return Reply(None, ("V3 通话已结束：挂断",), action=Action.HANG_UP)
    return None


def key(moment: Moment) -> Reply | None:
    """A key that the last script, or the playbook, has given a meaning."""
    digit = moment.utterance.dtmf
    if moment.utterance.kind is not UtteranceKind.DTMF:
        return None
    if script := keys.script(digit, moment.last, moment.playbook):
        reason = f"V21 客户按了{digit}"
        return stop(moment, f"{reason}：登记不再来电") if script.do_not_call else Reply(script, (reason,))
    return None


def human(moment: Moment) -> Reply | None:
    if moment.probably(phrases.wants_human):
        return Reply(moment.role(moment.playbook.handover), ("V5 客户要人工：马上转接",))
    return None


def complaint(moment: Moment) -> Reply | None:
    script = moment.by_act("complaint")
    if script and moment.probably(phrases.complains):
        return Reply(script, ("V5 客户要投诉：道歉并转人工",), goal=st.COMPLAINED)
    return None


def robot(moment: Moment) -> Reply | None:
    script = moment.by_act("robot")
    if script and phrases.asks_robot(moment.text):
        return Reply(script, ("V6 如实回答是机器人",))
    return None


def wrong_person(moment: Moment) -> Reply | None:
    if not moment.probably(phrases.is_wrong_person):
        return None
    return Reply(moment.close("wrong_person"), ("V16 打错了：道歉结束",), goal=st.WRONG_PERSON)


def other_person(moment: Moment) -> Reply | None:
    script = moment.by_act("other_person")
    if moment.situation is not Situation.OTHER_PERSON or script is None:
        return None
    best = moment.best
    if best and moment.relation is Relation.ASKS and best.script.act in ("company", "robot", "number_source"):
        return None
    if moment.state.expect is Expect.TIME and (named := time(moment)):
        return named
    if script.id not in moment.state.used:
        return Reply(script, ("V16 别人接听：只问本人何时方便",), goal=st.OTHER_PERSON)
    return time(moment) or Reply(moment.close("confirm_time"), ("V16 别人接听：改时间再打",))


def driving(moment: Moment) -> Reply | None:
    act = {Situation.DRIVING: "driving", Situation.MEETING: "meeting"}.get(moment.situation)
    script = moment.by_act(act) if act else None
    if script is None:
        return None
    reason = "开车" if act == "driving" else "开会"
    return Reply(script, (f"V9 客户在{reason}：马上结束，改时间再打",), goal=st.CALLBACK_AGREED)
