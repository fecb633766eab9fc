"""Traces by call for OpenTelemetry (extra `trace`), made from the line workers' own events when a call has
ended.

The trace has the call's own id, so whoever has one finds the other. Spans carry ids, causes and stages; what
was said, names and numbers never.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from voicebot.domain.call import CallEvent, CallRecord, Turn
from voicebot.domain.errors import SettingsError

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.trace import Span

CALLS_KEPT = 100  # whose end was never seen
# What follows the end of speech, in this order: the pause that tells it, and what the customer waits beyond.
# Computing goes on inside the first (speculation): its times are attributes and no spans in invented places.
STAGES = ("endpoint_ms", "wait_ms")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Traces:
    """Turns the events of calls into spans."""

    def __init__(self, exporter: SpanExporter, worker: str) -> None:
        """Take where spans go; a thread of its own sends them."""
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        resource = Resource.create({"service.name": "voicebot", "service.instance.id": worker})
        self._ids = _ids()
        self._provider = TracerProvider(resource=resource, id_generator=self._ids)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("voicebot")
        self._turns: OrderedDict[str, list[Turn]] = OrderedDict()

    def take(self, event: CallEvent) -> None:
        """Keep a turn, or send the whole call when it has ended."""
        if event.turn is not None:
            self._turns.setdefault(event.call_id, []).append(event.turn)
            if len(self._turns) > CALLS_KEPT:
                self._turns.popitem(last=False)
        if event.record is not None:
            self._call(event.record, self._turns.pop(event.call_id, []))

    def close(self) -> None:
        """Send what is left."""
        self._provider.shutdown()

    def _call(self, record: CallRecord, turns: list[Turn]) -> None:
        from opentelemetry import trace

        request = record.request
        self._ids.next = UUID(request.call_id).int
        call = self._start(
            "call",
            trace.set_span_in_context(trace.INVALID_SPAN),
            record.started_at,
            {
                "call_id": request.call_id,
                "attempt_id": request.attempt_id,
                "campaign_id": request.campaign_id,
                "playbook_id": request.playbook_id,
                "direction": request.direction.value,
                "cause": record.cause.value,
                "disposition": record.outcome.disposition.value,
                "sip_status": record.sip_status,
                "mos": round(record.quality.mos, 2) if record.quality is not None else None,
            },
        )
        inside = trace.set_span_in_context(call)
        if record.answered_at is not None:
            self._start("ring", inside, record.started_at, {}).end(_ns(record.answered_at))
        for turn in turns:
            self._turn(turn, inside)
        call.end(_ns(record.ended_at))

    def _turn(self, turn: Turn, inside: Any) -> None:
        from opentelemetry import trace

        stages = [(name, turn.timings_ms[name]) for name in STAGES if name in turn.timings_ms]
        at = turn.at - timedelta(milliseconds=sum(ms for _, ms in stages))
        span = self._start(
            "turn",
            inside,
            at,
            {
                "seq": turn.seq,
                "kind": turn.kind.value,
                "action": turn.decision.action.value,
                "script_id": turn.decision.script_id,
                "prompt_engine": turn.prompt_engine,
                "barged_in": turn.barged_in,
                **{f"timing.{name}": value for name, value in turn.timings_ms.items()},
            },
        )
        for name, ms in stages:
            stage = self._start(name.removesuffix("_ms"), trace.set_span_in_context(span), at, {})
            at += timedelta(milliseconds=ms)
            stage.end(_ns(at))
        span.end(_ns(turn.at))

    def _start(self, name: str, inside: Any, at: datetime, facts: Mapping[str, Any]) -> Span:
        known = {f"voicebot.{key}": value for key, value in facts.items() if value not in ("", None)}
        return self._tracer.start_span(name, context=inside, start_time=_ns(at), attributes=known)


def over_http(endpoint: str, worker: str) -> Traces:
    """Return traces that go to a collector by OTLP over HTTP. Raises SettingsError without the extra."""
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    except ImportError as error:
        raise SettingsError(
            "OpenTelemetry is not installed",
            hint="pip install 'voicebot[trace]', or leave VOICEBOT_TRACES empty",
        ) from error
    return Traces(OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces"), worker)


def _ids() -> Any:
    """Return what makes ids: at random, but for the trace that was given its id before."""
    from opentelemetry.sdk.trace.id_generator import RandomIdGenerator

    class Ids(RandomIdGenerator):
        next = 0

        def generate_trace_id(self) -> int:
            given, self.next = self.next, 0
            return given or super().generate_trace_id()

    return Ids()


def _ns(at: datetime) -> int:
    """Return nanoseconds since the epoch."""
    return (at - _EPOCH) // timedelta(microseconds=1) * 1000
