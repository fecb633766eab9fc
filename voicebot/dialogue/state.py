"""The state of a conversation: how it begins and how one turn changes it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from voicebot.dialogue.choice import Scored
from voicebot.domain.dialogue import DialogueState, Exchange
from voicebot.domain.emotion import EmotionLabel
from voicebot.domain.script import ANY_SCENE, Action, Expect, Playbook, Script
from voicebot.domain.speech import Utterance, UtteranceKind
from voicebot.domain.understanding import Situation, Understanding

HISTORY = 8
KEEPS_QUESTION = frozenset(("ask_back", "reprompt", "wait"))  # acts after which the open question stands
ASIDE = KEEPS_QUESTION | {"answer", "company", "robot", "number_source", "off_topic", "thanks"}
ASKED_AT_MOST = 2  # times that a question of the agenda is put
MS_PER_HANZI = 220  # speaking rate of the rendered voice, near enough to judge what was heard
HEARD = 0.6  # share of a script from which on it counts as said

# Goals and facts that `conclude` reads; a playbook's scripts name the goals.
PITCHED, INTERESTED, CONSENTED, INFO_SENT = "pitched", "interested", "consented", "info_sent"
CALLBACK_AGREED, REFUSED, WRONG_PERSON, COMPLAINED = (
    "callback_agreed",
    "refused",
    "wrong_person",
    "complained",
)
OTHER_PERSON = "other_person"
CALLBACK_TIME, CALLBACK_SPOKEN, MACHINE = "callback_time", "callback_spoken", "machine"
PRODUCT, REFUSAL_REASON = "product", "refusal_reason"  # what was spoken of; why it was not wanted
CALLBACK_BY, PERSON = "callback_by", "person"  # the customer asked for a person: one is to call back
GOALS = frozenset(
    (
        PITCHED,
        INTERESTED,
        CONSENTED,
        INFO_SENT,
        CALLBACK_AGREED,
        REFUSED,
        WRONG_PERSON,
        COMPLAINED,
        OTHER_PERSON,
    )
) | {"opted_out", "transferred"}


@dataclass(frozen=True, slots=True)
class Reply:
    """What the policy decided to do: a script (or none) and what the turn adds to the state."""

    script: Script | None  # None: act without a word
    reasons: tuple[str, ...]
    text: str = ""  # instead of the script's own wording
    action: Action | None = None  # instead of the script's own action
    facts: Mapping[str, str] | None = None
    goal: str = ""
    refused: bool = False  # the customer said no in this turn
    unclear: bool = False
    do_not_call: bool = False
    closing: str = ""  # script id of the end that a question for a rating puts off
    rivals: tuple[Scored, ...] = ()  # that may be said instead to learn about them, the chosen one first
    taken_back: bool = False  # the takeover did not take place


def begin(playbook: Playbook, slots: Mapping[str, str]) -> DialogueState:
    """Return the state before the opening."""
    opening = playbook.scripts[playbook.opening]
    scene = opening.scene if opening.scene != ANY_SCENE else next(iter(playbook.scenes))
    return DialogueState(playbook.id, playbook.version, scene, slots=dict(slots))


def heard(utterance: Utterance, state: DialogueState, playbook: Playbook) -> DialogueState:
    """Take back the last script if the customer interrupted before most of it was heard."""
    if not utterance.barged_in or utterance.heard_ms is None or not state.history:
        return state
    last = state.history[-1]
    script = playbook.scripts.get(last.script_id)
    if script is None or script.protected:
        return state
    if utterance.heard_ms >= HEARD * MS_PER_HANZI * len(last.script_text):
        return state
    used = list(state.used)
    if last.script_id in used:
        del used[len(used) - 1 - used[::-1].index(last.script_id)]
    still_said = {playbook.scripts[key].goal for key in used if key in playbook.scripts}
    goals = tuple(goal for goal in state.goals if goal != script.goal or goal in still_said)
    cut = last.script_text[: utterance.heard_ms // MS_PER_HANZI]
    return replace(state, used=tuple(used), goals=goals, expect=Expect.OPEN, question="", cut=cut or "…")


def next_scene(script: Script | None, state: DialogueState) -> str:
    """Return where a script leads."""
    if script is None:
        return state.scene
    return script.next_scene or (script.scene if script.scene != ANY_SCENE else state.scene)


def advance(
    state: DialogueState,
    utterance: Utterance,
    understanding: Understanding,
    reply: Reply,
    text: str,
) -> DialogueState:
    """Return the state after a turn."""
    script = reply.script
    action = reply.action or (script.action if script else Action.HANG_UP)
    added = [goal for goal in (script.goal if script else "", reply.goal) if goal]
    spoke = utterance.kind in (UtteranceKind.SPEECH, UtteranceKind.DTMF)
    exchange = Exchange(understanding.transcript.text if spoke else "", script.id if script else "", text)
    opted_out = state.opted_out or reply.do_not_call or bool(script and script.do_not_call)
    return replace(
        state,
        scene=next_scene(script, state),
        turn=state.turn + 1,
        history=(*state.history, exchange)[-HISTORY:],
        facts={**state.facts, **(reply.facts or {})},
        goals=tuple(dict.fromkeys((*state.goals, *added))),
        used=(*state.used, script.id) if script and not reply.text else state.used,
        emotions=(*state.emotions, understanding.emotion.label) if spoke else state.emotions,
        situation=understanding.situation if spoke else state.situation,
        expect=_expect(script, state),
        question=_question(script, state),
        cut="",
        closing=reply.closing,
        refusals=state.refusals + int(reply.refused),
        unclear=state.unclear + 1 if reply.unclear else 0 if spoke else state.unclear,
        silences=state.silences + 1 if utterance.kind is UtteranceKind.SILENCE else 0,
        opted_out=opted_out,
        transferred=(state.transferred or action is Action.TRANSFER) and not reply.taken_back,
        closed=state.closed or action is not Action.SAY or opted_out,
    )


def _expect(script: Script | None, state: DialogueState) -> Expect:
    if script is None:
        return Expect.NOTHING
    return state.expect if script.act in KEEPS_QUESTION else script.expect


def _question(script: Script | None, state: DialogueState) -> str:
    """Return the question that stands open: an answer to the customer's own question leaves it open."""
    if script is None or script.action is not Action.SAY:
        return ""
    if script.expect not in (Expect.OPEN, Expect.NOTHING):
        return script.id if script.act not in KEEPS_QUESTION else state.question
    return state.question if script.act in ASIDE else ""


def done(script: Script, state: DialogueState) -> bool:
    """Whether a point of the agenda is done: said; if its answer is kept: answered, or asked twice.

    A question that is no longer open counts as answered too: the answer led elsewhere, say to a fault.
    """
    said = script.id in state.used
    if not script.records or (said and script.id != state.question):
        return said
    asked = sum(exchange.script_id == script.id for exchange in state.history)
    return script.records in state.facts or asked >= ASKED_AT_MOST


def spoke(state: DialogueState) -> bool:
    """Whether the customer said anything at all."""
    return any(exchange.customer_text for exchange in state.history) or bool(state.emotions)


def negative(state: DialogueState) -> bool:
    """Whether the customer's latest words were annoyed or angry."""
    return bool(state.emotions) and state.emotions[-1] in (EmotionLabel.ANNOYED, EmotionLabel.ANGRY)


def another_person(state: DialogueState) -> bool:
    """Whether somebody else answered the phone."""
    return state.situation is Situation.OTHER_PERSON
