"""CPU time and memory of processes, from /proc (proc(5))."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def cpu_s(pids: Iterable[int]) -> float:
    """Return the seconds of CPU that processes have used, all threads; those that are gone count nothing."""
    used = 0
    for pid in pids:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        used += int(fields[11]) + int(fields[12])  # utime, stime
    return used / _TICKS


def memory_mib(pids: Iterable[int]) -> float:
    """Return the processes' proportional share of memory (PSS), MiB."""
    kib = 0
    for pid in pids:
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        kib += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return kib / 1024


def files(pids: Iterable[int]) -> int:
    """Return how many file descriptors processes hold."""
    return sum(_entries(pid, "fd") for pid in pids)


def threads(pids: Iterable[int]) -> int:
    """Return how many threads processes have."""
    return sum(_entries(pid, "task") for pid in pids)


def _entries(pid: int, what: str) -> int:
    try:
        return len(list(Path(f"/proc/{pid}/{what}").iterdir()))
    except OSError:
        return 0


def family(pid: int) -> list[int]:
    """Return a process and its descendants."""
    found = [pid]
    for one in found:
        children = Path(f"/proc/{one}/task/{one}/children")
        try:
            found += [int(word) for word in children.read_text().split()]
        except OSError:
            continue
    return found
