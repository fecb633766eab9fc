"""Roll-ups kept up to date: what changed since the watermark is found, and its hours are counted anew.

The watermark is a transaction number, not a time: a row that commits late, or is replayed from a spool
days after its call, or is corrected by a person, carries the number of the transaction that wrote it, and
every transaction below the oldest running one is over. Counting an hour anew is idempotent, so a run
that is cut off is simply repeated. Calls count where their outcome stands; one without an outcome goes on.
"""

# ruff: noqa: S608 - the parts of every statement are constants of this file

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from voicebot.domain.report import POSITIVE
from voicebot.store.session import Database
from voicebot.store.tables import RollupStateRow

HOURS_KEPT = timedelta(days=2)  # older days are counted as whole days, results apart: fewer rows to read
LONGEST_CALL = timedelta(hours=6)  # turns of a call are looked for so long before its outcome
LAST_STEP = 10  # of the emotion flow
_LOCK = 7233_0004  # advisory lock: one counter at a time
_NAME = "all"
_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)
_POSITIVE = ", ".join(f"'{kind.value}'" for kind in POSITIVE)
_CAMPAIGN = "coalesce(o.campaign_id, '00000000-0000-0000-0000-000000000000')"
_RANGE = "o.at >= :start AND o.at < :end"
_TURNS = "t.call_id = o.call_id AND t.at >= :earliest AND t.at < :end"

_CHANGED = text(
    """
    SELECT date_trunc('hour', at) AS hour FROM outcomes WHERE stored_by >= :low AND stored_by < :high
    UNION
    SELECT date_trunc('hour', o.at) FROM turns t JOIN outcomes o USING (call_id)
    WHERE t.stored_by >= :low AND t.stored_by < :high
    """
)

_COUNTS = {
    "rollup_outcomes": f"""
        SELECT {_CAMPAIGN}, date_trunc('hour', o.at), o.disposition, o.intent_level, count(*),
          count(c.answered_at), count(*) FILTER (WHERE c.answered_at IS NOT NULL AND c.turns > 0
            AND o.disposition NOT IN ('silent', 'voicemail')),
          count(*) FILTER (WHERE o.opted_out),
          coalesce(sum(extract(epoch FROM c.ended_at - c.answered_at)), 0)
        FROM outcomes o LEFT JOIN calls c ON c.id = o.call_id WHERE {_RANGE} GROUP BY 1, 2, 3, 4
        """,
    "rollup_reasons": f"""
        SELECT {_CAMPAIGN}, date_trunc(:grain, o.at), o.disposition,
          coalesce(nullif(o.facts ->> 'refusal_reason', ''), o.reasons ->> 0, ''), count(*)
        FROM outcomes o WHERE {_RANGE} GROUP BY 1, 2, 3, 4
        """,
    "rollup_scripts": f"""
        SELECT campaign, at, script_id, variant, count(*), count(*) FILTER (WHERE positive), sum(said),
          count(*) FILTER (WHERE hung_up AND last_seq = turns_seq)
        FROM (
          SELECT {_CAMPAIGN} AS campaign, date_trunc(:grain, o.at) AS at, t.script_id,
            coalesce(t.decision ->> 'variant', '') AS variant, o.call_id,
            o.disposition IN ({_POSITIVE}) AS positive, c.cause = 'customer_hung_up' AS hung_up,
            count(*) AS said, max(t.seq) AS last_seq,
            max(max(t.seq)) OVER (PARTITION BY o.call_id) AS turns_seq
          FROM outcomes o JOIN turns t ON {_TURNS} LEFT JOIN calls c ON c.id = o.call_id
          WHERE {_RANGE} AND t.script_id <> ''
          GROUP BY 1, 2, 3, 4, 5, 6, 7) AS said_in
        GROUP BY 1, 2, 3, 4
        """,
    "rollup_latencies": f"""
        SELECT {_CAMPAIGN}, date_trunc(:grain, o.at), m.key,
          greatest(0, ceil(ln(greatest(m.value::text::float8, 0.001)) / ln(1.05)))::int, count(*)
        FROM outcomes o JOIN turns t ON {_TURNS}, jsonb_each(t.timings_ms) m
        WHERE {_RANGE} AND jsonb_typeof(m.value) = 'number' GROUP BY 1, 2, 3, 4
        """,
    "rollup_emotions": f"""
        SELECT campaign, at, least(step, {LAST_STEP}), before, after, count(*)
        FROM (
          SELECT {_CAMPAIGN} AS campaign, date_trunc(:grain, o.at) AS at, t.emotion AS before,
            row_number() OVER call AS step, coalesce(lead(t.emotion) OVER call, '') AS after
          FROM outcomes o JOIN turns t ON {_TURNS} WHERE {_RANGE} AND t.kind = 'speech'
          WINDOW call AS (PARTITION BY o.call_id ORDER BY t.seq)) AS moves
        GROUP BY 1, 2, 3, 4, 5
        """,
}
_OF_OUTCOMES = ("rollup_outcomes", "rollup_reasons")


