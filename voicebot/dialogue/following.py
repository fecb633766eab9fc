"""When a person talks instead of the bot: which script it was, and what follows for the state. Pure."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

from voicebot.dialogue import state as st
from voicebot.domain.dialogue import DialogueState, Exchange
from voicebot.domain.people import Delivered
from voicebot.domain.script import Action, Expect, Playbook, Script
from voicebot.text.pinyin import fuzzy, syllables

ALIKE = 0.5  # share of syllable pairs from which on a line counts as a script
LIKELIER = 0.1  # advantage of a script that was suggested or belongs to this scene
SHORTEST = 4  # syllables: less is no script


def match(text: str, playbook: Playbook, scene: str, suggested: tuple[str, ...] = ()) -> tuple[str, float]:
    """Return the script that a spoken line comes nearest to, and how near (0-1); "" = own words.

    Compared by pairs of syllables with accents folded: recognition takes homophones for each other, and a
    person shortens and reorders. The measure is Dice's, over the pairs of both texts.
    """
    said = _pairs(text)
    if len(said) < SHORTEST - 1:
        return "", 0.0
    found, best, best_rank = "", 0.0, 0.0
    for script in playbook.scripts.values():
        alike = max(_alike(said, _pairs(wording)) for wording in (script.text, *script.variants))
        likelier = script.id in suggested or script.scene == scene
        rank = alike + LIKELIER * likelier
        if rank > best_rank:
            found, best, best_rank = script.id, alike, rank
    return (found, round(best, 3)) if best >= ALIKE else ("", round(best, 3))


def follow(
    before: DialogueState, decided: DialogueState | None, delivered: Delivered, playbook: Playbook
) -> DialogueState:
    """Return the state after a person has spoken.

    Args:
        before: as of the last commit.
        decided: after the decision on the customer's utterance; what the customer added holds, what the
            decision's own script would have added does not. None: the customer said nothing.
        delivered: what was really said.
        playbook: of the call.
    """
    script = playbook.scripts.get(delivered.script_id)
    base = decided or replace(before, turn=before.turn + 1)
    customer, proposed = "", None
    if decided is not None and decided.history:
        customer = decided.history[-1].customer_text
        proposed = playbook.scripts.get(decided.history[-1].script_id)
    exchange = Exchange(customer, delivered.script_id, delivered.text)
    return replace(
        base,
        scene=st.next_scene(script, before),
        history=(*before.history, exchange)[-st.HISTORY :],
        goals=_goals(before, base, proposed, script),
        used=(*before.used, script.id) if script else before.used,
        expect=script.expect if script else Expect.OPEN,
        question=script.id if script and _asks(script) else "",
        unclear=0,
        silences=0,
        transferred=False,
        closed=False,
    )


def _goals(
    before: DialogueState, base: DialogueState, proposed: Script | None, said: Script | None
) -> tuple[str, ...]:
    unsaid = proposed.goal if proposed and proposed is not said and proposed.goal not in before.goals else ""
    kept = [goal for goal in base.goals if goal != unsaid]
    return tuple(dict.fromkeys((*kept, *((said.goal,) if said and said.goal else ()))))


def _asks(script: Script) -> bool:
    return script.action is Action.SAY and script.expect not in (Expect.OPEN, Expect.NOTHING)


def _pairs(text: str) -> set[tuple[str, str]]:
    sounds = [fuzzy(syllable) for syllable in syllables(text)]
    return set(pairwise(sounds))


def _alike(one: set[tuple[str, str]], two: set[tuple[str, str]]) -> float:
    return 2 * len(one & two) / (len(one) + len(two)) if one and two else 0.0
