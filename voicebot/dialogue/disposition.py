"""What came of a conversation: disposition (通话结果), intent level (意向等级) and why. Pure."""

from __future__ import annotations

from voicebot.dialogue import state as st
from voicebot.domain.call import Disposition, EndCause, IntentLevel, Outcome
from voicebot.domain.dialogue import DialogueState
from voicebot.domain.emotion import EmotionLabel
from voicebot.domain.script import Playbook

_BY_CAUSE = {
    EndCause.NO_ANSWER: (Disposition.NO_ANSWER, IntentLevel.D, "无人接听"),
    EndCause.BUSY: (Disposition.BUSY, IntentLevel.D, "对方占线"),
    EndCause.REJECTED: (Disposition.NO_ANSWER, IntentLevel.D, "对方拒接"),
    EndCause.UNREACHABLE: (Disposition.UNREACHABLE, IntentLevel.F, "号码无法接通"),
    EndCause.VOICEMAIL: (Disposition.VOICEMAIL, IntentLevel.D, "语音信箱或来电助理接听"),
    EndCause.NO_MEDIA: (Disposition.DROPPED, IntentLevel.D, "接通后没有收到声音"),
}
_BY_MACHINE = {
    Disposition.VOICEMAIL: (IntentLevel.D, "语音信箱或来电助理接听"),
    Disposition.BUSY: (IntentLevel.D, "运营商提示：正在通话中"),
    Disposition.NO_ANSWER: (IntentLevel.D, "运营商提示：无人接听"),
    Disposition.UNREACHABLE: (IntentLevel.F, "运营商提示：无法接通"),
}
_NOTHING = (Disposition.UNDECIDED, IntentLevel.D)
_UNWILLING = frozenset({Disposition.REFUSED, Disposition.DO_NOT_CALL})


def conclude(state: DialogueState, cause: EndCause, playbook: Playbook) -> Outcome:
    """Return the outcome of a call. A spoken wish not to be called again holds before all else."""
    disposition, level, reasons = _judge(state, cause, playbook)
    told = _told(state, cause, disposition, playbook)
    if st.REFUSAL_REASON in told:
        reasons = (*reasons, f"原因：{told[st.REFUSAL_REASON]}")
    ended = {
        EndCause.CUSTOMER_HUNG_UP: ("客户挂断",),
        EndCause.BOT_HUNG_UP: ("机器人结束通话",),
        EndCause.TRANSFERRED: ("已转人工",),
        EndCause.FAILURE: ("通话因故障中断",),
    }.get(cause, ())
    return Outcome(
        disposition,
        level,
        tuple(dict.fromkeys((*reasons, *ended))),
        {**state.facts, **told},
        opted_out=state.opted_out,
    )


def _told(
    state: DialogueState, cause: EndCause, disposition: Disposition, playbook: Playbook
) -> dict[str, str]:
    """Return what the call itself tells: the product that was spoken of, and why it was not wanted.

    The reason is the last objection that was met, in the words by which the playbook knows it, not in the
    customer's own: so it can be counted, and holds nothing personal.
    """
    if not st.spoke(state) or cause in _BY_CAUSE or st.MACHINE in state.facts:
        return {}
    told = {st.PRODUCT: playbook.product}
    if disposition in _UNWILLING:
        scripts = (playbook.scripts.get(key) for key in reversed(state.used))
        met = next((one for one in scripts if one is not None and one.act == "objection"), None)
        if met is not None and met.examples:
            told[st.REFUSAL_REASON] = met.examples[0]
    return told


def _judge(
    state: DialogueState, cause: EndCause, playbook: Playbook
) -> tuple[Disposition, IntentLevel, tuple[str, ...]]:
    goals = set(state.goals)
    if state.opted_out:
        kept = () if not state.withheld else ("来电没有显示号码，未能登记",)
        return Disposition.DO_NOT_CALL, IntentLevel.F, ("客户要求不再来电", *kept)
    if cause in _BY_CAUSE:
        disposition, level, reason = _BY_CAUSE[cause]
        return disposition, level, (reason,)
    if machine := state.facts.get(st.MACHINE):
        disposition = Disposition(machine)
        level, reason = _BY_MACHINE[disposition]
        return disposition, level, (reason,)
    if state.transferred or cause is EndCause.TRANSFERRED:
        if st.COMPLAINED in goals:
            return Disposition.TRANSFERRED, IntentLevel.E, ("客户要投诉，转人工处理",)
        return Disposition.TRANSFERRED, IntentLevel.A, ("客户转由人工接听",)
    if st.WRONG_PERSON in goals:
        return Disposition.WRONG_PERSON, IntentLevel.F, ("号码不是客户本人的",)
    for outcome in playbook.outcomes:
        if outcome.goal in goals:
            return Disposition(outcome.disposition), IntentLevel(outcome.level), (outcome.reason,)
    if st.CONSENTED in goals:
        return Disposition.INTERESTED, IntentLevel.A, ("客户口头确认同意",)
    return _by_conversation(state, cause, goals)


def _callback(state: DialogueState, spoken: str | None) -> str:
    if state.facts.get(st.CALLBACK_BY) == st.PERSON:
        return "转人工时没有坐席接听，登记由人工回电"
    return f"约定回访：{spoken}" if spoken else "同意改时间再联系"


def _by_conversation(
    state: DialogueState, cause: EndCause, goals: set[str]
) -> tuple[Disposition, IntentLevel, tuple[str, ...]]:
    spoken, spoke = state.facts.get(st.CALLBACK_SPOKEN), st.spoke(state)
    hung_up = cause is EndCause.CUSTOMER_HUNG_UP
    unwilling = bool(state.refusals) or st.negative(state)
    rules: tuple[tuple[bool, Disposition, IntentLevel, str], ...] = (
        (
            st.CALLBACK_AGREED in goals,
            Disposition.CALLBACK,
            IntentLevel.C,
            _callback(state, spoken),
        ),
        (st.REFUSED in goals or state.refusals >= 2, Disposition.REFUSED, IntentLevel.E, "客户拒绝"),
        (cause is EndCause.FAILURE, Disposition.DROPPED, IntentLevel.D, ""),
        (not spoke and hung_up and not state.silences, *_NOTHING, "客户没有说话就挂断"),
        (not spoke, Disposition.SILENT, IntentLevel.D, "客户没有说话"),
        (st.INFO_SENT in goals, Disposition.INTERESTED, IntentLevel.B, "客户同意接收资料"),
        (hung_up and unwilling, Disposition.REFUSED, IntentLevel.E, "客户表示不愿意并挂断"),
        (st.another_person(state), Disposition.CALLBACK, IntentLevel.D, "他人接听，本人不在"),
        (st.INTERESTED in goals, Disposition.INTERESTED, IntentLevel.B, "客户问了产品的具体情况"),
        (EmotionLabel.HESITANT in state.emotions, Disposition.UNDECIDED, IntentLevel.C, "客户犹豫，没有结果"),
        (True, *_NOTHING, "没有结果"),
    )
    disposition, level, reason = next(rule[1:] for rule in rules if rule[0])
    return disposition, level, (reason,) if reason else ()
