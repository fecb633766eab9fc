"""The same customers, recogniser and length of replies with Pipecat, for `bench load`. A helper of it.

One process for each core, as its users scale it; sound stays in memory, which spares it SIP and RTP.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import voicebot
from voicebot.bench import processes
from voicebot.bench.load_media import PROMPT_MS
from voicebot.bench.load_rows import at_quantile, events_since, tell
from voicebot.domain.errors import DataError
from voicebot.service.child import Child
from voicebot.settings import Settings

SETTLE_S = 25.0  # calls begin one after the other, and the opening is heard, before anything counts
FIRST = 3  # times as long as the other steps, or its p95 would rest on a handful of turns
ROUND_S = 9.0  # within which all calls begin: what a customer says and the pause after it take about as long
CORES = 2
_SCRIPT = Path(voicebot.__file__).parent / "bench" / "peers" / "pipecat_calls.py"


async def climb(
    python: Path,
    settings: Settings,
    speech: Path,
    folder: Path,
    steps: Sequence[int],
    seconds: float,
    seed: int,
    too_much: Callable[[Sequence[Mapping[str, Any]]], bool],
) -> list[Mapping[str, Any]]:
    """Climb the steps until it is too much. Raises DataError if the framework does not run.

    Args:
        python: of Pipecat's environment.
        settings: of the recogniser.
        speech: folder of *.pcm that customers say.
        folder: for jobs, events and logs; its path must be short enough for a socket.
        steps: how many calls at once, one after the other.
        seconds: of each, after it has settled.
        seed: of the customers.
        too_much: whether the last of the rows is beyond what is bearable.
    """
    socket, logs = folder / "asr.sock", folder / "logs"
    asr = Child(
        "asr", "voicebot.bench.load_asr", (str(socket),), settings.as_environment(), logs / "asr.log", 5, 300
    )
    await asr.start()
    rows: list[Mapping[str, Any]] = []
    try:
        for calls in steps:
            assert asr.process is not None
            lasts_s = seconds * (1 if rows else FIRST)
            rows.append(await _step(python, asr.process.pid, socket, speech, folder, calls, lasts_s, seed))
            tell(rows[-1])
            if too_much(rows):
                break
    finally:
        await asr.stop(3)
    return rows


async def _step(
    python: Path, asr: int, socket: Path, speech: Path, folder: Path, calls: int, seconds: float, seed: int
) -> Mapping[str, Any]:
    shares = [calls // CORES + (core < calls % CORES) for core in range(CORES)]
    jobs = [(core, share) for core, share in enumerate(shares) if share]
    running: list[asyncio.subprocess.Process] = []
    files = [folder / f"pipecat-{calls}-{core}.jsonl" for core, _ in jobs]
    try:
        for (core, share), events in zip(jobs, files, strict=True):
            job = {"calls": share, "speech": str(speech), "asr": str(socket), "events": str(events)}
            job |= {"seed": seed + core, "reply_ms": PROMPT_MS, "round_s": ROUND_S}
            running.append(await _start(python, folder / f"pipecat-{calls}-{core}.json", job))
        await asyncio.sleep(SETTLE_S)
        if dead := [one for one in running if one.returncode is not None]:
            raise DataError(
                f"Pipecat ended with status {dead[0].returncode}",
                hint="look whether PYTHON of pipecat= is its own",
            )
        pids = [one.pid for one in running]
        began, cpu, asr_cpu = time.time(), processes.cpu_s(pids), processes.cpu_s([asr])
        await asyncio.sleep(seconds)
        took, memory = time.time() - began, processes.memory_mib([*pids, asr])
        cpu, asr_cpu = processes.cpu_s(pids) - cpu, processes.cpu_s([asr]) - asr_cpu
    finally:
        for one in running:
            if one.returncode is None:
                one.kill()
        await asyncio.gather(*(one.wait() for one in running))
    seen = events_since(files, began)
    waits = sorted(event["delay_ms"] for event in seen if event["event"] == "answer")
    said = [event["duration_s"] for event in seen if event["event"] == "said"]
    row: dict[str, Any] = {"system": "pipecat", "calls": calls}
    row |= {"utterances_per_min": len(said) / took * 60 / calls}
    row |= {"utterance_s": statistics.fmean(said) if said else 0.0}
    row |= {
        "turn_ms_p50": at_quantile(waits, 0.5),
        "turn_ms_p95": at_quantile(waits, 0.95),
        "turns": len(waits),
    }
    row |= {"unanswered": sum(event["event"] == "no_answer" for event in seen), "failed": 0}
    row |= {"late_pct": _late_pct(seen)}
    row |= {"inference_cpu_per_call": asr_cpu / took / calls, "lines_cpu_per_call": cpu / took / calls}
    return row | {"cores": (cpu + asr_cpu) / took, "memory_mib": memory}


async def _start(python: Path, file: Path, job: Mapping[str, Any]) -> asyncio.subprocess.Process:
    await asyncio.to_thread(file.write_text, json.dumps(job), "utf-8")
    environment = {
        **os.environ,
        "PYTHONPATH": str(Path(voicebot.__file__).parent.parent),
        "OMP_NUM_THREADS": "1",
    }
    with file.with_suffix(".log").open("wb") as log:
        return await asyncio.create_subprocess_exec(
            str(python), str(_SCRIPT), str(file), env=environment, stdout=log, stderr=log
        )


def _late_pct(seen: Sequence[Mapping[str, Any]]) -> float:
    """Return the share of reply frames that came more than 40 ms after the one before, as far as seen."""
    frames = [event for event in seen if event["event"] == "frames"]
    if len(frames) < 2:
        return 0.0
    packets = frames[-1]["packets"] - frames[0]["packets"]
    return 100 * (frames[-1]["late"] - frames[0]["late"]) / packets if packets else 0.0
