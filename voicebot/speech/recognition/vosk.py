"""Vosk: decodes while the customer speaks, with word times of its own."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypedDict

import numpy as np

from voicebot.domain.errors import ModelError, RecognitionError
from voicebot.domain.speech import NOTHING_EXPECTED, Expectation, Transcript, Word
from voicebot.speech.recognition import sound
from voicebot.speech.recognition.answers import Expected
from voicebot.speech.recognition.topic import choose
from voicebot.text.normalise import normalise

_MODEL_RATE_HZ = 16_000  # of every published model


class _Part(TypedDict):
    """A word as Vosk's JSON tells it."""

    word: str
    start: float
    end: float
    conf: float


class VoskRecognizer:
    """Recognises with a Vosk model: `vosk-model-cn-0.22`, or the small one."""

    name = "vosk"

    def __init__(self, directory: Path, workers: int = 2, *, timeout_s: float = 30.0) -> None:
        """Load a model.

        Args:
            directory: of an unpacked model: am/, conf/, graph/.
            workers: streams decoded at the same time, one thread each.
            timeout_s: wait for a result at most.

        Raises:
            ModelError: the directory holds no Vosk model.
        """
        import vosk

        if not (directory / "conf").is_dir() or not (directory / "am" / "final.mdl").is_file():
            raise ModelError(
                f"{directory} holds no Vosk model",
                hint="set VOICEBOT_VOSK_MODEL to an unpacked one, with am/, conf/ and graph/ in it",
            )
        vosk.SetLogLevel(-1)
        try:
            self._model: Any = vosk.Model(str(directory))
        except Exception as broken:  # vosk raises the bare class
            raise ModelError(
                f"{directory} can not be loaded ({broken})", hint="unpack the model again"
            ) from broken
        self.name = f"vosk ({directory.name})"
        self._upsamples = _option(directory, "allow-upsample") == "true"
        self._executor = ThreadPoolExecutor(workers, "vosk")
        self._timeout_s = timeout_s

    def open(self, rate_hz: int, expected: Expectation = NOTHING_EXPECTED) -> VoskStream:
        """Begin one utterance, told what is expected here."""
        import vosk

        if rate_hz not in (8000, _MODEL_RATE_HZ):
            raise RecognitionError(f"{rate_hz} Hz is no rate for Vosk", hint="give 8 or 16 kHz audio")
        # Telephone audio is refused by a model that was not told to take it: doubled then, without a seam.
        doubler = Doubler() if rate_hz < _MODEL_RATE_HZ and not self._upsamples else None
        engine = vosk.KaldiRecognizer(self._model, float(_MODEL_RATE_HZ if doubler else rate_hz))
        engine.SetWords(True)
        return VoskStream(
            engine,
            self.name,
            rate_hz,
            doubler,
            expected,
            self._executor,
            self._timeout_s,
        )

    @property
    def load(self) -> float:
        """Return 0: it decodes while the speech comes in, so a decision costs next to nothing."""
        return 0.0

    def close(self) -> None:
        """End the worker threads."""
        self._executor.shutdown(cancel_futures=True)


