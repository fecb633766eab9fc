"""Commands of voicebot that run beside a browser."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

START_S = 180
_ANY_PORT = ("CONSOLE_PORT", "SIP_PORT", "RTP_PORT", "INFERENCE_PORT", "LINE_PORT", "METRICS_PORT")


@dataclass
class Program:
    """A command that runs, and what it printed."""

    process: subprocess.Popen[str]
    lines: list[str]
    changed: threading.Condition

    def said(self, pattern: str, timeout_s: float = START_S) -> str:
        """Return the first group of a line that it prints."""
        found: list[str] = []

        def look() -> bool:
            found.extend(match[1] for line in self.lines if (match := re.search(pattern, line)))
            return bool(found) or self.process.poll() is not None

        with self.changed:
            self.changed.wait_for(look, timeout_s)
        assert found, "\n".join(self.lines[-20:])
        return found[0]


@contextmanager
def voicebot(home: Path, *words: str) -> Iterator[Program]:
    """Run the command line with a data home of its own."""
    process = subprocess.Popen(
        [sys.executable, "-m", "voicebot.cli.main", *words],
        env=os.environ | {f"VOICEBOT_{name}": "0" for name in _ANY_PORT}
        | {"VOICEBOT_HOME": str(home), "VOICEBOT_CALLS": "3", "COLUMNS": "200"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )  # fmt: skip
    program = Program(process, [], threading.Condition())

    def read() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            with program.changed:
                program.lines.append(line)
                program.changed.notify_all()
        with program.changed:
            program.changed.notify_all()

    threading.Thread(target=read, daemon=True).start()
    try:
        yield program
    finally:
        process.terminate()
        process.wait(60)
