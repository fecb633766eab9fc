"""A child process of the supervisor: started, watched, restarted, ended."""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog

from voicebot.domain.errors import VoicebotError

READY_FD = "VOICEBOT_READY_FD"
_PR_SET_PDEATHSIG = 1
# requests share the cores already, and threads of BLAS that wait for the next product do so actively
_ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
log = structlog.get_logger()


class ChildError(VoicebotError):
    """A process of the voicebot did not start."""


def announce(**facts: Any) -> None:
    """Tell the supervisor, from inside a child, that it is ready. Does nothing without a supervisor."""
    descriptor = os.environ.pop(READY_FD, "")
    if descriptor:
        with os.fdopen(int(descriptor), "w") as pipe:
            pipe.write(json.dumps(facts) + "\n")


def end_with_parent() -> None:
    """Have this process drain when its supervisor is killed, so that nobody holds ports and claims for good.

    Does nothing without a supervisor. Linux tells by PR_SET_PDEATHSIG, prctl(2).
    """
    if READY_FD not in os.environ:
        return
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() == 1:  # it died before we could ask
        os.kill(os.getpid(), signal.SIGTERM)


@dataclass(slots=True)
class Child:
    """One process: `python -m MODULE ARGS`."""

    name: str
    module: str
    args: Sequence[str] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    log_file: Path | None = None  # None: our own standard error
    nice: int = 0
    ready_timeout_s: float = 60.0
    facts: dict[str, Any] = field(default_factory=dict)  # what it said when it became ready
    process: asyncio.subprocess.Process | None = None
    restarts: int = 0

    async def start(self) -> None:
        """Start the process and wait until it announces that it is ready."""
        reader, writer = os.pipe()
        output: Any = None
        if self.log_file:
            self.log_file.parent.mkdir(parents=True, exist_ok=True)
            output = self.log_file.open("ab")
        try:
            self.process = await asyncio.create_subprocess_exec(
                *(["nice", "-n", str(self.nice)] if self.nice else []),
                sys.executable,
                "-m",
                self.module,
                *self.args,
                env={**_ONE_THREAD, **os.environ, **self.env, READY_FD: str(writer)},
                pass_fds=(writer,),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                # its own group: Ctrl-C reaches the supervisor alone, who then drains in order
                start_new_session=True,
            )
        finally:
            os.close(writer)
            if output is not None:
                output.close()
        self.facts = await self._ready(reader)
        log.info("process ready", name=self.name, pid=self.process.pid)

    async def _ready(self, reader: int) -> dict[str, Any]:
        assert self.process is not None
        loop = asyncio.get_running_loop()
        pipe = asyncio.StreamReader()
        transport, _ = await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(pipe), os.fdopen(reader, "rb")
        )
        try:
            line = await asyncio.wait_for(pipe.readline(), self.ready_timeout_s)
        except TimeoutError:
            await self.stop(grace_s=1)
            raise ChildError(
                f"{self.name} was not ready after {self.ready_timeout_s:.0f} s", hint=self._where()
            ) from None
        finally:
            transport.close()
        if not line:
            status = await self.process.wait()
            raise ChildError(f"{self.name} ended with status {status}{self._tail()}", hint=self._where())
        facts: dict[str, Any] = json.loads(line)
        return facts

    def _tail(self) -> str:
        if not self.log_file or not self.log_file.exists():
            return ""
        lines = self.log_file.read_text("utf-8", "replace").strip().splitlines()
        return ": " + lines[-1] if lines else ""

    def _where(self) -> str:
        return f"its log: {self.log_file}" if self.log_file else "its log stands above"

    async def stop(self, grace_s: float = 10.0) -> None:
        """End the process: SIGTERM, then SIGKILL after the grace."""
        process = self.process
        if process is None or process.returncode is not None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(process.wait(), grace_s)
        except TimeoutError:
            log.warning("process killed", name=self.name, pid=process.pid, grace_s=grace_s)
            process.kill()
            await process.wait()
