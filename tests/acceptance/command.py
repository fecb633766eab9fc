"""The command line as a user runs it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping


def voicebot(environment: Mapping[str, str], *words: str, timeout_s: float = 400) -> str:
    """Run a command with these settings besides ours; return what it prints. It must end well."""
    done = subprocess.run(
        [sys.executable, "-m", "voicebot.cli.main", *words],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=timeout_s,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:]
    return done.stdout
