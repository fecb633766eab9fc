"""What all processes share: what is loaded once must not keep ended calls in memory."""

from __future__ import annotations

import subprocess
import sys

import pytest

ENDED_CALLS = """
import gc, weakref
from voicebot.service import entry

models = [[] for _ in range(300_000)]  # a process that has loaded what it needs
gc.collect()
if {loaded}:
    entry.loaded()

class Call:
    def __init__(self):
        self.itself = self  # its parts know each other

calls, ended = [], []
for _ in range(10):
    call = Call()
    ended.append(weakref.ref(call))
    calls.append(call)
    work = [[] for _ in range(8_000)]  # the young are collected meanwhile: the call is old when it ends
    del work
calls.clear()
del call
work = [[] for _ in range(30_000)]
print(sum(one() is not None for one in ended))
"""


@pytest.mark.parametrize(("loaded", "kept"), [(True, False), (False, True)])
def test_an_ended_call_leaves_memory_although_much_was_loaded(loaded: bool, kept: bool) -> None:
    found = subprocess.run(
        [sys.executable, "-c", ENDED_CALLS.format(loaded=loaded)], capture_output=True, text=True, check=True
    )
    assert (int(found.stdout) > 0) is kept