class Doubler:
    """Doubles the rate of 16-bit mono PCM, chunk by chunk, without a seam."""

    def __init__(self) -> None:
        """Begin in silence. A half-band low-pass of 47 taps; delay 23 samples at the new rate."""
        taps = np.arange(-23, 24)
        self._filter = np.sinc(taps / 2) * np.blackman(taps.size + 2)[1:-1]
        self._tail = np.zeros(taps.size - 1)

    def __call__(self, pcm: bytes) -> bytes:
        """Return the next chunk at twice the rate."""
        samples = np.frombuffer(pcm[: len(pcm) // 2 * 2], "<i2")
        spaced = np.zeros(samples.size * 2)
        spaced[::2] = samples
        line = np.concatenate((self._tail, spaced))
        self._tail = line[line.size - self._tail.size :]
        smooth = np.convolve(line, self._filter, "valid")
        return bytes(np.clip(np.round(smooth), -32768, 32767).astype("<i2").tobytes())


class VoskStream:
    """One utterance, decoded in a thread as it is fed."""

    def __init__(
        self,
        engine: Any,
        name: str,
        rate_hz: int,
        doubler: Doubler | None,
        expected: Expectation,
        executor: ThreadPoolExecutor,
        timeout_s: float,
    ) -> None:
        """Begin empty."""
        self._engine = engine
        self._name = name
        self._rate_hz = rate_hz
        self._doubler = doubler
        self._expectation = expected
        self._answers = Expected(expected.phrases)
        self._executor = executor
        self._timeout_s = timeout_s
        self._lock = threading.Lock()  # one decode at a time, in the order of feeding
        self._waiting: list[bytes] = []
        self._parts: list[_Part] = []
        self._fresh = False  # speech came since the last result
        self._peak_dbov = -90.0
        self._cpu_s = 0.0
        self._over = False

    def feed(self, pcm: bytes) -> None:
        """Take the next speech; decoding happens elsewhere."""
        if self._over or not pcm:
            return
        self._waiting.append(pcm)
        self._executor.submit(self._decode)

    def ending(self) -> None:
        """Return None: it has no encoder to tell from."""

    def result(self, *, final: bool) -> Transcript:
        """Return the words so far. What comes after a speculative result is added to it."""
        if self._over:
            raise RecognitionError("the stream is over", hint="open a new one for the next utterance")
        self._over = final
        done: Future[Transcript] = self._executor.submit(self._result)
        try:
            return done.result(self._timeout_s)
        except TimeoutError as late:
            raise RecognitionError(
                f"no result within {self._timeout_s:g} s", hint="take fewer calls, or a smaller model"
            ) from late

    def abort(self) -> None:
        """Throw the stream away."""
        self._over = True
        self._waiting.clear()

    def _decode(self) -> None:
        with self._lock:
            self._take()

    def _take(self) -> None:
        """Decode what waits. Where Vosk itself sees an end, its words are kept and it goes on."""
        began = time.thread_time()
        while self._waiting:
            pcm = self._waiting.pop(0)
            if not self._fresh:
                self._fresh = not sound.is_quiet(pcm, self._rate_hz, self._peak_dbov)
            self._peak_dbov = max(self._peak_dbov, sound.peak_dbov(pcm, self._rate_hz))
            if self._engine.AcceptWaveform(self._doubler(pcm) if self._doubler else pcm):
                self._keep(self._engine.Result())
        self._cpu_s += time.thread_time() - began

    def _result(self) -> Transcript:
        with self._lock:
            self._take()
            began = time.thread_time()
            if self._fresh:
                self._keep(self._engine.FinalResult())
                self._fresh = False
            raw = normalise(" ".join(part["word"] for part in self._parts))
            confidence = _mean([part["conf"] for part in self._parts])
            words = tuple(
                Word(part["word"], part["start"], part["end"], part["conf"]) for part in self._parts
            )
            corrected = self._answers.correct(raw)
            if corrected.method == "1-best":
                corrected = choose(self._expectation, [(raw, 0.0)])
            self._cpu_s += time.thread_time() - began
            return Transcript(
                corrected.text,
                words,
                "native",
                confidence,
                self._name,
                self._cpu_s,
                raw_text=raw,
                method=corrected.method,
            )

    def _keep(self, result: str) -> None:
        self._parts += json.loads(result).get("result", [])


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def _option(directory: Path, name: str) -> str:
    """Return an option of the model's feature extraction, "" if it is not set."""
    try:
        lines = (directory / "conf" / "mfcc.conf").read_text("utf-8").splitlines()
    except OSError:
        return ""
    return next((line.split("=", 1)[1].strip() for line in lines if line.startswith(f"--{name}=")), "")
