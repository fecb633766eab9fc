"""Dashboard questions, answered from the roll-ups."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from voicebot.domain.call import Disposition
from voicebot.domain.emotion import EmotionLabel
from voicebot.domain.intervals import Share
from voicebot.domain.report import (
    POSITIVE,
    UNWILLING,
    Counted,
    EmotionMove,
    Funnel,
    HourCount,
    Report,
    ReportFilter,
    ScriptConversion,
    StageLatency,
)
from voicebot.store.calls import row_id
from voicebot.store.contact_counts import ContactCount, contact_counts
from voicebot.store.rehearsals import of_customers
from voicebot.store.tables import (
    EmotionRollupRow,
    LatencyRollupRow,
    OutcomeRollupRow,
    ReasonRollupRow,
    RollupStateRow,
    ScriptRollupRow,
)

MOST_REASONS = 12
MOST_SCRIPTS = 200
LATENCY_BASE = 1.05  # of the roll-up's steps
_QUANTILES = (0.5, 0.9, 0.95, 0.99)


@dataclass(frozen=True, slots=True)
class _Results:
    """Calls that ended alike."""

    hour: int
    disposition: str
    intent: str
    calls: int
    answered: int
    spoke: int
    opted_out: int
    talk_s: float


class ReportRepository:
    """Counts over many calls."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def until(self) -> datetime | None:
        """Return up to when calls are counted; None if the roll-up never ran."""
        return self._session.scalar(select(func.max(RollupStateRow.at)))

    def report(self, title: str, wanted: ReportFilter, zone: ZoneInfo, now: datetime) -> Report:
        """Return everything at once; results are read in one pass."""
        found = self._results(wanted, zone)
        return Report(
            title=title,
            made_at=now,
            until=self.until(),
            funnel=self._funnel(found, wanted),
            dispositions=_by(found, lambda one: one.disposition),
            intents=_by_intent(found),
            hours=_by_hour(found),
            reasons=self.reasons(wanted),
            not_dialled=self.not_dialled(wanted),
            scripts=self.scripts(wanted),
            latencies=self.latencies(wanted),
            emotions=self.emotions(wanted),
        )

    def funnel(self, wanted: ReportFilter) -> Funnel:
        """Return how many came how far."""
        return self._funnel(self._results(wanted), wanted)

    def dispositions(self, wanted: ReportFilter) -> tuple[Counted, ...]:
        """Return calls by result, most frequent first."""
        return _by(self._results(wanted), lambda one: one.disposition)

    def intents(self, wanted: ReportFilter) -> tuple[Counted, ...]:
        """Return calls by intent level, A first."""
        return _by_intent(self._results(wanted))

    def hours(self, wanted: ReportFilter, zone: ZoneInfo) -> tuple[HourCount, ...]:
        """Return calls by hour of the day in a zone and result, in order."""
        return _by_hour(self._results(wanted, zone))

    def _results(self, wanted: ReportFilter, zone: ZoneInfo | None = None) -> list[_Results]:
        """Count calls by result and intent level; with a zone, by hour of its day too."""
        row = OutcomeRollupRow
        kinds: list[Any] = [row.disposition, row.intent_level]
        if zone is not None:
            kinds.insert(0, func.extract("hour", func.timezone(zone.key, row.at)))
        sums = [_sum(one) for one in (row.calls, row.answered, row.spoke, row.opted_out, row.talk_s)]
        query = _matching(select(*kinds, *sums).group_by(*kinds), row, wanted)
        found = []
        for *kind, calls, answered, spoke, opted_out, talk_s in self._session.execute(query):
            hour, disposition, intent = kind if zone is not None else (0, *kind)
            counts = (int(calls), int(answered), int(spoke), int(opted_out))
            found.append(_Results(int(hour), disposition, intent, *counts, float(talk_s)))
        return found

    def _funnel(self, found: Sequence[_Results], wanted: ReportFilter) -> Funnel:
        positive = _values(POSITIVE)
        return Funnel(
            sum(count.contacts for count in self._contacts(wanted)),
            sum(one.calls for one in found),
            sum(one.answered for one in found),
            sum(one.spoke for one in found),
            sum(one.calls for one in found if one.disposition in positive),
            sum(one.calls for one in found if one.disposition == Disposition.CALLBACK.value),
            sum(one.opted_out for one in found),
            sum(one.talk_s for one in found),
        )

    def reasons(self, wanted: ReportFilter) -> tuple[Counted, ...]:
        """Return why customers did not want, most frequent first."""
        row = ReasonRollupRow
        return self._counted(row, row.reason, wanted, row.disposition.in_(_values(UNWILLING)))[:MOST_REASONS]

    def not_dialled(self, wanted: ReportFilter) -> tuple[Counted, ...]:
        """Return why contacts are not called now, as their lists say; times do not matter."""
        refused: dict[str, int] = {}
        for count in self._contacts(wanted):
            if count.refusal:
                refused[count.refusal] = refused.get(count.refusal, 0) + count.contacts
        return _ordered(Counted(code, contacts) for code, contacts in refused.items())

    def _contacts(self, wanted: ReportFilter) -> list[ContactCount]:
        return contact_counts(self._session, (wanted.campaign_id,) if wanted.campaign_id else None)

    def scripts(self, wanted: ReportFilter) -> tuple[ScriptConversion, ...]:
        """Return how calls went by script and wording, most said first."""
        row = ScriptRollupRow
        said = _sum(row.said)
        query = select(
            row.script_id, row.variant, _sum(row.calls), _sum(row.converted), said, _sum(row.hung_up)
        )
        query = (
            query.group_by(row.script_id, row.variant)
            .order_by(said.desc(), row.script_id)
            .limit(MOST_SCRIPTS)
        )
        return tuple(
            ScriptConversion(
                script,
                variant,
                Share(int(converted), int(calls)),
                int(times),
                Share(int(hung_up), int(calls)),
            )
            for script, variant, calls, converted, times, hung_up in self._session.execute(
                _matching(query, row, wanted)
            )
        )

    def latencies(self, wanted: ReportFilter) -> tuple[StageLatency, ...]:
        """Return percentiles by stage."""
        row = LatencyRollupRow
        query = select(row.stage, row.step, _sum(row.turns)).group_by(row.stage, row.step)
        steps: dict[str, list[tuple[int, int]]] = {}
        for stage, step, turns in self._session.execute(_matching(query, row, wanted)):
            steps.setdefault(stage, []).append((int(step), int(turns)))
        return tuple(
            StageLatency(stage, sum(turns for _, turns in counts), *_percentiles(sorted(counts)))
            for stage, counts in sorted(steps.items())
        )

    def emotions(self, wanted: ReportFilter) -> tuple[EmotionMove, ...]:
        """Return how emotion moves from an utterance to the next, in order."""
        row = EmotionRollupRow
        query = select(row.step, row.before, row.after, _sum(row.calls))
        query = query.group_by(row.step, row.before, row.after).order_by(row.step, row.before, row.after)
        return tuple(
            EmotionMove(int(step), EmotionLabel(before), EmotionLabel(after) if after else None, int(calls))
            for step, before, after, calls in self._session.execute(_matching(query, row, wanted))
        )

    def _counted(self, row: Any, name: Any, wanted: ReportFilter, *more: Any) -> tuple[Counted, ...]:
        query = _matching(select(name, _sum(row.calls)).where(*more).group_by(name), row, wanted)
        return _ordered(Counted(str(found), int(calls)) for found, calls in self._session.execute(query))