@dataclass(frozen=True, slots=True)
class Stretch:
    """A time to count anew, inside one day."""

    start: datetime
    end: datetime
    grain: str  # hour or day


def roll_up(database: Database, now: datetime) -> int:
    """Bring the roll-ups up to date; return how many stretches of time were counted."""
    with database.transaction() as session:
        if not session.execute(text("SELECT pg_try_advisory_xact_lock(:key)"), {"key": _LOCK}).scalar():
            return 0  # another one counts
        high = int(
            session.execute(text("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint")).scalar_one()
        )
        low, days_until = _watermark(session, high, now)
        days_end = _day(now - HOURS_KEPT)
        changed = [hour for (hour,) in session.execute(_CHANGED, {"low": low, "high": high})]
        oldest_turns = _oldest_turns(session)
        stretches = list(_stretches(changed, days_until, days_end))
        for stretch in stretches:
            _count(session, stretch, oldest_turns)
        state = {"stored_by": high, "days_until": days_end, "at": now}
        session.execute(
            insert(RollupStateRow)
            .values(name=_NAME, **state)
            .on_conflict_do_update(index_elements=[RollupStateRow.name], set_=state)
        )
    return len(stretches)


def turns_dropped(session: Session, before: datetime) -> None:
    """Note that turns before a day are gone: what was counted of them is not counted anew."""
    session.execute(
        update(RollupStateRow).where(RollupStateRow.name == _NAME).values(turns_from=_day(before))
    )


def _watermark(session: Session, high: int, now: datetime) -> tuple[int, datetime]:
    state = session.get(RollupStateRow, _NAME)
    # Transaction numbers begin anew in a restored copy of the database: then everything is counted anew.
    if state is None or state.stored_by > high:
        return 0, _day(now - HOURS_KEPT)
    return state.stored_by, state.days_until


def _stretches(changed: Iterable[datetime], days_until: datetime, days_end: datetime) -> Iterator[Stretch]:
    """Return what to count: whole days that are over, and the changed hours of newer ones, joined."""
    hours = {hour.astimezone(UTC) for hour in changed}
    days = {_day(hour) for hour in hours if hour < days_end}
    day = days_until
    while day < days_end:  # days that have just become old, from hours to a whole
        days.add(day)
        day += _DAY
    yield from (Stretch(day, day + _DAY, "day") for day in sorted(days))
    start: datetime | None = None
    for hour in sorted(hour for hour in hours if hour >= days_end):
        start = start or hour
        if hour + _HOUR not in hours or _day(hour + _HOUR) != _day(hour):
            yield Stretch(start, hour + _HOUR, "hour")
            start = None


def _count(session: Session, stretch: Stretch, oldest_turns: datetime) -> None:
    values = {
        "start": stretch.start,
        "end": stretch.end,
        "earliest": stretch.start - LONGEST_CALL,
        "grain": stretch.grain,
    }
    # Where retention has dropped the turns, what was counted of them stays.
    tables = _COUNTS if stretch.start >= oldest_turns else _OF_OUTCOMES
    for table in tables:
        session.execute(text(f"DELETE FROM {table} WHERE at >= :start AND at < :end"), values)
        session.execute(text(f"INSERT INTO {table} {_COUNTS[table]}"), values)


def _oldest_turns(session: Session) -> datetime:
    state = session.get(RollupStateRow, _NAME)
    return (state and state.turns_from) or datetime.min.replace(tzinfo=UTC)


def _day(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
