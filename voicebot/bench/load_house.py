"""The processes of `bench load`: inference, line workers and talkers. A helper of that bench."""

from __future__ import annotations

import asyncio
import json
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from voicebot.bench import processes
from voicebot.bench.load_rows import events_since
from voicebot.service import metrics
from voicebot.service.child import Child
from voicebot.service.supervisor import LEGS_PER_WORKER, SPARE_LEGS, workers_needed
from voicebot.settings import Settings

RTP_LINES, RTP_TALKERS = 40000, 52000  # 100 ports a process


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be started."""

    calls: int  # the most at once
    inference: str  # module of the inference server
    speech: Path  # *.pcm
    folder: Path  # for logs and events
    seed: int


class House:
    """As an async context manager: all ready inside, all ended after."""

    def __init__(self, settings: Settings, database_url: str, plan: Plan) -> None:
        """Plan the processes."""
        settings = settings.model_copy(update={"rtp_port": RTP_LINES, "sip_port": 0, "line_port": 0})
        self._env = {**settings.as_environment(), "VOICEBOT_DATABASE_URL": database_url}
        self._env |= {"VOICEBOT_INFERENCE_PORT": "0", "VOICEBOT_LOG_LEVEL": "warning"}
        self._env.pop(metrics.DIRECTORY, None)
        logs = plan.folder / "logs"
        self._inference = Child("inference", plan.inference, (), self._env, logs / "inference.log", 5, 300)
        self.lines = [
            self._child(f"line-{n}", "line", logs, "--index", str(n))
            for n in range(workers_needed(plan.calls))
        ]
        self.talkers = [
            self._child(
                f"talkers-{n}",
                "talkers",
                logs,
                *("--speech", str(plan.speech), "--events", str(plan.folder / f"talkers-{n}.jsonl")),
                *("--rtp-port", str(RTP_TALKERS + 100 * n), "--seed", str(plan.seed + n)),
            )
            for n in range(math.ceil(plan.calls / LEGS_PER_WORKER))
        ]
        self._folder = plan.folder
        self._sniffer: asyncio.subprocess.Process | None = None

    def _child(self, name: str, module: str, logs: Path, *args: str) -> Child:
        return Child(name, f"voicebot.service.{module}", args, self._env, logs / f"{name}.log", 0, 60)

    async def __aenter__(self) -> House:
        try:
            await self._inference.start()
            self._env["VOICEBOT_INFERENCE_PORT"] = str(self._inference.facts["port"])
            for batch in (self.lines, self.talkers):
                await asyncio.gather(*(child.start() for child in batch))
            await self._watch_rtp()
        except BaseException:
            await self._end()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._end()

    async def _end(self) -> None:
        if self._sniffer is not None and self._sniffer.returncode is None:
            self._sniffer.kill()
            await self._sniffer.wait()
        await asyncio.gather(*(child.stop(3) for child in (*self.talkers, *self.lines)))
        await self._inference.stop(3)

    async def _watch_rtp(self) -> None:
        with (self._folder / "rtp.jsonl").open("wb") as out, (self._folder / "rtp.err").open("wb") as err:
            self._sniffer = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "voicebot.bench.rtp_gaps"),
                *(str(RTP_LINES), str(RTP_LINES + 100 * len(self.lines))),
                stdout=out,
                stderr=err,
            )

    # -- what is measured --

    def line_of(self, call: int) -> str:
        """Return the gRPC address of the line worker that carries the n-th call."""
        facts = self.lines[call // (LEGS_PER_WORKER - SPARE_LEGS)].facts
        return f"127.0.0.1:{facts['port']}"

    def talker_of(self, call: int) -> str:
        """Return whom the n-th call goes to."""
        return str(self.talkers[call // LEGS_PER_WORKER].facts["sip_uri"])

    def cpu_s(self) -> dict[str, float]:
        """Return the CPU seconds used so far, by kind of process."""
        return {kind: processes.cpu_s(pids) for kind, pids in self.pids().items()}

    def memory_mib(self) -> dict[str, float]:
        """Return the memory in use, by kind of process."""
        return {kind: processes.memory_mib(pids) for kind, pids in self.pids().items()}

    def rtp(self) -> Mapping[str, int] | None:
        """Return the packets seen on the wire so far; None where they may not be seen."""
        lines = (self._folder / "rtp.jsonl").read_text().splitlines()
        return json.loads(lines[-1]) if lines else None

    def events(self, since: float) -> list[Mapping[str, Any]]:
        """Return what the talkers noticed since a time (seconds since the epoch)."""
        return events_since(self._folder.glob("talkers-*.jsonl"), since)

    def pids(self) -> dict[str, list[int]]:
        """Return the processes, by kind."""

        def of(children: Sequence[Child]) -> list[int]:
            return [child.process.pid for child in children if child.process is not None]

        return {"inference": of([self._inference]), "lines": of(self.lines), "customers": of(self.talkers)}
