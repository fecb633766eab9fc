"""A few decoders shared by many streams: what is urgent first, then first come, first served."""

from __future__ import annotations

import atexit
import itertools
import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Generic, TypeVar

D = TypeVar("D")
R = TypeVar("R")

_URGENT, _BESIDE = 0, 1  # priorities
_LAST = 9  # of the note that ends a worker


@dataclass(order=True, slots=True)
class _Job(Generic[D]):
    priority: int
    seq: int
    work: Callable[[D], object] | None = field(compare=False)
    future: Future[object] = field(compare=False, default_factory=Future)


class DecoderPool(Generic[D]):
    """One thread for each decoder. A stream has one request at a time, so none can crowd out the others."""

    def __init__(self, decoders: Sequence[D], name: str) -> None:
        """Start the threads."""
        self._jobs: queue.PriorityQueue[_Job[D]] = queue.PriorityQueue()
        self._count = itertools.count()
        self._urgent = 0  # requests that are computed or wait
        self._counting = threading.Lock()
        self._threads = [
            threading.Thread(target=self._serve, args=(decoder,), name=f"{name}-{number}", daemon=True)
            for number, decoder in enumerate(decoders)
        ]
        for thread in self._threads:
            thread.start()
        atexit.register(self._leave)

    def submit(self, work: Callable[[D], R], *, urgent: bool) -> Future[R]:
        """Queue work that needs a decoder. A future that is cancelled before its turn is skipped."""
        job: _Job[D] = _Job(_URGENT if urgent else _BESIDE, next(self._count), work)
        if urgent:
            self._count_urgent(1)
            job.future.add_done_callback(lambda _: self._count_urgent(-1))
        self._jobs.put(job)
        return job.future  # type: ignore[return-value]  # one queue holds the work of every result type

    @property
    def waiting(self) -> int:
        """How many requests wait for a decoder."""
        return self._jobs.qsize()

    @property
    def load(self) -> float:
        """Urgent requests that are computed or wait, for each decoder."""
        return self._urgent / len(self._threads)

    def close(self) -> None:
        """End the threads after the work that is queued."""
        atexit.unregister(self._leave)
        for _ in self._threads:
            self._jobs.put(_Job(_LAST, next(self._count), None))
        for thread in self._threads:
            thread.join(timeout=30)

    def _leave(self) -> None:
        """Drop what waits and end the threads, as the process ends.

        A thread that came back from C++ later would be ended by the interpreter in the middle of it, which
        aborts the process.
        """
        while True:
            try:
                self._jobs.get_nowait().future.cancel()
            except queue.Empty:
                break
        self.close()

    def _serve(self, decoder: D) -> None:
        while (job := self._jobs.get()).work is not None:
            if not job.future.set_running_or_notify_cancel():
                continue
            try:
                job.future.set_result(job.work(decoder))
            except BaseException as error:  # noqa: BLE001 edge of a thread: whoever waits gets it
                job.future.set_exception(error)

    def _count_urgent(self, change: int) -> None:
        with self._counting:
            self._urgent += change
