"""What Prometheus is told."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import urllib.error
import urllib.request
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from tests.conftest import make_record, make_request, make_turn
from voicebot.domain.call import CallEvent, LineStatus
from voicebot.domain.errors import SettingsError
from voicebot.domain.people import TakeoverStage, TakeoverUpdate
from voicebot.service.health import HealthServer
from voicebot.service.metrics import DIRECTORY, ENGINE_ERRORS, Metrics, exposition, prepare
from voicebot.speech.synthesis.prompts import MISS

pytestmark = pytest.mark.unit


def told(metrics: Metrics) -> str:
    return generate_latest(metrics.registry).decode()


def test_a_turn_and_the_end_of_its_call_are_counted() -> None:
    metrics = Metrics(CollectorRegistry())
    request = make_request()
    now = datetime.now(UTC)
    turn = replace(make_turn(request.call_id, 1), timings_ms={"wait_ms": 20.0, "endpoint_score": 0.9})
    metrics.take(CallEvent(request.call_id, "turn", now, turn=replace(turn, prompt_engine="clips")))
    metrics.take(CallEvent(request.call_id, "ended", now, record=make_record(request)))
    text = told(metrics)
    assert 'voicebot_turns_total{action="say",kind="speech"} 1.0' in text
    assert 'voicebot_emotions_total{label="calm"} 1.0' in text
    assert 'voicebot_stage_seconds_count{stage="wait"} 1.0' in text
    assert 'voicebot_stage_seconds_sum{stage="wait"} 0.02' in text
    assert "endpoint_score" not in text
    assert 'voicebot_calls_total{cause="bot_hung_up",direction="outbound"} 1.0' in text
    assert 'voicebot_dispositions_total{disposition="callback",intent="C"} 1.0' in text
    assert 'voicebot_prompts_total{engine="clips"} 1.0' in text


def event(call_id: str, kind: str, **more: object) -> CallEvent:
    return CallEvent(call_id, kind, datetime.now(UTC), **more)  # type: ignore[arg-type]


def calls_now(metrics: Metrics) -> dict[str, float]:
    found = re.findall(r'voicebot_calls_now{state="(\w+)"} (\S+)', told(metrics))
    return {state: float(count) for state, count in found if float(count)}


def test_calls_are_counted_by_what_happens_in_them() -> None:
    metrics = Metrics(CollectorRegistry())
    for call_id in "abc":
        metrics.take(event(call_id, "dialling"))
    metrics.take(event("b", "ringing"))
    metrics.take(event("c", "ringing"))
    metrics.take(event("c", "answered"))
    assert calls_now(metrics) == {"dialling": 1, "ringing": 1, "talking": 1}
    for stage, state in (
        (TakeoverStage.WAITING, "waiting_for_agent"),
        (TakeoverStage.RINGING, "waiting_for_agent"),
        (TakeoverStage.ENDED, "talking"),
        (TakeoverStage.CONNECTED, "with_agent"),
    ):
        metrics.take(event("c", "takeover", takeover=TakeoverUpdate(stage)))
        metrics.take(event("c", "turn", turn=make_turn("c", 1)))
        assert calls_now(metrics) == {"dialling": 1, "ringing": 1, state: 1}
    metrics.take(event("late", "turn", turn=make_turn("late", 1)))  # of a call that began unseen
    assert calls_now(metrics)["talking"] == 1
    for call_id in ("a", "b", "c", "late", "never"):
        metrics.take(event(call_id, "ended", record=make_record(make_request())))
    assert calls_now(metrics) == {}


def test_prompts_that_were_there_are_told_from_those_that_had_to_be_made() -> None:
    metrics = Metrics(CollectorRegistry())
    for engine in ("clip:kokoro", "kokoro", f"joined:kokoro+{MISS}espeak-ng/cmn"):
        turn = replace(make_turn("c", 1), prompt_engine=engine)
        metrics.take(event("c", "turn", turn=turn))
    text = told(metrics)
    assert 'voicebot_prompt_cache_total{result="hit"} 2.0' in text
    assert 'voicebot_prompt_cache_total{result="miss"} 1.0' in text


def test_an_engine_that_fails_is_counted_by_its_stage() -> None:
    metrics = Metrics(CollectorRegistry())
    for words, stage in ENGINE_ERRORS.items():
        metrics.count_log(None, "warning", {"event": words, "error": "broken"})
        assert f'voicebot_engine_errors_total{{stage="{stage}"}} 1.0' in told(metrics)
    metrics.count_log(None, "warning", {"event": "call is not recorded"})
    assert told(metrics).count("voicebot_engine_errors_total{") == len(ENGINE_ERRORS)


def test_nothing_that_was_said_is_told() -> None:
    metrics = Metrics(CollectorRegistry())
    metrics.take(CallEvent("c", "turn", datetime.now(UTC), turn=make_turn("c", 1)))
    assert "现在有事" not in told(metrics)


def test_warnings_are_counted_by_their_words_and_other_events_are_not() -> None:
    metrics = Metrics(CollectorRegistry())
    event = {"event": "decision failed", "process": "line-0", "call_id": "c"}
    assert metrics.count_log(None, "warning", dict(event)) == event
    metrics.count_log(None, "info", dict(event))
    labels = 'event="decision failed",level="warning",process="line-0"'
    assert f"voicebot_log_events_total{{{labels}}} 1.0" in told(metrics)
    assert "call_id" not in told(metrics)


CHILD = """
from voicebot.domain.call import LineStatus
from voicebot.service.metrics import Metrics
metrics = Metrics()
metrics.line({name!r}, LineStatus({name!r}, "sip:x", 3, 2, draining=False), 5)
metrics.barge_ins.inc()
import os
os.kill(os.getpid(), 9)
"""


def test_what_killed_processes_counted_is_kept_and_added_up(tmp_path: Path) -> None:
    prepare(tmp_path)
    root = str(Path(__file__).resolve().parents[2])
    for name in ("line-0", "line-1"):
        env = {DIRECTORY: str(tmp_path), "PYTHONPATH": root}
        subprocess.run([sys.executable, "-c", CHILD.format(name=name)], env=env, check=False, timeout=60)
    text = exposition(tmp_path).decode()
    assert "voicebot_barge_ins_total 2.0" in text
    assert 'voicebot_line_capacity{process="line-1"} 3.0' in text
    prepare(tmp_path)
    assert "voicebot_barge_ins" not in exposition(tmp_path).decode()


def get(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=10) as reply:
            return int(reply.status), reply.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_health_and_readiness_say_what_is_wrong() -> None:
    wrong: dict[str, str] = {}
    with HealthServer("127.0.0.1", 0, lambda: b"# none\n", dict, lambda: wrong) as server:
        base = f"http://127.0.0.1:{server.port}"
        assert get(f"{base}/metrics") == (200, "# none\n")
        assert get(f"{base}/health")[0] == get(f"{base}/ready")[0] == 200
        wrong["database"] = "away"
        status, body = get(f"{base}/ready")
        assert (status, json.loads(body)["wrong"]) == (503, {"database": "away"})
        assert get(f"{base}/else")[0] == 404
        with pytest.raises(SettingsError, match="VOICEBOT_METRICS_PORT"):
            raise_with_hint(server.port)


def raise_with_hint(port: int) -> None:
    try:
        HealthServer("127.0.0.1", port, lambda: b"", dict, dict)
    except SettingsError as error:
        raise SettingsError(f"{error} {error.hint}") from error


def test_a_line_says_how_it_stands() -> None:
    metrics = Metrics(CollectorRegistry())
    metrics.line("line-0", LineStatus("line-0", "sip:x", 3, 2, draining=False), 0)
    assert 'voicebot_line_busy{process="line-0"} 2.0' in told(metrics)
