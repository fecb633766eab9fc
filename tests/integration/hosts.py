"""Machines of one network on one machine: network namespaces joined by a switch (needs root)."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import pytest

ROOT = Path(__file__).resolve().parents[2]
NETWORK = "10.199.7"  # nothing of it leaves the namespaces

needs_hosts = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("ip") is None,
    reason="needs root and iproute2: makes network namespaces",
)


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, timeout=20)


@dataclass(frozen=True, slots=True)
class Host:
    """One of them."""

    namespace: str
    address: str
    port: str  # of the switch that its cable is in

    def start(
        self,
        *words: str,
        environment: Mapping[str, str],
        stdout: int | IO[bytes] | None = None,
        stderr: int | IO[bytes] | None = None,
    ) -> subprocess.Popen[bytes]:
        """Run Python there."""
        return subprocess.Popen(
            # a name of its own too: workers are told apart by their machines' names
            [
                *("ip", "netns", "exec", self.namespace, "unshare", "--uts"),
                *("sh", "-c", 'hostname "$0" && exec "$@"', self.namespace, sys.executable, *words),
            ],
            env={**os.environ, **environment, "PYTHONPATH": str(ROOT)},
            cwd=ROOT,
            stdout=stdout,
            stderr=stderr,
            stdin=subprocess.DEVNULL,
        )

    def unplug(self) -> None:
        """Pull its cable: nothing comes or goes any more, and nobody is told."""
        _run("ip", "-n", _switch(self.namespace), "link", "set", self.port, "down")


def _switch(namespace: str) -> str:
    return namespace.rpartition("-")[0] + "-sw"


@contextmanager
def network(count: int) -> Iterator[Sequence[Host]]:
    """Yield so many hosts that reach each other and nothing else."""
    name = f"vb{os.getpid()}"
    switch = f"{name}-sw"
    made = [switch]
    try:
        _run("ip", "netns", "add", switch)
        _run("ip", "-n", switch, "link", "add", "br0", "type", "bridge")
        _run("ip", "-n", switch, "link", "set", "br0", "up")
        hosts = []
        for number in range(1, count + 1):
            host = Host(f"{name}-{number}", f"{NETWORK}.{number}", f"p{number}")
            _run("ip", "netns", "add", host.namespace)
            made.append(host.namespace)
            _run("ip", "-n", host.namespace, "link", "add", "eth0", "type", "veth", "peer", "name", host.port)
            _run("ip", "-n", host.namespace, "link", "set", host.port, "netns", switch)
            _run("ip", "-n", switch, "link", "set", host.port, "master", "br0", "up")
            _run("ip", "-n", host.namespace, "addr", "add", f"{host.address}/24", "dev", "eth0")
            for device in ("lo", "eth0"):
                _run("ip", "-n", host.namespace, "link", "set", device, "up")
            hosts.append(host)
        yield hosts
    finally:
        for namespace in reversed(made):
            subprocess.run(["ip", "netns", "del", namespace], capture_output=True, timeout=20, check=False)
