"""The rules of the conversation in the order in which they count; the first reply wins.

What each does stands with it: `stops`, `rating`, `times`, `unwilling`, `progress`. Names V1 to V23: `rules`.
"""

from __future__ import annotations

from voicebot.dialogue import progress, rating, stops, times, unwilling
from voicebot.dialogue import state as st
from voicebot.dialogue.moment import Moment, Rule
from voicebot.dialogue.state import Reply

RULES: tuple[Rule, ...] = (
    stops.opening,
    stops.opt_out,
    stops.angry,
    rating.answered,
    stops.silence,
    stops.answered_by_machine,
    stops.closed,
    stops.key,
    stops.human,
    stops.complaint,
    rating.unanswered,
    stops.robot,
    stops.wrong_person,
    stops.other_person,
    stops.driving,
    times.time,
    unwilling.annoyed,
    progress.resume,
    progress.changed_mind,
    progress.unwanted,
    progress.expected,
    progress.consented,
    unwilling.refusal,
    progress.again,
    times.busy,
    times.callback_answer,
    progress.farewell,
    progress.acknowledged,
    progress.keen,
    times.maybe_busy,
    progress.agreed,
    progress.candidate,
    progress.any_answer,
)


def reply(moment: Moment) -> Reply:
    """Return the reply of the first rule that has one; nothing fits: ask back."""
    found = next(filter(None, (rule(moment) for rule in RULES)), None) or _unclear(moment)
    return rating.asked(moment, times.spared(moment, found))


def _unclear(moment: Moment) -> Reply:
    """Ask back in other words; twice unclear: a person, if there is interest, else a polite close."""
    prompts, count = moment.playbook.unclear, moment.state.unclear
    best = moment.scored[0] if moment.scored else None
    low = f"（最好的候选 {best.script.id} 只有{best.score:.2f}）" if best else "（没有候选）"
    if count < min(len(prompts), 2):
        return Reply(moment.role(prompts[count]), (f"V11 没听懂：请客户再说{low}",), unclear=True)
    if st.INTERESTED in moment.state.goals or moment.hands_over("unclear"):
        why = "客户有意向" if st.INTERESTED in moment.state.goals else "话术库要求"
        return Reply(moment.role(moment.playbook.handover), (f"V11 连着没听懂，{why}：转人工{low}",))
    return Reply(moment.role(moment.playbook.give_up), (f"V11 连着没听懂：礼貌结束{low}",))
