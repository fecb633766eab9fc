"""`voicebot serve`: starts the other processes, restarts what dies, drains on SIGTERM. No audio here."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Collection
from pathlib import Path
from types import TracebackType

import structlog

from voicebot.service import metrics
from voicebot.service.child import Child
from voicebot.settings import Settings

LEGS_PER_WORKER = 4  # compiled into today's pjsua2 wheel; a worker probes its own at start
SPARE_LEGS = 1  # kept free in every worker for a takeover
RESTART_DELAYS_S = (0.0, 1.0, 2.0, 5.0, 10.0)
_GRACE_S = {"console": 5.0, "inference": 5.0}  # these carry no call of their own

# What a machine may run, in the order in which it starts; others find it by heartbeats in the database.
ROLES = ("inference", "line", "dialer", "jobs", "console")
DEFAULT_ROLES = ("inference", "line", "dialer", "jobs")

log = structlog.get_logger()


def workers_needed(calls: int) -> int:
    """Return how many line workers carry so many simultaneous calls."""
    return max(1, math.ceil(calls / (LEGS_PER_WORKER - SPARE_LEGS)))


class Supervisor:
    """The processes of one machine, as an async context manager: all ready inside, all ended after."""

    def __init__(
        self,
        settings: Settings,
        database_url: str,
        log_dir: Path | None = None,
        *,
        roles: Collection[str] = DEFAULT_ROLES,
    ) -> None:
        """Plan the processes.

        Args:
            settings: of this installation.
            database_url: of a migrated database.
            log_dir: where each process logs; None = to our standard error.
            roles: what runs on this machine, of ROLES.
        """
        env = {**settings.as_environment(), "VOICEBOT_DATABASE_URL": database_url}
        self._metrics_dir = settings.metrics_dir
        self._drain_s = settings.drain_s
        if self._metrics_dir:
            env[metrics.DIRECTORY] = str(self._metrics_dir)
        self._env = env
        lines = range(workers_needed(settings.calls))
        planned = {
            "inference": [self._child("inference", env, log_dir, nice=5, ready_timeout_s=180)],
            "line": [
                self._child("line", env, log_dir, name=f"line-{index}", args=("--index", str(index)))
                for index in lines
            ],
            # Where recordings are made they are shipped from.
            "shipper": [self._child("shipper", env, log_dir, nice=10)] if settings.blobs else [],
            "dialer": [self._child("dialer", env, log_dir)],
            "jobs": [self._child("jobs", env, log_dir, nice=10)],
            # Above us in the layers: known by its name alone.
            "console": [self._child("console", env, log_dir, module="voicebot.console")],
        }
        wanted = {*roles, *(["shipper"] if "line" in roles else [])}
        self._groups = {role: group for role, group in planned.items() if role in wanted and group}
        self._watchers: list[asyncio.Task[None]] = []

    @staticmethod
    def _child(
        entry: str,
        env: dict[str, str],
        log_dir: Path | None,
        *,
        module: str = "",
        name: str = "",
        args: tuple[str, ...] = (),
        nice: int = 0,
        ready_timeout_s: float = 60,
    ) -> Child:
        name = name or entry
        return Child(
            name,
            module or f"voicebot.service.{entry}",
            args,
            env,
            log_dir / f"{name}.log" if log_dir else None,
            nice,
            ready_timeout_s,
        )

    @property
    def children(self) -> list[Child]:
        """Return all processes in the order in which they start."""
        return [child for group in self._groups.values() for child in group]

    @property
    def lines(self) -> list[Child]:
        """Return the line workers."""
        return self._groups.get("line", [])

    @property
    def console(self) -> Child | None:
        """Return the console, if it runs here."""
        return next(iter(self._groups.get("console", [])), None)

    def health(self) -> dict[str, str]:
        """Return which processes are dead, and why."""
        return {
            child.name: f"ended with status {child.process.returncode}; restarting"
            for child in self.children
            if child.process is not None and child.process.returncode is not None
        }

    async def __aenter__(self) -> Supervisor:
        try:
            for role, group in self._groups.items():
                await asyncio.gather(*(child.start() for child in group))
                if role == "inference":
                    # Port 0 means any free one: whoever starts later, and itself after a crash, uses it.
                    self._env["VOICEBOT_INFERENCE_PORT"] = str(group[0].facts["port"])
        except BaseException:
            await self._end(grace_s=3)
            raise
        self._watchers = [asyncio.create_task(self._watch(child)) for child in self.children]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for watcher in self._watchers:
            watcher.cancel()
        await asyncio.gather(*self._watchers, return_exceptions=True)
        await self._end(self._drain_s)

    async def _end(self, grace_s: float) -> None:
        # Backwards: the dialer before the lines, so that no new call begins; inference last, so that
        # running calls can finish.
        for role, group in reversed(self._groups.items()):
            await asyncio.gather(*(child.stop(_GRACE_S.get(role, grace_s)) for child in group))

    async def _watch(self, child: Child) -> None:
        while True:
            assert child.process is not None
            status = await child.process.wait()
            if self._metrics_dir:
                metrics.forget(child.process.pid, self._metrics_dir)
            delay = RESTART_DELAYS_S[min(child.restarts, len(RESTART_DELAYS_S) - 1)]
            child.restarts += 1
            log.error(
                "process died", name=child.name, status=status, restart_in_s=delay, restarts=child.restarts
            )
            await asyncio.sleep(delay)
            try:
                await child.start()
            except Exception:  # the edge of a task: whatever it is, try again later
                log.exception("process did not start again", name=child.name)
