"""Generated calls for the store's bench: made by the server itself, in the shape of real ones."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import text

from voicebot.domain.ids import uuid7
from voicebot.store.partitions import month_start, partition_name
from voicebot.store.session import Database

DAYS = 60
CAMPAIGNS = 8
TURNS_A_CALL = 6  # of an answered call; half are not answered
CHUNK = 50_000  # calls a statement

_CALLS = text(
    """
    WITH made AS (
      SELECT i, gen_random_uuid() AS id,
        ('00000000-0000-7000-8000-' || lpad((i % :campaigns)::text, 12, '0'))::uuid AS campaign,
        :begin + (i::float8 / :calls) * :span + ((i * 7919) % 600) * interval '1 second' AS at,
        (i * 2654435761) % 1000 AS luck
      FROM generate_series(CAST(:low AS bigint), CAST(:high AS bigint)) i),
    spoken AS (
      INSERT INTO calls (id, campaign_id, playbook_id, direction, worker, started_at,
        answered_at, ended_at, cause, recording, turns)
      SELECT id, campaign, 'consumer_loan', 'outbound', 'line-0', at - interval '70 s',
        CASE WHEN luck < 500 THEN at - interval '60 s' END, at,
        CASE WHEN luck < 250 THEN 'customer_hung_up' WHEN luck < 500 THEN 'bot_hung_up'
          ELSE 'no_answer' END, '',
        CASE WHEN luck < 500 THEN :turns ELSE 0 END
      FROM made),
    ended AS (
      INSERT INTO outcomes (call_id, campaign_id, disposition, intent_level, reasons, facts,
        opted_out, origin, at)
      SELECT id, campaign,
        CASE WHEN luck < 60 THEN 'interested' WHEN luck < 75 THEN 'transferred'
          WHEN luck < 140 THEN 'callback'
          WHEN luck < 330 THEN 'refused' WHEN luck < 350 THEN 'do_not_call'
          WHEN luck < 500 THEN 'undecided' ELSE 'no_answer' END,
        CASE WHEN luck < 75 THEN 'A' WHEN luck < 140 THEN 'C'
          WHEN luck < 330 THEN 'E' ELSE 'D' END,
        jsonb_build_array('reason ' || luck % 9), '{}',
        luck BETWEEN 330 AND 349, 'call', at
      FROM made)
    INSERT INTO turns (call_id, seq, at, campaign_id, kind, start_s, end_s, customer_text, emotion, situation,
      relation, scene, action, script_id, script_text, propensity, model_version, playbook_version, barged_in,
      delivery, prompt_engine, understanding, decision, timings_ms)
    SELECT id, seq, at - interval '60 s' + seq * interval '8 s', campaign, 'speech', seq * 8, seq * 8 + 2,
      '利息是多少',
      (ARRAY['calm', 'calm', 'calm', 'interested', 'hesitant', 'annoyed'])[1 + (luck + seq * 5) % 6],
      'free', 'asks', 'offer', 'say', 'script_' || (luck + seq * 13) % 60, '年化利率以审批结果为准。', 1,
      'ranker-1',
      'v1', false, 'speak', 'clips', '{"confidence": 0.9}',
      jsonb_build_object('variant', (ARRAY['', 'b'])[1 + luck % 2]),
      jsonb_build_object('recognise', 200 + luck % 200, 'total', 300 + (luck * seq) % 400)
    FROM made, generate_series(1, :turns) seq WHERE luck < 500
    """
)


# What else pages look at. Each campaign's contacts are as many as its calls.
_AROUND = (
    """
    INSERT INTO campaigns (id, name, playbook_id, status, policy_pack, scope, trunk, caller_id, transfer_uri,
      max_calls, max_attempts, ring_timeout_s)
    SELECT ('00000000-0000-7000-8000-' || lpad(i::text, 12, '0'))::uuid, 'bench ' || i, 'consumer_loan',
      'running', 'SIMULATION', 'marketing', 'sip:{number}@127.0.0.1:5090', '', '', 10, 3, 30
    FROM generate_series(0, :campaigns - 1) i
    """,
    """
    INSERT INTO contacts (id, campaign_id, number_sealed, number_lookup, number_masked, zone, slots, status,
      next_at, refusal)
    SELECT gen_random_uuid(), ('00000000-0000-7000-8000-' || lpad((i % :campaigns)::text, 12, '0'))::uuid,
      '\\x00', decode(lpad(to_hex(i), 64, '0'), 'hex'), '+86139****0001', 'Asia/Shanghai', '{}',
      (ARRAY['done', 'done', 'done', 'pending'])[1 + i % 4], :begin,
      CASE WHEN i % 50 = 0 THEN 'no_consent' END
    FROM generate_series(0, :calls - 1) i
    """,
    """
    INSERT INTO audit_log (at, actor, action, subject, detail)
    SELECT :begin + (i::float8 / :calls) * :span, 'user' || i % 40,
      (ARRAY['hear_recording', 'sign_in', 'grade_turn', 'export_outcomes'])[1 + i % 4], 'call:' || i, '{}'
    FROM generate_series(0, :calls / 4) i
    """,
    """
    INSERT INTO do_not_call (number_lookup, scope, origin, origin_id, at)
    SELECT decode(lpad(to_hex(i), 64, '0'), 'hex'), 'all', (ARRAY['call', 'import'])[1 + i % 2], '', :begin
    FROM generate_series(0, :calls / 10) i
    """,
    """
    INSERT INTO samples (call_id, seq, script_id, at, playbook_id, said, before, agent, scene, keywords,
      emotion, score, weight, origin, gathered_at)
    SELECT gen_random_uuid(), 1, 'script_' || i % 60, :begin, 'consumer_loan', '利息是多少', '', '', 'offer',
      '[]', '{}', 80, 1, 'grade', :begin
    FROM generate_series(0, :calls / 10) i
    """,
    """
    INSERT INTO webhooks (id, name, url, secret_sealed, events, created_by, created_at)
    VALUES ('00000000-0000-7000-8000-000000000001', 'bench', 'https://crm.example', '\\x00', '[]', 'bench',
      :begin)
    """,
    """
    INSERT INTO webhook_deliveries (id, webhook_id, event, call_id, occurred_at, status, created_at, next_at)
    SELECT gen_random_uuid(), '00000000-0000-7000-8000-000000000001', 'call_ended', gen_random_uuid(), :begin,
      (ARRAY['delivered', 'delivered', 'delivered', 'dead'])[1 + i % 4], :begin, :begin
    FROM generate_series(0, :calls / 4) i
    """,
)


def generate(database: Database, turns: int, now: datetime) -> None:
    """Fill the tables with so many turns of the last sixty days, and gather statistics."""
    calls = 2 * turns // TURNS_A_CALL
    begin = now - timedelta(days=DAYS)
    with database.engine.begin() as connection:
        month = month_start(begin)
        while month < now.astimezone(UTC):
            end = month_start(month, 1)
            connection.execute(
                text(
                    f"CREATE TABLE IF NOT EXISTS {partition_name(month)} PARTITION OF turns "
                    f"FOR VALUES FROM ('{month.isoformat()}') TO ('{end.isoformat()}')"
                )
            )
            month = end
    for low in range(0, calls, CHUNK):
        with database.transaction() as session:
            session.execute(
                _CALLS,
                {
                    "low": low,
                    "high": min(low + CHUNK, calls) - 1,
                    "calls": calls,
                    "begin": begin,
                    "span": timedelta(days=DAYS) - timedelta(minutes=15),
                    "campaigns": CAMPAIGNS,
                    "turns": TURNS_A_CALL,
                },
            )
    given = {"calls": calls, "campaigns": CAMPAIGNS, "begin": begin, "span": timedelta(days=DAYS)}
    for statement in _AROUND:
        with database.transaction() as session:
            used = {name: value for name, value in given.items() if f":{name}" in statement}
            session.execute(text(statement), used)
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))


def add_call(database: Database, now: datetime) -> str:
    """Add one more call that ended now; return its id."""
    call = uuid7()
    with database.transaction() as session:
        for table, key in (("calls", "id"), ("outcomes", "call_id"), ("turns", "call_id")):
            at = "ended_at" if table == "calls" else "at"
            columns = session.execute(
                text("SELECT column_name FROM information_schema.columns WHERE table_name = :table"),
                {"table": table},
            ).scalars()
            same = [f'"{name}"' for name in columns if name not in {key, at, "stored_by"}]
            one = "(SELECT call_id FROM turns ORDER BY at DESC LIMIT 1)"
            session.execute(
                text(
                    f"INSERT INTO {table} ({key}, {at}, {', '.join(same)}) "  # noqa: S608 - names of columns
                    f"SELECT :call, :now, {', '.join(same)} FROM {table} WHERE {key} = {one}"
                ),
                {"call": call, "now": now - timedelta(seconds=1)},
            )
    return str(call)
