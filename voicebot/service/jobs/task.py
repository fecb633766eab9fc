"""What a job is made of."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from voicebot.settings import Settings
from voicebot.store.jobs import QUEUE
from voicebot.store.session import Database


@dataclass(frozen=True, slots=True)
class Work:
    """What every task is given."""

    settings: Settings
    database: Database
    now: datetime  # UTC, when the task began
    job_id: int
    stopping: threading.Event  # set when the process is asked to end: a long task looks at it between steps


@dataclass(frozen=True, slots=True)
class Task:
    """One kind of job. A task may be repeated after a crash, so it must not mind being done twice."""

    name: str
    do: Callable[..., object]  # (Work, **args); blocking, in a thread of its own
    every: str = ""  # cron expression, UTC; "" = only on demand
    queue: str = QUEUE
    attempts: int = 3  # in all, crashes of the process included
    alone: bool = True  # never two of this kind at the same time
