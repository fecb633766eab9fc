"""Dashboard questions, answered from the roll-ups."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Select, case, func, select
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
from voicebot.store.tables import (
    ContactRow,
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


class ReportRepository:
    """Counts over many calls."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def until(self) -> datetime | None:
        """Return up to when calls are counted; None if the roll-up never ran."""
        return self._session.scalar(select(func.max(RollupStateRow.at)))

    def report(self, title: str, wanted: ReportFilter, zone: ZoneInfo, now: datetime) -> Report:
        """Return everything at once."""
        return Report(
            title=title,
            made_at=now,
            until=self.until(),
            funnel=self.funnel(wanted),
            dispositions=self.dispositions(wanted),
            intents=self.intents(wanted),
            hours=self.hours(wanted, zone),
            reasons=self.reasons(wanted),
            not_dialled=self.not_dialled(wanted),
            scripts=self.scripts(wanted),
            latencies=self.latencies(wanted),
            emotions=self.emotions(wanted),
        )

    def funnel(self, wanted: ReportFilter) -> Funnel:
        """Return how many came how far."""
        row = OutcomeRollupRow
        query = select(
            _sum(row.calls),
            _sum(row.answered),
            _sum(row.spoke),
            _sum(case((row.disposition.in_(_values(POSITIVE)), row.calls), else_=0)),
            _sum(case((row.disposition == Disposition.CALLBACK.value, row.calls), else_=0)),
            _sum(row.opted_out),
            _sum(row.talk_s),
        )
        calls, answered, spoke, positive, callbacks, opted_out, talk_s = self._session.execute(
            _matching(query, row, wanted)
        ).one()
        contacts = select(func.count()).select_from(ContactRow)
        if wanted.campaign_id:
            contacts = contacts.where(ContactRow.campaign_id == row_id(wanted.campaign_id))
        return Funnel(
            self._session.scalar(contacts) or 0,
            int(calls),
            int(answered),
            int(spoke),
            int(positive),
            int(callbacks),
            int(opted_out),
            float(talk_s),
        )

    def dispositions(self, wanted: ReportFilter) -> tuple[Counted, ...]:
        """Return calls by result, most frequent first."""
        return self._counted(OutcomeRollupRow, OutcomeRollupRow.disposition, wanted)

    def intents(self, wanted: ReportFilter) -> tuple[Counted, ...]:
        """Return calls by intent level, A first."""
        found = self._counted(OutcomeRollupRow, OutcomeRollupRow.intent_level, wanted)
        return tuple(sorted(found, key=lambda counted: counted.name))

    def hours(self, wanted: ReportFilter, zone: ZoneInfo) -> tuple[HourCount, ...]:
        """Return calls by hour of the day in a zone and result, in order."""
        row = OutcomeRollupRow
        hour = func.extract("hour", func.timezone(zone.key, row.at))
        query = select(hour, row.disposition, _sum(row.calls)).group_by(hour, row.disposition)
        found = self._session.execute(_matching(query, row, wanted)).all()
        return tuple(
            sorted(
                (HourCount(int(at), Disposition(kind), int(calls)) for at, kind, calls in found),
                key=lambda count: (count.hour, count.disposition),
            )
        )

    def reasons(self, wanted: ReportFilter) -> tuple[Counted, ...]:
        """Return why customers did not want, most frequent first."""
        row = ReasonRollupRow
        return self._counted(row, row.reason, wanted, row.disposition.in_(_values(UNWILLING)))[:MOST_REASONS]

    def not_dialled(self, wanted: ReportFilter) -> tuple[Counted, ...]:
        """Return why contacts are not called now, as their lists say; times do not matter."""
        query = select(ContactRow.refusal, func.count()).where(ContactRow.refusal.is_not(None))
        if wanted.campaign_id:
            query = query.where(ContactRow.campaign_id == row_id(wanted.campaign_id))
        found = self._session.execute(query.group_by(ContactRow.refusal)).all()
        return _ordered(Counted(str(code), int(count)) for code, count in found)

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


def _sum(column: Any) -> Any:
    return func.coalesce(func.sum(column), 0)


def _matching(query: Select[*tuple[Any, ...]], row: Any, wanted: ReportFilter) -> Select[*tuple[Any, ...]]:
    if wanted.campaign_id:
        query = query.where(row.campaign_id == row_id(wanted.campaign_id))
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
