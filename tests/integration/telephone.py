"""Drives `phone.py` from a test."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np


class Telephone:
    """A phone in another process."""

    def __init__(
        self, sip_port: int = 0, follow_refer: bool = True, certificate: tuple[Path, Path] | None = None
    ) -> None:
        root = Path(__file__).resolve().parents[2]
        self._process = subprocess.Popen(
            [
                sys.executable,
                str(Path(__file__).with_name("phone.py")),
                str(sip_port),
                str(int(follow_refer)),
                *(str(file) for file in certificate or ()),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={"PYTHONPATH": str(root), "PATH": "/usr/bin:/bin"},
            text=True,
        )
        self.events: list[dict[str, Any]] = []
        self._changed = threading.Condition()
        threading.Thread(target=self._read, daemon=True).start()
        self.ready = self.wait_any("Ready", "Failed", timeout_s=20)
        self.uri = str(self.ready.get("uri", ""))
        self.host = self.uri.partition("@")[2]

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if not line.startswith("{"):  # pjsua2 complains on standard output now and then
                continue
            with self._changed:
                self.events.append(json.loads(line))
                self._changed.notify_all()

    def wait_any(self, *names: str, timeout_s: float = 8, after: int = 0) -> dict[str, Any]:
        """Return the first event of these names from index `after` on."""
        deadline = time.monotonic() + timeout_s
        with self._changed:
            while True:
                for event in self.events[after:]:
                    if event["event"] in names:
                        return event
                if not self._changed.wait(deadline - time.monotonic()):
                    seen = [event["event"] for event in self.events[after:]]
                    raise AssertionError(f"no {names} within {timeout_s} s, but {seen}")

    def wait(self, name: str, timeout_s: float = 8, after: int = 0) -> dict[str, Any]:
        return self.wait_any(name, timeout_s=timeout_s, after=after)

    def address(self, user: str) -> str:
        return f"sip:{user}@{self.host}"

    def do(self, what: str, **how: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"do": what, **how}) + "\n")
        self._process.stdin.flush()

    def clear(self) -> None:
        """Hang up every call there is, and wait until their lines are free for the next test."""
        count = len(self.events)
        self.do("clear")
        self.wait("Cleared", timeout_s=20, after=count)

    def heard(self, leg: int) -> bytes:
        count = len(self.events)
        self.do("heard", leg=leg)
        return bytes.fromhex(self.wait("Heard", after=count)["pcm"])

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid

    def close(self) -> int:
        """End the process and return its exit status; harmless if it was killed."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        return self._process.wait(10)


def loudness_of(hz: float, pcm: bytes) -> float:
    """Return how much of the sound's energy lies at one frequency: 0-1."""
    samples = np.frombuffer(pcm, "<i2").astype(float)
    if not samples.any():
        return 0.0
    spectrum = np.abs(np.fft.rfft(samples)) ** 2
    freqs = np.fft.rfftfreq(len(samples), 1 / 8000)
    return float(spectrum[np.abs(freqs - hz) < 20].sum() / spectrum.sum())
