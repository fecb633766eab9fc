"""Which scripts may be said, and how well each candidate fits the moment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from voicebot.domain.dialogue import Candidate, DialogueState, Relation
from voicebot.domain.emotion import EmotionLabel
from voicebot.domain.script import ANY_SCENE, Playbook, Script

# Acts that only a rule, a role or an expected answer may choose: never the ranker.
RULE_ONLY = frozenset(
    {
        "announce",
        "apologise_close",
        "ask_back",
        "no_agent",
        "no_number",
        "registered",
        "reprompt",
        "message",
        "rate",
    }
)
_AGAIN = frozenset({"answer", "company", "robot", "identify", "off_topic", "ask_time", "repeat"})
_TELLS = frozenset({"answer", "company", "robot"})  # said again also if the question is only implied
_MAX_OBJECTIONS = 3  # replies to objections in one call; then the bot gives way

# How well a dialogue act of ours goes with the relation of the customer's words; 1 if not listed.
RELATION_TABLE: dict[Relation, dict[str, float]] = {
    Relation.ASKS: {
        "answer": 1.3,
        "robot": 1.3,
        "number_source": 1.3,
        "identify": 1.2,
        "objection": 0.8,
        "close": 0.3,
        "retain": 0.2,
        "accept_refusal": 0.2,
    },
    Relation.OBJECTS: {
        "objection": 1.3,
        "reassure": 1.2,
        "retain": 1.2,
        "care": 1.3,
        "answer": 0.8,
        "confirm": 0.1,
        "pitch": 0.5,
    },
    Relation.ANSWERS: {"qualify": 1.2, "ask": 1.2, "pitch": 1.1, "confirm_time": 1.2},
    Relation.REPEATS: {"repeat": 1.2, "close": 0.8},
    Relation.CONTRADICTS: {"confirm": 0.0, "qualify": 0.5},
    Relation.CLOSES: {"close": 2.0, "pitch": 0.2, "answer": 0.4},
}
# How an emotion shifts what is said (explicit policy; stopping is a rule of its own).
EMOTION_TABLE: dict[EmotionLabel, dict[str, float]] = {
    EmotionLabel.INTERESTED: {
        "qualify": 1.3,
        "answer": 1.1,
        "confirm": 1.1,
        "accept_refusal": 0.3,
        "retain": 0.5,
    },
    EmotionLabel.HESITANT: {"reassure": 1.4, "retain": 0.7, "qualify": 0.9},
    EmotionLabel.ANNOYED: {
        "pitch": 0.2,
        "objection": 0.4,
        "retain": 0.1,
        "qualify": 0.2,
        "ask": 0.5,
        "care": 1.3,
        "accept_refusal": 1.5,
        "apologise": 1.5,
    },
}


@dataclass(frozen=True, slots=True)
class Scored:
    """A candidate and how it fits: probability times the named factors."""

    candidate: Candidate
    script: Script
    score: float
    factors: tuple[tuple[str, float], ...]


def allowed(state: DialogueState, playbook: Playbook) -> tuple[str, ...]:
    """Return the script ids that may be said now, in the playbook's order.

    Gated by compliance (nothing is sold after the call was closed), by scene (here, next, or from
    anywhere), by needs, and by repetition.
    """
    if state.closed or state.opted_out:
        return (playbook.farewell,) if not state.opted_out else ()
    scene = playbook.scenes.get(state.scene)
    near = {ANY_SCENE, state.scene, *(scene.next if scene else ())}
    near |= {name for name, node in playbook.scenes.items() if node.default == playbook.farewell}
    return tuple(
        key
        for key, script in playbook.scripts.items()
        if script.scene in near and sayable(script, state, playbook)
    )


def sayable(script: Script, state: DialogueState, playbook: Playbook) -> bool:
    """Whether the ranker may propose a script in this state, wherever it stands."""
    if script.act in RULE_ONLY or script.id in (playbook.opening, playbook.give_up):
        return False
    if not set(script.needs) <= set(state.goals):
        return False
    if script.act == "retain" and state.refusals:
        return False
    if script.act == "objection" and objections(state, playbook) >= _MAX_OBJECTIONS:
        return False
    said = state.used.count(script.id)
    return said == 0 or script.repeatable or (said == 1 and script.act in _AGAIN)


def objections(state: DialogueState, playbook: Playbook) -> int:
    """Return how many objections were answered so far."""
    return sum(playbook.scripts[key].act == "objection" for key in state.used if key in playbook.scripts)


def score(
    candidates: Sequence[Candidate],
    relation: Relation,
    emotion: EmotionLabel,
    state: DialogueState,
    playbook: Playbook,
) -> list[Scored]:
    """Return the candidates that may be said, best first; ties go by script id."""
    permitted = set(allowed(state, playbook))
    scored = []
    for candidate in candidates:
        script = playbook.scripts.get(candidate.script_id)
        if script is None or script.id not in permitted:
            continue
        factors = (
            ("场景", _transition(script, state)),
            ("关系", RELATION_TABLE.get(relation, {}).get(script.act, 1.0)),
            ("情绪", EMOTION_TABLE.get(emotion, {}).get(script.act, 1.0)),
            ("重复", _repetition(script, relation, state)),
        )
        value = candidate.probability
        for _, factor in factors:
            value *= factor
        scored.append(Scored(candidate, script, value, factors))
    return sorted(scored, key=lambda item: (-item.score, item.script.id))


def _transition(script: Script, state: DialogueState) -> float:
    return 1.0 if script.scene in (ANY_SCENE, state.scene) else 0.9


def _repetition(script: Script, relation: Relation, state: DialogueState) -> float:
    if script.id not in state.used or script.repeatable:
        return 1.0
    if relation is Relation.REPEATS:
        return 1.0
    asked = relation in (Relation.ASKS, Relation.CHANGES_TOPIC)
    return 0.6 if asked or script.act in _TELLS else 0.0
