"""What Prometheus is told: one set of metrics for all processes of a machine, served by the supervisor.

Every process writes its own files in a shared directory (prometheus_client's multiprocess mode), so that a
killed process loses nothing that was counted, and one port shows the whole machine. Calls are measured from
the line workers' own events, so no stage of a call knows that it is being watched.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, MutableMapping
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, multiprocess

from voicebot.domain.call import CallEvent, CallRecord, LineStatus, Turn
from voicebot.domain.people import TakeoverStage

DIRECTORY = "PROMETHEUS_MULTIPROC_DIR"  # read by prometheus_client when it is imported
_STAGE_S = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 5.0)
_CALL_S = (5, 10, 20, 30, 60, 90, 120, 180, 300, 600)
_MOS = (1.5, 2.0, 2.5, 3.0, 3.3, 3.6, 3.8, 4.0, 4.2, 4.4)
_LOSS = (0.0, 0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
_NO_STAGE = {"endpoint_score"}  # in a turn's timings, but no time
_MISS = "rendered:"  # begins the engine of a prompt that no cache had

# The warning that a stage logs when its engine failed -> the stage. The call goes on without it.
ENGINE_ERRORS: Mapping[str, str] = {
    "no view of the speech's end": "endpoint",
    "recognition failed": "recognise",
    "emotion failed": "emotion",
    "ranking failed": "rank",
    "an engine could not speak a prompt": "prompts",
}
_BY_KIND = {"dialling": "dialling", "ringing": "ringing", "answered": "talking"}
_BY_STAGE = {
    TakeoverStage.WAITING: "waiting_for_agent",
    TakeoverStage.RINGING: "waiting_for_agent",
    TakeoverStage.BRIEFING: "waiting_for_agent",
    TakeoverStage.CONNECTED: "with_agent",
    TakeoverStage.ENDED: "talking",  # with the bot again, or the end of the call follows
}


class Metrics:
    """The metrics of one process."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        """Make them in a registry; without one, in a fresh one (the files are what counts)."""
        self.registry = registry or CollectorRegistry()
        self.calls = Counter(
            "voicebot_calls", "Call attempts that ended", ["direction", "cause"], registry=self.registry
        )
        self.dispositions = Counter(
            "voicebot_dispositions", "Outcomes of calls", ["disposition", "intent"], registry=self.registry
        )
        self.call_seconds = Histogram(
            "voicebot_call_seconds", "From answer to end", buckets=_CALL_S, registry=self.registry
        )
        self.mos = Histogram(
            "voicebot_mos",
            "Estimated opinion score of calls (E-model over RTP and RTCP): 1 bad, 4.4 as good as G.711 gets",
            buckets=_MOS,
            registry=self.registry,
        )
        self.loss = Histogram(
            "voicebot_rtp_loss_ratio",
            "Share of RTP packets that were lost in a call",
            ["direction"],
            buckets=_LOSS,
            registry=self.registry,
        )
        self.turns = Counter("voicebot_turns", "Committed turns", ["kind", "action"], registry=self.registry)
        self.emotions = Counter(
            "voicebot_emotions", "Fused emotion of customers' utterances", ["label"], registry=self.registry
        )
        self.barge_ins = Counter("voicebot_barge_ins", "Prompts interrupted", registry=self.registry)
        self.prompts = Counter(
            "voicebot_prompts", "What spoke: clips, cache or an engine", ["engine"], registry=self.registry
        )
        self.prompt_cache = Counter(
            "voicebot_prompt_cache",
            "Prompts that were there (hit) or had to be rendered in the call (miss)",
            ["result"],
            registry=self.registry,
        )
        self.engine_errors = Counter(
            "voicebot_engine_errors",
            "Failures of an engine, by stage; the call went on without it",
            ["stage"],
            registry=self.registry,
        )
        self.stage_seconds = Histogram(
            "voicebot_stage_seconds",
            "Time of each stage of a turn; wait is what the customer waits after the endpoint",
            ["stage"],
            buckets=_STAGE_S,
            registry=self.registry,
        )
        self.calls_now = self._gauge("voicebot_calls_now", "Calls by what happens in them", "state")
        self.decoding = self._gauge(
            "voicebot_recognition_load", "Utterances that are decoded or wait for it, for each decoder"
        )
        self.waiting = self._gauge(
            "voicebot_waiting", "What waits: contacts of running campaigns, jobs by their queue", "queue"
        )
        self.capacity = self._gauge("voicebot_line_capacity", "Calls that line workers can conduct")
        self.busy = self._gauge("voicebot_line_busy", "Calls that line workers conduct")
        self.spool = self._gauge("voicebot_journal_spool", "Journal events the database has not got")
        self.events = Counter(
            "voicebot_log_events",
            "Warnings and errors logged, by their fixed words",
            ["process", "level", "event"],
            registry=self.registry,
        )

        self._states: dict[str, str] = {}  # by call

    def _gauge(self, name: str, help_text: str, label: str = "process") -> Gauge:
        return Gauge(name, help_text, [label], registry=self.registry, multiprocess_mode="livesum")

    def take(self, event: CallEvent) -> None:
        """Count an event of a call."""
        self._state(event)
        if event.turn is not None:
            self._turn(event.turn)
        if event.record is not None:
            self._ended(event.record)

    def line(self, process: str, status: LineStatus, spool: int) -> None:
        """Say how a line worker stands."""
        self.capacity.labels(process).set(status.capacity)
        self.busy.labels(process).set(status.busy)
        self.spool.labels(process).set(spool)

    def count_log(
        self, _logger: object, level: str, event: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        """Count warnings and errors; a structlog processor. Their words are fixed, facts stand beside."""
        if level in ("warning", "error", "critical", "exception"):
            words = str(event.get("event", ""))
            self.events.labels(str(event.get("process", "")), level, words[:80]).inc()
            if stage := ENGINE_ERRORS.get(words):
                self.engine_errors.labels(stage).inc()
        return event

    def _state(self, event: CallEvent) -> None:
        """Follow what happens in a call. An event of one whose beginning was not seen begins it."""
        before = self._states.pop(event.call_id, "")
        if before:
            self.calls_now.labels(before).dec()
        if event.kind == "ended":
            return
        stage = event.takeover and event.takeover.stage
        after = _BY_KIND.get(event.kind) or (stage and _BY_STAGE[stage]) or before or "talking"
        self._states[event.call_id] = after
        self.calls_now.labels(after).inc()

    def _turn(self, turn: Turn) -> None:
        self.turns.labels(turn.kind.value, turn.decision.action.value).inc()
        if turn.kind.value == "speech":
            self.emotions.labels(turn.understanding.emotion.label.value).inc()
        if turn.barged_in:
            self.barge_ins.inc()
        if turn.prompt_engine:
            self.prompts.labels(turn.prompt_engine).inc()
            self.prompt_cache.labels("miss" if _MISS in turn.prompt_engine else "hit").inc()
        for name, value in turn.timings_ms.items():
            if name not in _NO_STAGE:
                self.stage_seconds.labels(name.removesuffix("_ms")).observe(value / 1000)

    def _ended(self, record: CallRecord) -> None:
        self.calls.labels(record.request.direction.value, record.cause.value).inc()
        self.dispositions.labels(record.outcome.disposition.value, record.outcome.intent_level.value).inc()
        if record.answered_at is not None:
            self.call_seconds.observe((record.ended_at - record.answered_at).total_seconds())
        if record.quality is not None:
            self.mos.observe(record.quality.mos)
            self.loss.labels("heard").observe(record.quality.heard_loss)
            self.loss.labels("said").observe(record.quality.said_loss)


def exposition(directory: Path) -> bytes:
    """Return the metrics of all processes that write into a directory, in Prometheus' text format."""
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry, str(directory))  # type: ignore[no-untyped-call]
    return generate_latest(registry)


def forget(pid: int, directory: Path) -> None:
    """Drop the gauges of a process that died; what it counted stays."""
    multiprocess.mark_process_dead(pid, str(directory))  # type: ignore[no-untyped-call]


def prepare(directory: Path) -> None:
    """Make the directory ready for a new start of the whole: old files are of an earlier one."""
    directory.mkdir(parents=True, exist_ok=True)
    for old in _files(directory):
        old.unlink(missing_ok=True)


def _files(directory: Path) -> Iterable[Path]:
    return directory.glob("*.db")
