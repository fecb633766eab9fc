"""A few decoders shared by many streams: what a turn waits for first, then first come, first served."""

from __future__ import annotations

import atexit
import heapq
import itertools
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Generic, TypeVar

D = TypeVar("D")
R = TypeVar("R")


class Urgency(IntEnum):
    """What is done first if several requests wait."""

    WORDS = 0  # a turn waits for them
    ENDING = 1  # of speech: whether a turn begins
    BESIDE = 2  # nobody waits


@dataclass(order=True, slots=True)
class _Job(Generic[D]):
    urgency: Urgency
    seq: int
    work: Callable[[D], object] = field(compare=False)
    future: Future[object] = field(compare=False, default_factory=Future)


class DecoderPool(Generic[D]):
    """One thread for each decoder. A stream has one request at a time, so none can crowd out the others.

    A decode can not be interrupted: with several decoders one is always left to what is urgent.
    """

    def __init__(self, decoders: Sequence[D], name: str) -> None:
        """Start the threads."""
        self._jobs: list[_Job[D]] = []  # a heap
        self._changed = threading.Condition()
        self._count = itertools.count()
        self._over = False
        self._urgent = 0  # requests that are computed or wait
        self._beside = 0  # computed
        self._most_beside = max(1, len(decoders) - 1)
        self._threads = [
            threading.Thread(target=self._serve, args=(decoder,), name=f"{name}-{number}", daemon=True)
            for number, decoder in enumerate(decoders)
        ]
        for thread in self._threads:
            thread.start()
        atexit.register(self._leave)

    def submit(self, work: Callable[[D], R], urgency: Urgency) -> Future[R]:
        """Queue work that needs a decoder. A future that is cancelled before its turn is skipped."""
        job: _Job[D] = _Job(urgency, next(self._count), work)
        if urgency < Urgency.BESIDE:
            self._count_urgent(1)
            job.future.add_done_callback(lambda _: self._count_urgent(-1))
        with self._changed:
            heapq.heappush(self._jobs, job)
            self._changed.notify_all()
        return job.future  # type: ignore[return-value]  # one queue holds the work of every result type

    @property
    def waiting(self) -> int:
        """How many requests wait for a decoder."""
        return len(self._jobs)

    @property
    def load(self) -> float:
        """Urgent requests that are computed or wait, for each decoder."""
        return self._urgent / len(self._threads)

    def close(self) -> None:
        """End the threads after the work that is queued."""
        atexit.unregister(self._leave)
        with self._changed:
            self._over = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join(timeout=30)

    def _leave(self) -> None:
        """Drop what waits and end the threads, as the process ends.

        A thread that came back from C++ later would be ended by the interpreter in the middle of it, which
        aborts the process.
        """
        with self._changed:
            dropped, self._jobs = self._jobs, []
        for job in dropped:
            job.future.cancel()
        self.close()

    def _serve(self, decoder: D) -> None:
        while (job := self._next()) is not None:
            try:
                if not job.future.set_running_or_notify_cancel():
                    continue
                job.future.set_result(job.work(decoder))
            except BaseException as error:  # noqa: BLE001 edge of a thread: whoever waits gets it
                job.future.set_exception(error)
            finally:
                self._finished(job)

    def _next(self) -> _Job[D] | None:
        """Wait for the next request that a decoder is free for; None = there will be no more."""
        with self._changed:
            self._changed.wait_for(lambda: self._may_begin() or (self._over and not self._jobs))
            if not self._jobs:
                return None
            job = heapq.heappop(self._jobs)
            self._beside += job.urgency is Urgency.BESIDE
            return job

    def _may_begin(self) -> bool:
        if not self._jobs:
            return False
        return self._jobs[0].urgency < Urgency.BESIDE or self._beside < self._most_beside

    def _finished(self, job: _Job[D]) -> None:
        with self._changed:
            self._beside -= job.urgency is Urgency.BESIDE
            self._changed.notify_all()

    def _count_urgent(self, change: int) -> None:
        with self._changed:
            self._urgent += change
