"""What the entries of all processes share."""

from __future__ import annotations

import asyncio
import gc
import signal
import sys
from collections.abc import Awaitable, Callable

import structlog

from voicebot.domain.errors import VoicebotError
from voicebot.service import logs
from voicebot.service.child import end_with_parent
from voicebot.service.metrics import Metrics
from voicebot.settings import Settings

_OLD_EVERY = 2  # collections of the young


def loaded() -> None:
    """Leave what was loaded so far, models and modules, out of garbage collections: it stays.

    A call's parts know each other, so only a collection of what is old frees an ended call. It looks at
    all that is there, 160,000 objects in a line worker, 420,000 in inference, where it stops every thread
    for 0.15 s, and so Python puts it off: after an hour at load 12 MB of ended calls lay about in each
    line worker.
    """
    gc.collect()
    gc.freeze()
    young, middle, _ = gc.get_threshold()
    gc.set_threshold(young, middle, _OLD_EVERY)
    gc.collect()


def run(name: str, settings: Settings, work: Callable[[asyncio.Event], Awaitable[None]]) -> None:
    """Run a process until SIGTERM or Ctrl-C sets the event; a known error ends it with status 1."""
    end_with_parent()
    count = Metrics().count_log if settings.metrics_dir else None
    logs.configure(name, settings.log_level, as_json=settings.log_json, count=count)

    async def until_stopped() -> None:
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        await work(stop)

    try:
        asyncio.run(until_stopped())
    except VoicebotError as error:
        # the last line of the log is what the supervisor shows
        structlog.get_logger().critical(f"{error}. {error.hint}".rstrip(". ") + ".")
        sys.exit(1)
