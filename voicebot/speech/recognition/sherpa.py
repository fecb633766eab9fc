"""sherpa-onnx: SenseVoice and Paraformer read an utterance at its end, a streaming zipformer as it comes."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from math import exp
from pathlib import Path
from typing import Any, Literal

import numpy as np

from voicebot.domain.speech import NOTHING_EXPECTED, Expectation, Transcript, Word
from voicebot.speech.recognition import sound
from voicebot.speech.recognition.queued import Queue, QueuedStream
from voicebot.speech.recognition.sherpa_models import Opened, open_model
from voicebot.text.normalise import comparable, normalise

UNTOLD = 0.6  # confidence of models that give none: enough for a yes that is asked to be confirmed
_WINDOW_S = 20.0  # of models that read at the end
_PADDING_S = 0.4  # of silence, that a streaming model needs to give its last words
_LAST_WORD_S = 0.3  # how long the last word is taken to be


@dataclass(frozen=True, slots=True)
class Part:
    """What an engine read: characters with their starting times, in seconds of the stream."""

    text: str
    tokens: tuple[str, ...]
    starts_s: tuple[float, ...]
    confidence: float  # 0-1


class SherpaRecognizer:
    """Recognises with a sherpa-onnx model directory."""

    name = "sherpa"

    def __init__(self, directory: Path, workers: int = 2, *, timeout_s: float = 30.0) -> None:
        """Load a model.

        Args:
            directory: model*.onnx (SenseVoice, Paraformer) or encoder*, decoder*, joiner*.onnx (streaming
                zipformer), and tokens.txt.
            workers: streams decoded at the same time, one thread each.
            timeout_s: wait for a result at most.

        Raises:
            ModelError: the extra is not installed, or the directory holds no such model.
        """
        self._opened = open_model(directory)
        self.name = f"sherpa {self._opened.kind} ({directory.name})"
        self._queue = Queue(ThreadPoolExecutor(workers, "sherpa"), timeout_s)

    def open(self, rate_hz: int, expected: Expectation = NOTHING_EXPECTED) -> SherpaStream:
        """Begin one utterance, told what is expected here."""
        reader = Streaming(self._opened, rate_hz) if self._opened.streams else AtTheEnd(self._opened, rate_hz)
        return SherpaStream(reader, self.name, rate_hz, expected, self._queue)

    @property
    def load(self) -> float:
        """Return 0: its models decode faster than people speak."""
        return 0.0

    def close(self) -> None:
        """End the worker threads."""
        self._queue.executor.shutdown(cancel_futures=True)


class AtTheEnd:
    """Reads all speech when a result is asked for."""

    eager = False

    def __init__(self, opened: Opened, rate_hz: int) -> None:
        """Begin empty."""
        self._engine = opened.engine
        self._rate_hz = rate_hz
        self._pcm = bytearray()
        self._read: dict[tuple[int, int], Part] = {}

    def take(self, pcm: bytes) -> None:
        """Keep the next speech."""
        self._pcm += pcm

    def parts(self, *, final: bool) -> list[Part]:
        """Return what each window says."""
        samples = sound.at_engine_rate(bytes(self._pcm), self._rate_hz)
        if sound.voiced_span(samples) is None:
            return []
        windows = sound.cuts(samples, _WINDOW_S)
        for window in windows:
            if window not in self._read:
                self._read[window] = self._decode(samples, *window)
        return [self._read[window] for window in windows]

    def _decode(self, samples: sound.F32, start: int, end: int) -> Part:
        stream = self._engine.create_stream()
        stream.accept_waveform(sound.ENGINE_RATE_HZ, samples[start:end])
        self._engine.decode_stream(stream)
        return _part(stream.result, start / sound.ENGINE_RATE_HZ, stream.result.ys_log_probs)


class Streaming:
    """Reads speech as it comes. At a result silence is put in, so that the last words come."""

    eager = True

    def __init__(self, opened: Opened, rate_hz: int) -> None:
        """Begin empty."""
        self._engine = opened.engine
        self._rate_hz = rate_hz
        self._stream = opened.engine.create_stream()
        self._done_s = 0.0  # of speech and silence that the engine got in this stream
        self._offset_s = 0.0  # of speech in streams before
        self._before: list[Part] = []
        self._fresh = False

    def take(self, pcm: bytes) -> None:
        """Decode the next speech."""
        samples = np.frombuffer(pcm[: len(pcm) // 2 * 2], "<i2").astype(np.float32) / 32768
        self._stream.accept_waveform(self._rate_hz, samples)
        self._done_s += samples.size / self._rate_hz
        self._fresh = self._fresh or bool(samples.size)
        self._decode()

    def parts(self, *, final: bool) -> list[Part]:
        """Return what was said in each stretch between results."""
        if self._fresh:
            self._stream.accept_waveform(self._rate_hz, np.zeros(int(_PADDING_S * self._rate_hz), np.float32))
            self._stream.input_finished()
            self._decode()
            result = self._engine.get_result_all(self._stream)
            self._before.append(_part(result, self._offset_s, result.ys_probs))
            self._offset_s += self._done_s
            self._stream, self._done_s, self._fresh = self._engine.create_stream(), 0.0, False
        return self._before

    def _decode(self) -> None:
        while self._engine.is_ready(self._stream):
            self._engine.decode_stream(self._stream)


class SherpaStream(QueuedStream):
    """One utterance."""

    def __init__(
        self, reader: AtTheEnd | Streaming, name: str, rate_hz: int, expected: Expectation, queue: Queue
    ) -> None:
        """Begin empty."""
        super().__init__(name, rate_hz, expected, queue)
        self.eager = reader.eager
        self._reader = reader
        self._since = bytearray()  # speech since the last result
        self._peak_dbov = -90.0
        self._last: Transcript | None = None

    def _take(self, pcm: bytes) -> None:
        self._since += pcm
        self._reader.take(pcm)

    def _read(self, *, final: bool) -> Transcript:
        quiet = sound.is_quiet(bytes(self._since), self._rate_hz, self._peak_dbov)
        if self._last is not None and quiet:
            return self._last
        self._peak_dbov = max(self._peak_dbov, sound.peak_dbov(bytes(self._since), self._rate_hz))
        self._since.clear()
        self._last = self._understood(
            [part for part in self._reader.parts(final=final) if comparable(part.text)]
        )
        return self._last

    def _understood(self, parts: Sequence[Part]) -> Transcript:
        raw = normalise("".join(part.text for part in parts))
        if not raw:
            return Transcript("", engine=self._name, compute_s=self._spent_s())
        believed = self._believed(raw)
        words, timing = _words(parts)
        return Transcript(
            normalise(believed.text),
            words,
            timing,
            min(part.confidence for part in parts) * believed.belief,
            self._name,
            self._spent_s(),
            raw_text=raw,
            method=believed.method,
        )


def _part(result: Any, offset_s: float, log_probs: Sequence[float]) -> Part:
    starts = [offset_s + float(start) for start in result.timestamps]
    pairs = [
        (token.strip("▁ "), start)
        for token, start in zip(result.tokens, starts, strict=False)
        if not token.startswith("<") and token.strip("▁ ")
    ]
    sure = exp(sum(log_probs) / len(log_probs)) if len(log_probs) else UNTOLD
    return Part(
        result.text, tuple(token for token, _ in pairs), tuple(start for _, start in pairs), min(1.0, sure)
    )


def _words(parts: Sequence[Part]) -> tuple[tuple[Word, ...], Literal["native", "estimated"]]:
    """Return the engine's own tokens with their times: each ends where the next begins."""
    words = []
    for part in parts:
        starts = part.starts_s
        for index, (token, start) in enumerate(zip(part.tokens, starts, strict=True)):
            after = starts[index + 1] if index + 1 < len(starts) else start + _LAST_WORD_S
            end = min(max(after, start), start + 2 * _LAST_WORD_S)
            words.append(Word(token, round(start, 3), round(end, 3), part.confidence))
    return tuple(words), "native" if words else "estimated"
