"""What a manager asks of many calls: funnel, results by hour, reasons, conversion, latency, emotion."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from voicebot.domain.call import Disposition
from voicebot.domain.emotion import EmotionLabel
from voicebot.domain.intervals import Share, settled

DOUBT = 0.05  # chance that an A/B test ever names a wrong winner
POSITIVE = (Disposition.INTERESTED, Disposition.TRANSFERRED)  # what counts as converted
UNWILLING = (Disposition.REFUSED, Disposition.DO_NOT_CALL, Disposition.WRONG_PERSON)


@dataclass(frozen=True, slots=True)
class ReportFilter:
    """Which calls. Times are of the calls' ends; those older than two days count by whole UTC days."""

    campaign_id: str = ""  # "" = all
    since: datetime | None = None
    until: datetime | None = None  # before


@dataclass(frozen=True, slots=True)
class Funnel:
    """From the list to the wish; every step is a part of the one before, contacts apart."""

    contacts: int  # on the lists
    calls: int  # attempts that ended
    answered: int
    spoke: int  # the customer said something
    positive: int  # interested, or handed to a person
    callbacks: int
    opted_out: int
    talk_s: float  # of all answered calls


@dataclass(frozen=True, slots=True)
class HourCount:
    """Calls of one result that ended in one hour of the day."""

    hour: int  # 0-23 in the zone asked for
    disposition: Disposition
    calls: int


@dataclass(frozen=True, slots=True)
class Counted:
    """How often something was."""

    name: str
    calls: int


@dataclass(frozen=True, slots=True)
class ScriptConversion:
    """How calls went in which a script, in one of its wordings, was said."""

    script_id: str
    variant: str  # "" = it has one wording
    converted: Share  # of the calls
    said: int  # times
    hung_up: Share  # calls in which the customer hung up on it, of all in which it was said


@dataclass(frozen=True, slots=True)
class Wordings:
    """The wordings of a script side by side (A/B), the best one first."""

    script_id: str
    variants: tuple[ScriptConversion, ...]
    winner: str  # the variant that is the best beyond doubt; "" = the test goes on


def wordings(scripts: Iterable[ScriptConversion]) -> tuple[Wordings, ...]:
    """Compare the wordings of each script that has several, by a test that may be looked at at any time."""
    by_script: dict[str, list[ScriptConversion]] = {}
    for one in scripts:
        if one.variant:
            by_script.setdefault(one.script_id, []).append(one)
    found = []
    for script_id, variants in sorted(by_script.items()):
        if len(variants) > 1:
            first, second, *_ = ordered = sorted(variants, key=lambda one: (-one.converted.rate, one.variant))
            pairs = len(variants) * (len(variants) - 1) / 2
            hits, of = zip(*((one.converted.hits, one.converted.of) for one in (first, second)), strict=True)
            won = settled(hits, of, doubt=DOUBT / pairs) == 0
            found.append(Wordings(script_id, tuple(ordered), first.variant if won else ""))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class StageLatency:
    """How long a stage took, milliseconds; exact to 5 %, as counted in steps."""

    stage: str
    turns: int
    p50: float
    p90: float
    p95: float
    p99: float


@dataclass(frozen=True, slots=True)
class EmotionMove:
    """How often customers' emotion went from one label to another from one utterance to the next."""

    step: int  # of the first utterance, from 1; the last step stands for all later ones
    before: EmotionLabel
    after: EmotionLabel | None  # None: it was the last utterance
    calls: int


@dataclass(frozen=True, slots=True)
class Report:
    """Everything at once."""

    title: str
    made_at: datetime
    until: datetime | None  # calls up to here are counted; None = nothing was rolled up yet
    funnel: Funnel
    dispositions: tuple[Counted, ...]
    intents: tuple[Counted, ...]
    hours: tuple[HourCount, ...]
    reasons: tuple[Counted, ...]  # of refusal, most frequent first
    not_dialled: tuple[Counted, ...]  # reasons for which contacts may not be called
    scripts: tuple[ScriptConversion, ...]  # most said first
    latencies: tuple[StageLatency, ...]
    emotions: tuple[EmotionMove, ...]
