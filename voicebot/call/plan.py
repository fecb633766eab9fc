"""How a call is to be handed over, and how long each step may take."""

from __future__ import annotations

from dataclasses import dataclass

from voicebot.domain.people import TakeoverKind, TakeoverReason


@dataclass(frozen=True, slots=True)
class TakeoverTimes:
    """How long each step may take."""

    queue_s: float = 25.0  # until an agent answers, all in all
    ring_s: float = 15.0  # at one agent's phone
    render_s: float = 3.0  # until the briefing can be spoken; else it is only shown
    brief_s: float = 12.0  # of it that is heard at most; a key ends it earlier
    refer_s: float = 30.0


@dataclass(frozen=True, slots=True)
class Plan:
    """Who takes over, how, and why."""

    reason: TakeoverReason
    kind: TakeoverKind = TakeoverKind.AUTO
    agent_id: str = ""  # this agent; "" = whoever waited longest
    target_uri: str = ""  # an address outside, instead of an agent


def reason_of(reasons: tuple[str, ...], key: str) -> TakeoverReason:
    """Return why a decision hands over, from its reasons, which begin with the rule's name."""
    rule = reasons[0].partition(" ")[0] if reasons else ""
    if key:
        return TakeoverReason.KEY
    return {
        "V5": TakeoverReason.ASKED,
        "V11": TakeoverReason.UNCLEAR,
        "V22": TakeoverReason.INTENT,
        "V23": TakeoverReason.ANGER,
    }.get(rule, TakeoverReason.SCRIPT)
