"""What engines share that decode in a thread as they are fed: the queue, the time, the expected answers."""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from voicebot.domain.errors import RecognitionError
from voicebot.domain.speech import Expectation, Transcript
from voicebot.speech.recognition.answers import Correction, Expected
from voicebot.speech.recognition.topic import choose


@dataclass(frozen=True, slots=True)
class Queue:
    """Where a recogniser's streams are decoded."""

    executor: ThreadPoolExecutor
    timeout_s: float  # a result is waited for at most


class QueuedStream(ABC):
    """One utterance. `feed` never waits: the engine runs in a thread of the recogniser, in order."""

    eager = True  # decodes as speech comes, not only when a result is asked for

    def __init__(self, name: str, rate_hz: int, expected: Expectation, queue: Queue) -> None:
        """Begin empty."""
        self._name = name
        self._rate_hz = rate_hz
        self._expectation = expected
        self._answers = Expected(expected.phrases)
        self._queue = queue
        self._lock = threading.Lock()
        self._waiting: list[bytes] = []
        self._cpu_s = 0.0
        self._began = 0.0
        self._over = False

    def feed(self, pcm: bytes) -> None:
        """Take the next speech; decoding happens elsewhere."""
        if self._over or not pcm:
            return
        self._waiting.append(pcm)
        if self.eager:
            self._queue.executor.submit(self._work)

    def ending(self) -> None:  # noqa: B027  # nothing to tell is an answer
        """Return None: these engines show nothing of how speech ends."""

    def result(self, *, final: bool) -> Transcript:
        """Return the words so far. What comes after a speculative result is added to it."""
        if self._over:
            raise RecognitionError("the stream is over", hint="open a new one for the next utterance")
        self._over = final
        timeout_s = self._queue.timeout_s
        done: Future[Transcript] = self._queue.executor.submit(self._result, final)
        try:
            return done.result(timeout_s)
        except TimeoutError as late:
            raise RecognitionError(
                f"no result within {timeout_s:g} s", hint="take fewer calls, or a smaller model"
            ) from late

    def withdraw(self) -> None:  # noqa: B027  # what waits is decoded anyhow, as speech comes
        """Do nothing: a request costs these engines little."""

    def abort(self) -> None:
        """Throw the stream away."""
        self._over = True
        self._waiting.clear()

    @abstractmethod
    def _take(self, pcm: bytes) -> None:
        """Decode or keep the next speech."""

    @abstractmethod
    def _read(self, *, final: bool) -> Transcript:
        """Return what all that was taken says."""

    def _spent_s(self) -> float:
        """Return the CPU seconds of this utterance until now; in the worker's thread only."""
        return self._cpu_s + time.thread_time() - self._began

    def _believed(self, raw: str) -> Correction:
        """Return the answer or the words of the talk that a text stands for."""
        believed = self._answers.correct(raw)
        return choose(self._expectation, [(raw, 0.0)]) if believed.method == "1-best" else believed

    def _work(self) -> None:
        with self._lock:
            self._began = time.thread_time()
            while self._waiting:
                self._take(self._waiting.pop(0))
            self._cpu_s = self._spent_s()

    def _result(self, final: bool) -> Transcript:
        self._work()
        with self._lock:
            self._began = time.thread_time()
            transcript = self._read(final=final)
            self._cpu_s = self._spent_s()
            return transcript
