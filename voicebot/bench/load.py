"""How many calls one machine carries: simulated customers over SIP, more and more of them.

Each step keeps N calls up (one that ends is placed again at once) while customers talk at a stated density.
The first one, of two calls, is the machine without load, and lasts three times as long, or its p95 would rest
on a handful of turns. It ends where the customers' own waiting (p95) passes 1.5 times that of the first step,
or more than 0.5 % of the RTP frames come later than 40 ms after the one before.

With --set pipecat=PYTHON (of an environment with pipecat-ai[silero]) the same customers talk to Pipecat too,
with the same recogniser and replies as long, in memory.

Options: --set steps=2,8,16,24 --set seconds=60 --set mode=full|media; --limit the number of steps; --data
FOLDER of speech.
"""

from __future__ import annotations

import asyncio
import contextlib
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import structlog

from voicebot import bootstrap
from voicebot.bench import load_peer
from voicebot.bench.frame import Options, Result
from voicebot.bench.load_house import House, Plan
from voicebot.bench.load_rows import at_quantile, tell
from voicebot.bench.load_speech import prepare
from voicebot.domain.call import CallEvent, CallRequest, Direction, EndCause, Turn
from voicebot.domain.errors import CapacityError, DataError, VoicebotError
from voicebot.domain.ids import uuid7
from voicebot.domain.speech import UtteranceKind
from voicebot.service.lines import Lines
from voicebot.settings import Settings

log = structlog.get_logger()

PLAYBOOK = "consumer_loan"
INFERENCE = {"full": "voicebot.service.inference", "media": "voicebot.bench.load_media"}
STEPS = {"full": "2,8,12,16,20,24,28,32", "media": "2,32,64,80,100"}
P95_RATIO, LATE_PCT = 1.5, 0.5  # beyond either a step is too much


