"""Vosk: decodes while the customer speaks, with word times of its own."""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypedDict

import numpy as np

from voicebot.domain.errors import ModelError, RecognitionError
from voicebot.domain.speech import NOTHING_EXPECTED, Expectation, Transcript, Word
from voicebot.speech.recognition import sound
from voicebot.speech.recognition.queued import Queue, QueuedStream
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
        self._queue = Queue(ThreadPoolExecutor(workers, "vosk"), timeout_s)

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
            self._queue,
        )

    @property
    def load(self) -> float:
        """Return 0: it decodes while the speech comes in, so a decision costs next to nothing."""
        return 0.0

    def close(self) -> None:
        """End the worker threads."""
        self._queue.executor.shutdown(cancel_futures=True)


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


class VoskStream(QueuedStream):
    """One utterance, decoded as it is fed."""

    def __init__(
        self,
        engine: Any,
        name: str,
        rate_hz: int,
        doubler: Doubler | None,
        expected: Expectation,
        queue: Queue,
    ) -> None:
        """Begin empty."""
        super().__init__(name, rate_hz, expected, queue)
        self._engine = engine
        self._doubler = doubler
        self._parts: list[_Part] = []
        self._fresh = False  # speech came since the last result
        self._peak_dbov = -90.0

    def _take(self, pcm: bytes) -> None:
        """Where Vosk itself sees an end, its words are kept and it goes on."""
        if not self._fresh:
            self._fresh = not sound.is_quiet(pcm, self._rate_hz, self._peak_dbov)
        self._peak_dbov = max(self._peak_dbov, sound.peak_dbov(pcm, self._rate_hz))
        if self._engine.AcceptWaveform(self._doubler(pcm) if self._doubler else pcm):
            self._keep(self._engine.Result())

    def _read(self, *, final: bool) -> Transcript:
        if self._fresh:
            self._keep(self._engine.FinalResult())
            self._fresh = False
        raw = normalise(" ".join(part["word"] for part in self._parts))
        words = tuple(Word(part["word"], part["start"], part["end"], part["conf"]) for part in self._parts)
        believed = self._believed(raw)
        return Transcript(
            believed.text,
            words,
            "native",
            _mean([part["conf"] for part in self._parts]),
            self._name,
            self._spent_s(),
            raw_text=raw,
            method=believed.method,
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
