"""Where another candidate than the best may be said, so that learning finds out how that goes. Pure.

Never where the scene is protected, the customer is annoyed or not free, or closes; never a script that ends
the call, is protected, or does anything but inform and persuade; never one that fits much worse.
"""

from __future__ import annotations

from dataclasses import replace

from voicebot.dialogue.choice import Scored
from voicebot.dialogue.moment import FLOOR, Moment, why
from voicebot.dialogue.state import Reply
from voicebot.domain.dialogue import Relation, Shown
from voicebot.domain.ports import Explorer
from voicebot.domain.script import Action, Script
from voicebot.domain.understanding import Situation

ACTS = frozenset(("pitch", "inform", "answer", "objection", "reassure", "qualify", "ask", "care"))
CLOSE = 0.5  # share of the best one's score that a rival needs
MOST = 3  # shown, the best included


def rivals(moment: Moment) -> tuple[Scored, ...]:
    """Return the candidates among which may be explored, the best first; () = nothing may be."""
    best = moment.best
    scene = moment.playbook.scenes.get(moment.state.scene)
    if best is None or scene is None or scene.protected or not _open(best.script):
        return ()
    if moment.negative or moment.situation is not Situation.FREE or moment.relation is Relation.CLOSES:
        return ()
    floor = max(FLOOR, CLOSE * best.score)
    others = [one for one in moment.scored[1:] if one.score >= floor and _open(one.script)]
    return (best, *others)[:MOST] if others else ()


def explore(
    reply: Reply, moment: Moment, explorer: Explorer | None, seed: int
) -> tuple[Reply, tuple[Shown, ...]]:
    """Return the reply, or one with a rival in place, and among what was chosen.

    Without an explorer, and where a rule decides, nothing changes and nothing is shown.
    """
    if explorer is None or not reply.rivals:
        return reply, ()
    total = sum(one.candidate.probability for one in reply.rivals)
    shares = [(one.script.id, one.candidate.probability / total) for one in reply.rivals]
    index, chances = explorer.explore(moment.playbook.id, shares, seed)
    shown = tuple(Shown(*share, chance) for share, chance in zip(shares, chances, strict=True))
    if index == 0:
        return reply, shown
    chosen = reply.rivals[index]
    reason = f"探索：本可以说 {reply.rivals[0].script.id}，以概率{chances[index]:.2f}换一个"
    return replace(reply, script=chosen.script, reasons=(why(chosen), reason), facts=None), shown


def _open(script: Script) -> bool:
    return (
        script.act in ACTS
        and script.action is Action.SAY
        and not script.protected
        and not script.protected_text
        and not script.do_not_call
    )
