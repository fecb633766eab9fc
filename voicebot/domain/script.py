"""Playbooks (话术库): what may be said, where in the conversation, and how."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

ANY_SCENE = "*"
RATING, RATING_SCORE = "rating", "rating_score"  # facts that a customer's own rating leaves


class Style(StrEnum):
    """Tone in which a script is spoken; follows the customer's emotion."""

    NEUTRAL = "neutral"
    SOFT = "soft"  # softer and slower
    BRISK = "brisk"


class Action(StrEnum):
    """What a decision does."""

    SAY = "say"
    TRANSFER = "transfer"  # say the script, then hand over to a human agent
    HANG_UP = "hang_up"  # say the script, then end the call


class Expect(StrEnum):
    """What kind of answer a script asks for."""

    OPEN = "open"
    YES_NO = "yes_no"
    TIME = "time"
    NAME = "name"
    NUMBER = "number"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Answer:
    """One expected answer of a script: its class, the ways customers say it, and what follows."""

    name: str  # yes, no, later, ...
    phrases: tuple[str, ...]
    then: str = ""  # script id said next; "" = the ranker decides


@dataclass(frozen=True, slots=True)
class Script:
    """One thing to say (话术)."""

    id: str
    scene: str  # dialogue node it belongs to; ANY_SCENE = reachable from everywhere
    text: str  # hanzi, with {slot} placeholders
    examples: tuple[str, ...] = ()  # customer lines that this script answers
    act: str = "inform"  # dialogue act of the script: greet, ask, inform, object, ...
    next_scene: str = ""  # "" = stay
    action: Action = Action.SAY
    expect: Expect = Expect.OPEN
    answers: tuple[Answer, ...] = ()
    styles: Mapping[str, str] = field(default_factory=dict)  # Style -> its own wording
    variants: tuple[str, ...] = ()  # other wordings for A/B
    protected: bool = False  # legal announcement: never interrupted, never shortened
    do_not_call: bool = False  # saying it records the customer's "no" for good
    goal: str = ""  # goal that saying it reaches (pitched, callback_agreed, interested, ...)
    needs: tuple[str, ...] = ()  # goals that must be reached before
    repeatable: bool = False
    reprompt: tuple[str, ...] = ()  # other wordings after silence
    records: str = ""  # fact under which the class of the customer's answer is kept
    patience_ms: int = 0  # silence before the customer is re-prompted after it; 0 = the scene's
    keys: Mapping[str, str] = field(default_factory=dict)  # key on the telephone -> name of an answer
    protected_text: str = ""  # with which `text` begins, if only that much is protected


@dataclass(frozen=True, slots=True)
class Scene:
    """A dialogue node."""

    id: str
    title: str  # for people, in Chinese
    next: tuple[str, ...] = ()  # scenes that may follow
    default: str = ""  # script said when nothing fits
    patience_ms: int = 6000  # silence before the customer is re-prompted
    pause_factor: float = 1.0  # how long customers may pause in a sentence here; 1 = as tuned
    protected: bool = False  # no exploration here


@dataclass(frozen=True, slots=True)
class GoalOutcome:
    """What a goal, once reached, makes of a call."""

    goal: str
    disposition: str  # of domain.call.Disposition
    level: str  # of domain.call.IntentLevel
    reason: str  # for people, in Chinese


@dataclass(frozen=True, slots=True)
class Rating:
    """How customers rate a call before it ends."""

    script: str  # id of the question
    scores: Mapping[str, float]  # name of its answer -> 0-100


@dataclass(frozen=True, slots=True)
class Playbook:
    """The scripts for one product."""

    id: str
    version: str  # hash of the content
    title: str
    company: str
    product: str
    scenes: Mapping[str, Scene]
    scripts: Mapping[str, Script]
    opening: str  # script ids with a fixed role
    announcement: str  # the script that names company, robot and recording; may be the opening
    unclear: tuple[str, ...]  # ask back, in this order
    silence: tuple[str, ...]  # re-prompts, in this order
    give_up: str  # polite close after silence or too many unclear turns
    apology: str
    do_not_call: str
    handover: str
    farewell: str
    do_not_call_withheld: str = ""  # to who shows no number, who can not be put on the list; "" = farewell
    voicemail: str = ""  # left for a mailbox where the campaign leaves messages; "" = nothing is
    slots: Mapping[str, str] = field(default_factory=dict)  # slot name -> type
    defaults: Mapping[str, str] = field(default_factory=dict)  # slot name -> value
    keywords: tuple[str, ...] = ()  # domain words for jieba and the recogniser
    keys: Mapping[str, str] = field(default_factory=dict)  # key on the telephone -> script id, anywhere
    readings: Mapping[str, str] = field(default_factory=dict)  # phrase -> pinyin for polyphones
    agenda: tuple[str, ...] = ()  # script ids that the bot wants to get through, in this order
    outcomes: tuple[GoalOutcome, ...] = ()  # of goals; the first that was reached counts
    rating: Rating | None = None  # None: customers are not asked
    refusals: tuple[str, ...] = ()  # how customers say no to this very product
    handover_when: tuple[str, ...] = ()  # intent, anger, unclear: a person takes the call then
