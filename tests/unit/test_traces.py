"""Traces by call: the call's own id, its turns and stages, and nothing that was said."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any
from uuid import UUID

import pytest

from tests.conftest import make_record, make_request, make_turn
from voicebot.domain.call import CallEvent
from voicebot.domain.quality import quality
from voicebot.service.traces import CALLS_KEPT, Traces, over_http

pytestmark = pytest.mark.unit

sdk = pytest.importorskip("opentelemetry.sdk.trace.export", reason="the extra `trace` is not installed")
memory = pytest.importorskip("opentelemetry.sdk.trace.export.in_memory_span_exporter")


def spans_of_a_call() -> tuple[str, list[Any]]:
    exporter = memory.InMemorySpanExporter()
    traces = Traces(exporter, "line-0")
    request = make_request()
    turn = replace(
        make_turn(request.call_id, 1), timings_ms={"endpoint_ms": 600.0, "wait_ms": 20.0, "rank_ms": 4.0}
    )
    record = replace(make_record(request), quality=quality(1000, 10, 5.0, 1000, 0, 2.0, 30.0))
    traces.take(CallEvent(request.call_id, "turn", turn.at, turn=turn))
    traces.take(CallEvent(request.call_id, "ended", record.ended_at, record=record))
    traces.close()
    return request.call_id, list(exporter.get_finished_spans())


def test_a_call_is_one_trace_with_its_own_id() -> None:
    call_id, spans = spans_of_a_call()
    assert {span.context.trace_id for span in spans} == {UUID(call_id).int}
    assert sorted(span.name for span in spans) == ["call", "endpoint", "ring", "turn", "wait"]
    by_name = {span.name: span for span in spans}
    assert by_name["turn"].parent.span_id == by_name["call"].context.span_id
    assert by_name["wait"].parent.span_id == by_name["turn"].context.span_id
    assert by_name["endpoint"].end_time - by_name["endpoint"].start_time == 600_000_000
    assert by_name["wait"].start_time == by_name["endpoint"].end_time
    assert by_name["turn"].attributes["voicebot.timing.rank_ms"] == 4.0
    assert 1 < by_name["call"].attributes["voicebot.mos"] < 4.4
    assert by_name["call"].attributes["voicebot.disposition"] == "callback"


def test_nothing_that_was_said_leaves_the_house() -> None:
    _, spans = spans_of_a_call()
    assert "现在有事" not in " ".join(span.to_json() for span in spans)
    assert "下午三点" not in " ".join(json.loads(span.to_json())["name"] + span.to_json() for span in spans)


def test_calls_whose_end_is_never_seen_are_forgotten() -> None:
    traces = Traces(memory.InMemorySpanExporter(), "line-0")
    for _ in range(3 * CALLS_KEPT):
        request = make_request()
        turn = make_turn(request.call_id, 1)
        traces.take(CallEvent(request.call_id, "turn", turn.at + timedelta(0), turn=turn))
    assert len(traces._turns) == CALLS_KEPT
    traces.close()


@pytest.fixture
def collector() -> Iterator[tuple[str, list[tuple[str, bytes]]]]:
    """An HTTP server that keeps what is posted."""
    posted: list[tuple[str, bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            posted.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}", posted
        server.shutdown()


def test_spans_reach_a_collector_over_http(collector: tuple[str, list[tuple[str, bytes]]]) -> None:
    url, posted = collector
    traces = over_http(url, "line-0")
    request = make_request()
    traces.take(
        CallEvent(request.call_id, "ended", make_record(request).ended_at, record=make_record(request))
    )
    traces.close()
    path, body = posted[0]
    assert path == "/v1/traces"
    assert UUID(request.call_id).bytes in body
