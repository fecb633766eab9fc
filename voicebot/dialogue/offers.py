"""What an agent is offered: the policy's choice first, then the ranker's others. Pure."""

from __future__ import annotations

from voicebot.dialogue import wording
from voicebot.dialogue.moment import chance
from voicebot.domain.dialogue import Decision, DialogueState
from voicebot.domain.errors import PlaybookError
from voicebot.domain.people import SuggestedScript
from voicebot.domain.script import Playbook

OFFERED = 3


def offers(
    decision: Decision, state: DialogueState, playbook: Playbook, seed: int
) -> tuple[SuggestedScript, ...]:
    """Return up to three scripts with their words and why, most fitting first.

    Args:
        decision: on the utterance.
        state: before it, for the slots.
        playbook: of the call.
        seed: of the turn, so that the wording is the one that would be spoken.
    """
    chances = {candidate.script_id: candidate.probability for candidate in decision.candidates}
    found = []
    if decision.script_id:
        found.append(
            SuggestedScript(
                decision.script_id,
                decision.script_text,
                chances.get(decision.script_id, 0.0),
                "；".join(decision.reasons),
                decision.style,
            )
        )
    values = {**state.slots, **state.facts}
    for candidate in decision.candidates:
        script = playbook.scripts.get(candidate.script_id)
        if script is None or script.id == decision.script_id or len(found) >= OFFERED:
            continue
        try:
            text = wording.word(script, decision.style, values, playbook, seed)
        except PlaybookError:
            continue  # a slot has no value: not sayable to this customer
        reason = f"候选：{chance(candidate.probability)}"
        found.append(SuggestedScript(script.id, text, candidate.probability, reason, decision.style))
    return tuple(found)
