"""Dialogue: relations, state, candidates and decisions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from voicebot.domain.emotion import EmotionLabel, SpeakerBaseline
from voicebot.domain.script import Action, Expect, Style
from voicebot.domain.understanding import Situation


class Relation(StrEnum):
    """How an utterance relates to the ones before (语句关系)."""

    ANSWERS = "answers"
    ELABORATES = "elaborates"
    ASKS = "asks"
    OBJECTS = "objects"
    REPEATS = "repeats"
    CHANGES_TOPIC = "changes_topic"
    CONTRADICTS = "contradicts"
    CLOSES = "closes"


@dataclass(frozen=True, slots=True)
class Exchange:
    """One past turn, as context."""

    customer_text: str
    script_id: str
    script_text: str


@dataclass(frozen=True, slots=True)
class DialogueState:
    """Where the conversation stands. Advances only on commit."""

    playbook_id: str
    playbook_version: str
    scene: str
    turn: int = 0
    history: tuple[Exchange, ...] = ()  # oldest first, the last eight
    slots: Mapping[str, str] = field(default_factory=dict)  # contact attributes for {slot}
    facts: Mapping[str, str] = field(default_factory=dict)  # learnt in the call: callback_time, ...
    goals: tuple[str, ...] = ()
    used: tuple[str, ...] = ()  # script ids said, in order
    emotions: tuple[EmotionLabel, ...] = ()
    situation: Situation = Situation.FREE
    expect: Expect = Expect.OPEN
    question: str = ""  # script id of the question that is still open
    cut: str = ""  # of the script before, what the customer heard of it; "" = all
    closing: str = ""  # script id of the end, while the customer is asked for a rating
    refusals: int = 0
    unclear: int = 0  # in a row
    silences: int = 0  # in a row
    opted_out: bool = False
    withheld: bool = False  # who calls in shows no number: a wish not to be called can not be kept
    transferred: bool = False
    closed: bool = False  # a closing script was chosen


@dataclass(frozen=True, slots=True)
class Candidate:
    """A script the ranker proposes."""

    script_id: str
    probability: float  # 0-1, calibrated over the allowed scripts
    member_scores: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Shown:
    """One of the scripts among which may be explored."""

    script_id: str
    share: float  # of the ranker's probability, among those shown
    chance: float  # with which it was chosen


@dataclass(frozen=True, slots=True)
class Decision:
    """The script chosen for one utterance, and why."""

    action: Action
    script_id: str
    script_text: str  # slots filled, in hanzi
    style: Style
    candidates: tuple[Candidate, ...]
    reasons: tuple[str, ...]
    relation: Relation
    scene: str  # in which the utterance was heard
    next_scene: str
    propensity: float = 1.0  # probability with which the policy chose this script
    shown: tuple[Shown, ...] = ()  # what it chose among, where others may be tried; () = the best, or a rule
    variant: str = ""  # which of the script's wordings: A, B, …; "" = it had no choice
    model_version: str = ""
    playbook_version: str = ""
    protected: bool = False
    expect: Expect = Expect.OPEN
    patience_ms: int = 6000
    pause_factor: float = 1.0  # of the scene that follows
    do_not_call: bool = False


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All that a call's next decision depends on. Held by the line worker, opaque to it."""

    call_id: str
    seed: int
    state: DialogueState
    baseline: SpeakerBaseline = field(default_factory=SpeakerBaseline)