def _by(found: Iterable[_Results], kind: Callable[[_Results], str]) -> tuple[Counted, ...]:
    counts: dict[str, int] = {}
    for one in found:
        counts[kind(one)] = counts.get(kind(one), 0) + one.calls
    return _ordered(Counted(name, calls) for name, calls in counts.items())


def _by_intent(found: Iterable[_Results]) -> tuple[Counted, ...]:
    return tuple(sorted(_by(found, lambda one: one.intent), key=lambda counted: counted.name))


def _by_hour(found: Iterable[_Results]) -> tuple[HourCount, ...]:
    counts: dict[tuple[int, str], int] = {}
    for one in found:
        place = (one.hour, one.disposition)
        counts[place] = counts.get(place, 0) + one.calls
    return tuple(HourCount(hour, Disposition(kind), calls) for (hour, kind), calls in sorted(counts.items()))


def _sum(column: Any) -> Any:
    return func.coalesce(func.sum(column), 0)


def _matching(query: Select[*tuple[Any, ...]], row: Any, wanted: ReportFilter) -> Select[*tuple[Any, ...]]:
    if wanted.campaign_id:
        query = query.where(row.campaign_id == row_id(wanted.campaign_id))
    else:
        query = query.where(of_customers(row.campaign_id))
    if wanted.since:
        query = query.where(row.at >= _hour(wanted.since))
    if wanted.until:
        query = query.where(row.at < wanted.until)
    return query


def _hour(at: datetime) -> datetime:
    """Return the hour a time lies in: a part of it is told with the whole."""
    at = at.astimezone(UTC)
    return at - timedelta(minutes=at.minute, seconds=at.second, microseconds=at.microsecond)


def _values(kinds: Sequence[Disposition]) -> list[str]:
    return [kind.value for kind in kinds]


def _ordered(found: Iterable[Counted]) -> tuple[Counted, ...]:
    return tuple(sorted(found, key=lambda counted: (-counted.calls, counted.name)))


def _percentiles(counts: list[tuple[int, int]]) -> list[float]:
    """Return the quantiles of (step, turns) counts, as the upper ends of their steps in milliseconds."""
    total = sum(turns for _, turns in counts)
    found = []
    for quantile in _QUANTILES:
        below = 0
        for step, turns in counts:
            below += turns
            if below >= quantile * total:
                found.append(round(LATENCY_BASE**step, 1))
                break
    return found