def run(options: Options) -> Result:
    """Climb the steps until the machine is full."""
    mode = options.extra.get("mode", "full")
    if mode not in INFERENCE:
        raise DataError(f"mode={mode} is not known", hint="--set mode=full or --set mode=media")
    steps = [int(step) for step in options.extra.get("steps", STEPS[mode]).split(",")][
        : options.limit or None
    ]
    seconds = float(options.extra.get("seconds", "60"))
    with tempfile.TemporaryDirectory(prefix="voicebot-load-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # the database's own account passes through
        speech = folder / "speech"
        speech.mkdir()
        mean_s = prepare(speech, options.data, options.seed)
        plan = Plan(max(steps), INFERENCE[mode], speech, folder, options.seed)
        rows = asyncio.run(_climb(plan, steps, seconds, folder))
        peers: list[Mapping[str, Any]] = []
        if python := options.extra.get("pipecat", ""):
            settings = Settings().model_copy(update={"metrics_dir": None})
            peers = asyncio.run(
                load_peer.climb(
                    Path(python), settings, speech, folder, steps, seconds, options.seed, _too_much
                )
            )
    return _result(mode, rows, peers, mean_s)


async def _climb(plan: Plan, steps: Sequence[int], seconds: float, folder: Path) -> list[Mapping[str, Any]]:
    rows: list[Mapping[str, Any]] = []
    async with _open(plan, folder) as house:
        for step in steps:

            def look(_: House, row: Mapping[str, Any]) -> bool:
                rows.append(row)
                tell(row)
                return False

            await _step(house, step, seconds * (1 if rows else load_peer.FIRST), look)
            if _too_much(rows):
                break
    return rows


async def hold(
    plan: Plan, calls: int, seconds: float, folder: Path, look: Callable[[House, Mapping[str, Any]], bool]
) -> None:
    """Keep so many calls up and have every window of some seconds looked at, until the look says no more."""
    async with _open(plan, folder) as house:
        await _step(house, calls, seconds, look)


@asynccontextmanager
async def _open(plan: Plan, folder: Path) -> AsyncIterator[House]:
    settings = Settings().model_copy(update={"database_url": "", "calls": plan.calls, "metrics_port": 0})
    own = settings.model_copy(update={"home": folder / "home"})
    own.home.mkdir()
    (settings.home / "models").mkdir(parents=True, exist_ok=True)
    (own.home / "models").symlink_to(settings.home / "models")  # weights are assembled once
    with bootstrap.database(own) as url:
        async with House(own, url, plan) as house:
            yield house


async def _step(
    house: House, calls: int, seconds: float, look: Callable[[House, Mapping[str, Any]], bool]
) -> None:
    """Keep so many calls up, and once they have settled look at what is seen in every window."""
    lines = Lines()
    failed: list[str] = []
    turns: list[Turn] = []
    keepers = [
        asyncio.create_task(_keep(house, lines, number, calls, failed, turns)) for number in range(calls)
    ]
    try:
        await asyncio.sleep(load_peer.SETTLE_S)
        while look(house, await _window(house, calls, seconds, failed, turns)):
            pass
    finally:
        for keeper in keepers:
            keeper.cancel()
        await asyncio.gather(*keepers, return_exceptions=True)
        await lines.close()
    await asyncio.sleep(2)  # the last BYEs


async def _window(
    house: House, calls: int, seconds: float, failed: list[str], turns: list[Turn]
) -> Mapping[str, Any]:
    """Return what is seen in the next seconds."""
    failed.clear()
    turns.clear()
    began, cpu, rtp = time.time(), house.cpu_s(), house.rtp()
    await asyncio.sleep(seconds)
    took = time.time() - began
    cpu_after, rtp_after, memory = house.cpu_s(), house.rtp(), house.memory_mib()
    seen = house.events(began)
    waits = sorted(event["delay_ms"] for event in seen if event["event"] == "answer")
    said = [event["duration_s"] for event in seen if event["event"] == "said"]
    row: dict[str, Any] = {"system": "voicebot", "calls": calls}
    row |= {"utterances_per_min": len(said) / took * 60 / calls}
    row |= {"utterance_s": statistics.fmean(said) if said else 0.0}
    row |= {
        "turn_ms_p50": at_quantile(waits, 0.5),
        "turn_ms_p95": at_quantile(waits, 0.95),
        "turns": len(waits),
    }
    for reason, count in Counter(failed).items():
        log.warning("calls failed", reason=reason, calls=count)
    row |= {"unanswered": sum(event["event"] == "no_answer" for event in seen), "failed": len(failed)}
    row |= {f"{name}_p50": _stage(turns, name) for name in ("endpoint_ms", "wait_ms", "recognise_ms")}
    if rtp and rtp_after:
        packets = max(1, rtp_after["packets"] - rtp["packets"])
        row |= {"late_pct": 100 * (rtp_after["late"] - rtp["late"]) / packets}
        row |= {"lost_pct": 100 * (rtp_after["lost"] - rtp["lost"]) / packets}
    for kind, used in cpu_after.items():
        row[f"{kind}_cpu_per_call"] = (used - cpu[kind]) / took / calls
    return row | {"cores": sum(cpu_after[k] - cpu[k] for k in cpu) / took, "memory_mib": sum(memory.values())}


async def _keep(
    house: House, lines: Lines, number: int, calls: int, failed: list[str], turns: list[Turn]
) -> None:
    """Keep one call up: as soon as it ends, it is placed anew."""
    await asyncio.sleep(number * load_peer.ROUND_S / calls)
    line = lines.at(house.line_of(number))
    while True:
        call_id = str(uuid7())
        request = CallRequest(
            call_id, "", "", "", PLAYBOOK, Direction.OUTBOUND, house.talker_of(number), record=False
        )
        events = line.watch()
        ended = asyncio.create_task(_ended(events, call_id, turns))
        try:
            await asyncio.sleep(0)
            await line.originate(request)
            event = await ended
            if event.record is not None and event.record.cause is EndCause.FAILURE:
                failed.append(event.record.sip_reason)
        except CapacityError:
            # the end is told a moment before the leg is free: ask again, as the dialer does
            await asyncio.sleep(0.2)
        except VoicebotError as error:
            failed.append(str(error))
            await asyncio.sleep(1)
        finally:
            ended.cancel()
            with contextlib.suppress(asyncio.CancelledError, VoicebotError):
                await ended
            with contextlib.suppress(VoicebotError):
                await line.hang_up(call_id)


async def _ended(events: AsyncIterator[CallEvent], call_id: str, turns: list[Turn]) -> CallEvent:
    async for event in events:
        if event.call_id == call_id and event.turn is not None:
            turns.append(event.turn)
        if event.call_id == call_id and event.kind == "ended":
            return event
    raise DataError("the line worker's events ended")


def _stage(turns: Sequence[Turn], name: str) -> float:
    """Return the median of what the bot says of its own turns, 0 if there are none."""
    found = [t.timings_ms[name] for t in turns if t.kind is UtteranceKind.SPEECH and name in t.timings_ms]
    return statistics.median(found) if found else 0.0


def _too_much(rows: Sequence[Mapping[str, Any]]) -> bool:
    first, last = rows[0], rows[-1]
    slow = last["turn_ms_p95"] > P95_RATIO * first["turn_ms_p95"]
    return bool(slow or last.get("late_pct", 0.0) > LATE_PCT or not last["turns"])


def _carried(rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the steps that were not too much."""
    return [row for position, row in enumerate(rows) if not _too_much(rows[: position + 1])]


def _result(
    mode: str, rows: Sequence[Mapping[str, Any]], peers: Sequence[Mapping[str, Any]], mean_s: float
) -> Result:
    good = _carried(rows)
    best = good[-1] if good else rows[0]
    summary = {
        ("calls_full" if mode == "full" else "calls_media_only"): float(best["calls"] if good else 0),
        "turn_p95_ratio": best["turn_ms_p95"] / max(1.0, rows[0]["turn_ms_p95"]),
        "late_frames_pct": best.get("late_pct", float("nan")),
    }
    notes = [
        f"customers say {mean_s:.1f} s at a time; turn = end of their speech to the bot's first sound",
        "they run on the same cores, and their CPU is told apart",
        "CPU per call in cores; a step is too much beyond 1.5 x the first step's p95 or 0.5 % late frames",
    ]
    if peers:
        carried = _carried(peers)
        theirs = float(carried[-1]["calls"]) if carried else 0.0
        summary |= {"calls_pipecat": theirs}
        summary |= {"calls_ratio_to_pipecat": best["calls"] / theirs if good and theirs else float("nan")}
        notes.append(
            "Pipecat: Silero, Smart Turn, our recogniser by a socket, cached replies, one process a core; no "
            "SIP or RTP: late frames are those of its output; lines_cpu is its pipelines with the customers"
        )
    if "late_pct" not in rows[0]:
        notes.append("late frames were not measured: that needs the right to open a packet socket (root)")
    return Result(summary, [*rows, *peers], notes=tuple(notes))
