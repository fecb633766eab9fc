"""The shape of a playbook file. What each key means stands in its description."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from voicebot.domain.call import Disposition, IntentLevel
from voicebot.domain.script import Action, Expect, Style

SlotType = Literal["name", "time", "date", "money", "percent", "range", "digits", "phone", "text"]

# Dialogue acts: the policy finds the script for a rule by its act, so rules hold for every playbook.
Act = Literal[
    "announce",  # names company, robot, recording
    "greet",
    "identify",  # asks who is on the phone
    "pitch",  # says what the call is about
    "inform",
    "answer",  # answers a question about the product
    "company",  # says who is calling
    "objection",  # meets an objection
    "reassure",  # to a hesitant customer
    "qualify",  # asks about needs, offers the next step
    "confirm",  # asks for the spoken confirmation before anything binding
    "registered",  # says that something binding was done
    "ask",  # puts a question of the bot's own (survey, appointment)
    "care",  # takes up what went wrong for the customer
    "offer_callback",  # to a busy customer: asks when
    "ask_time",
    "confirm_time",
    "driving",
    "meeting",
    "retain",  # the one soft reason after a first refusal
    "accept_refusal",
    "do_not_call",
    "no_number",  # says that who shows no number can not be put on the list
    "wrong_person",
    "other_person",
    "robot",  # admits to be a robot
    "number_source",  # says where the number comes from
    "complaint",
    "apologise",  # and offers to stop
    "apologise_close",  # and ends the call
    "handover",
    "no_agent",
    "off_topic",
    "repeat",  # says the essence again
    "wait",
    "thanks",
    "ask_back",
    "rate",  # asks the customer to rate the call, before it ends
    "reprompt",
    "close",
    "message",  # left for a mailbox
]
# These are reached by a rule of the policy, a role or an answer: they may go without examples.
BY_RULE = frozenset(
    {
        "announce",
        "apologise_close",
        "no_agent",
        "no_number",
        "ask_back",
        "reprompt",
        "close",
        "registered",
        "message",
        "rate",
    }
)
ACTS = frozenset(get_args(Act))

Text = Annotated[str, Field(min_length=1)]
_TRUTH = {"true": True, "false": False}  # YAML's scalars come as text
Protected = Annotated[bool | Text, BeforeValidator(lambda told: _TRUTH.get(told, told))]
Key = Annotated[str, Field(pattern=r"^[0-9*#]$")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class AnswerModel(_Strict):
    """What follows one class of answers."""

    say: tuple[Text, ...] = ()
    then: str = ""


class ScriptModel(_Strict):
    """One script."""

    text: Text
    act: Act = "inform"
    examples: tuple[Text, ...] = ()
    next_scene: str = ""
    action: Action = Action.SAY
    expect: Expect = Expect.OPEN
    answers: dict[str, AnswerModel] = {}
    styles: dict[Style, Text] = {}
    variants: tuple[Text, ...] = ()
    reprompt: tuple[Text, ...] = ()
    records: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$|^$")] = ""
    patience_ms: Annotated[int, Field(ge=1000, le=120_000)] | None = None  # of silence after it
    keys: dict[Key, str] = {}  # on the telephone -> name of one of its answers
    protected: Protected = False  # true, or the words with which the text begins
    do_not_call: bool = False
    goal: str = ""
    needs: tuple[str, ...] = ()
    repeatable: bool = False


class SceneModel(_Strict):
    """One dialogue node and the scripts that belong to it."""

    title: Text
    next: tuple[str, ...] = ()
    default: str = ""
    patience_ms: Annotated[int, Field(ge=1000, le=30000)] = 6000
    pause_factor: Annotated[float, Field(ge=0.7, le=3)] = 1.0  # more: people may think longer here
    protected: bool = False
    scripts: dict[str, ScriptModel] = {}


class RolesModel(_Strict):
    """Scripts with a fixed role."""

    opening: Text
    announcement: Text
    unclear: Annotated[tuple[Text, ...], Field(min_length=1)]
    silence: Annotated[tuple[Text, ...], Field(min_length=1)]
    give_up: Text
    apology: Text
    do_not_call: Text
    handover: Text
    farewell: Text
    do_not_call_withheld: str = ""
    voicemail: str = ""


class OutcomeModel(_Strict):
    """What a goal makes of a call."""

    goal: Text
    disposition: Disposition
    level: IntentLevel
    reason: Text


class RatingModel(_Strict):
    """The customer's own rating at a friendly end: the question, and what its answers count."""

    script: Text
    scores: dict[str, Annotated[float, Field(ge=0, le=100)]]


class PlaybookModel(_Strict):
    """A playbook file."""

    id: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    title: Text
    company: Text
    product: Text
    roles: RolesModel
    scenes: Annotated[dict[str, SceneModel], Field(min_length=1)]
    anywhere: dict[str, ScriptModel] = {}
    slots: dict[str, SlotType] = {}
    defaults: dict[str, str] = {}
    keywords: tuple[Text, ...] = ()
    keys: dict[Key, str] = {}  # on the telephone -> script id, wherever the conversation stands
    readings: dict[str, str] = {}
    agenda: tuple[Text, ...] = ()
    outcomes: tuple[OutcomeModel, ...] = ()
    refusals: tuple[Text, ...] = ()
    rating: RatingModel | None = None
    # a person takes the call: intent (agreed, or keen for long), anger (but no abuse), unclear (twice)
    handover_when: tuple[Literal["intent", "anger", "unclear"], ...] = ()
