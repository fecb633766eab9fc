"""Whisper on the processor: CTranslate2 int8, a 12 s window, guarded against its inventions.

The window, beam, penalties and length cap were measured on telephone speech: 30 s windows cost four times as
much for nothing, windows as short as the clip loop, and a prompt of sentences turns 不 into 普.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Future
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass, replace
from math import exp
from pathlib import Path
from typing import Any, TypeVar

import structlog

from voicebot.domain.errors import ModelError, RecognitionError, WithdrawnError
from voicebot.domain.speech import NOTHING_EXPECTED, Alternative, Expectation, Transcript
from voicebot.speech.recognition import sound, vocabulary
from voicebot.speech.recognition.answers import (
    Correction,
    Expected,
    agree,
    merge,
    second_stage,
    short_answers,
    sounding,
)
from voicebot.speech.recognition.decoder import Decoded, Decoder, Encoded, Texts, is_short
from voicebot.speech.recognition.guards import invented
from voicebot.speech.recognition.pool import DecoderPool, Urgency
from voicebot.speech.recognition.scoring import TextScorer
from voicebot.speech.recognition.topic import choose, likeliest, on_topic
from voicebot.text.normalise import comparable, normalise

WINDOW_S = 12.0
CLEAR = -0.3  # mean log probability of tokens, above which a second search bettered no sentence
_SHORTEST_S = 0.06  # of voice; less is a click

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Read:
    """What was read up to one point of the stream."""

    size: int  # bytes of PCM
    peak_dbov: float
    transcript: Transcript


class WhisperRecognizer:
    """Recognises Mandarin with whisper-base (or any Whisper in CTranslate2 form)."""

    name = "whisper"

    def __init__(
        self, directory: Path, workers: int = 2, *, longest_s: float = 180.0, timeout_s: float = 30.0
    ) -> None:
        """Load one decoder for each worker (about 110 MB each).

        Args:
            directory: model.bin, config.json, tokenizer.json, vocabulary.json.
            workers: utterances decoded at the same time, one thread each.
            longest_s: of one utterance; what lies before is forgotten.
            timeout_s: wait for a result at most, queue included.

        Raises:
            ModelError: the directory holds no Whisper model.
        """
        if workers < 1:
            raise ModelError(
                f"{workers} workers can not decode", hint="set VOICEBOT_ASR_THREADS to 1 or more"
            )
        self.name = f"whisper ({directory.name})"
        scorer = _scorer(directory)
        with vocabulary.pruned(directory) as pruned:
            decoders = [Decoder(directory, WINDOW_S, scorer, pruned=pruned) for _ in range(workers)]
        self._pool = DecoderPool(decoders, "whisper")
        self._longest_s = longest_s
        self._timeout_s = timeout_s

    def open(self, rate_hz: int, expected: Expectation = NOTHING_EXPECTED) -> WhisperStream:
        """Begin one utterance, told what is expected here."""
        return WhisperStream(self._pool, self.name, rate_hz, expected, self._longest_s, self._timeout_s)

    @property
    def load(self) -> float:
        """Customers' requests that are computed or wait, for each decoder."""
        return self._pool.load

    def close(self) -> None:
        """End the worker threads."""
        self._pool.close()


class WhisperStream:
    """One utterance: speech is kept until a result is asked for."""

    def __init__(
        self,
        pool: DecoderPool[Decoder],
        engine: str,
        rate_hz: int,
        expected: Expectation,
        longest_s: float,
        timeout_s: float,
    ) -> None:
        """Begin empty."""
        self._pool = pool
        self._engine = engine
        self._rate_hz = rate_hz
        self._expectation = expected
        self._answers = Expected(expected.phrases)
        self._short = short_answers(expected.answers)
        self._longest = int(longest_s * rate_hz) * 2
        self._timeout_s = timeout_s
        self._pcm = bytearray()
        self._dropped = 0
        self._read: _Read | None = None
        self._windows: dict[tuple[int, int], Decoded] = {}
        self._encoded: tuple[int, Encoded] | None = None  # the last window, and the size of the stream then
        self._running: Future[Any] | None = None
        self._over = False

    def feed(self, pcm: bytes) -> None:
        """Take the next speech, 16-bit mono at the stream's rate."""
        if self._over:
            return
        self._pcm += pcm
        excess = len(self._pcm) - self._longest
        if excess > self._longest // 2:  # cut seldom: each cut moves the windows
            del self._pcm[:excess]
            self._dropped += excess
            self._windows.clear()

    def ending(self) -> Sequence[float] | None:
        """Return the encoder's view of the last 200 ms (see Decoder.encode); None where nobody speaks.

        Raises:
            RecognitionError: the stream is over, or no decoder was free in time.
        """
        pcm = bytes(self._pcm)
        if self._over:
            raise RecognitionError("the stream is over", hint="open a new one for the next utterance")
        return self._compute(lambda decoder: self._end_of(decoder, pcm), Urgency.ENDING)

    def result(self, *, final: bool) -> Transcript:
        """Return the words so far; computes only if speech came since the last result.

        Raises:
            RecognitionError: the stream is over, or no decoder was free in time.
        """
        if self._over:
            raise RecognitionError("the stream is over", hint="open a new one for the next utterance")
        self._over = final
        read = self._read
        pcm = bytes(self._pcm)
        if read is not None and self._unchanged(read, pcm):
            return read.transcript
        began = len(pcm) + self._dropped
        # Nobody waits for the words of an announcement: customers' turns go first.
        urgency = Urgency.BESIDE if self._expectation.announcement else Urgency.WORDS
        transcript = self._compute(lambda decoder: self._transcribe(decoder, pcm), urgency)
        self._read = _Read(began, sound.peak_dbov(pcm, self._rate_hz), transcript)
        return transcript

    def _compute(self, work: Callable[[Decoder], T], urgency: Urgency) -> T:
        running = self._pool.submit(work, urgency)
        self._running = running
        try:
            return running.result(self._timeout_s)
        except FutureTimeout as late:
            running.cancel()
            raise RecognitionError(
                f"no result within {self._timeout_s:g} s, {self._pool.waiting} requests wait",
                hint="take fewer calls at once, or set VOICEBOT_ASR_THREADS or VOICEBOT_ASR_TIMEOUT_S higher",
            ) from late
        except CancelledError as aborted:
            raise WithdrawnError("the request was withdrawn before its turn") from aborted

    def withdraw(self) -> None:
        """Drop a request that waits for a decoder."""
        if self._running is not None:
            self._running.cancel()

    def abort(self) -> None:
        """Throw the stream away; a decode that waits is never begun."""
        self._over = True
        self.withdraw()
        self._pcm.clear()

    def _unchanged(self, read: _Read, pcm: bytes) -> bool:
        since = pcm[max(0, read.size - self._dropped) :]
        return sound.is_quiet(since, self._rate_hz, read.peak_dbov)

    def _end_of(self, decoder: Decoder, pcm: bytes) -> Sequence[float] | None:
        samples = sound.at_engine_rate(pcm, self._rate_hz)
        if not _spoken(samples):
            return None
        start, end = sound.cuts(samples, WINDOW_S)[-1]
        encoded = decoder.encode(samples[start:end])
        self._encoded = (len(pcm) + self._dropped, encoded)
        return [float(value) for value in encoded.ending]

    def _transcribe(self, decoder: Decoder, pcm: bytes) -> Transcript:
        began = time.thread_time()
        samples = sound.at_engine_rate(pcm, self._rate_hz)
        span = sound.voiced_span(samples)
        if span is None or not _spoken(samples):
            return Transcript("", engine=self._engine, compute_s=time.thread_time() - began)
        if self._expectation.announcement:
            start, end = sound.cuts(samples, WINDOW_S)[-1]
            said = normalise(decoder.overhear(samples[start:end]))
            return Transcript(said, engine=self._engine, compute_s=time.thread_time() - began)
        parts, decoding_s = [], 0.0
        stretches = sound.cuts(samples, WINDOW_S)
        known = self._encoded
        for start, end in stretches:
            part = self._windows.get((start, end))
            if part is None:
                seen = (start, end) == stretches[-1] and known and known[0] == len(pcm) + self._dropped
                part = decoder.decode(samples[start:end], known[1] if known and seen else None, self._settled)
                decoding_s += part.compute_s
                self._windows[(start, end)] = part
            parts.append(part)
        transcript = self._understood(decoder, parts, span)
        cpu_s = decoding_s + time.thread_time() - began
        return replace(transcript, compute_s=cpu_s)

    def _settled(self, texts: Texts, mean_logprob: float) -> bool:
        """Whether a sentence needs no second search, without the prompt: it was clear, or is of this talk."""
        if not texts or not comparable(texts[0][0]) or is_short(texts[0][0]):
            return False
        return mean_logprob > CLEAR or on_topic(self._expectation, texts)

    def _understood(
        self, decoder: Decoder, parts: Sequence[Decoded], span: tuple[float, float]
    ) -> Transcript:
        """Join the windows' texts, apply domain knowledge, and guard against inventions."""
        raw, texts, methods, certainty = "", list[str](), list[str](), 1.0
        others: tuple[Alternative, ...] = ()
        for part in parts:
            heard = _best(part)
            if not heard or invented(heard, part.voiced_s, part.mean_logprob):
                continue
            believed = self._believed(decoder, part, heard)
            if invented(believed.text, part.voiced_s, part.mean_logprob):
                believed = Correction(heard, "1-best")
            certainty *= believed.belief
            if believed.method != "trie":  # which was measured against the sound itself
                merged = merge(part.hypotheses if is_short(heard) else (*part.hypotheses, *part.free))
                posterior = sounding(merged, believed.text) or merged[comparable(heard)]
                certainty *= posterior * exp(min(0.0, part.mean_logprob) / 4)
            raw += heard
            texts.append(believed.text)
            methods.append(believed.method)
            others = believed.others if len(texts) == 1 else ()  # of a whole utterance, not of a part
        text = normalise("".join(texts))
        if not comparable(text):
            return Transcript("", raw_text=raw, engine=self._engine, method="guard")
        words, timing = sound.spread(list(comparable(text)), span, certainty)
        method = next((method for method in methods if method != "1-best"), "1-best")
        return Transcript(
            text,
            words,
            timing,
            certainty,
            self._engine,
            raw_text=raw.strip(),
            method=method,
            alternatives=others,
        )

    def _believed(self, decoder: Decoder, part: Decoded, heard: str) -> Correction:
        """Return the text to believe of one window: an expected answer, or the likeliest in this talk."""
        short = is_short(heard)
        text, belief = agree(heard, part.free[0][0]) if short and part.free else (heard, 1.0)
        believed = self._answers.correct(text)
        if short and (believed.method == "1-best" or belief < 1.0):
            sure = second_stage(self._short, lambda texts, floor: decoder.score(part, texts, floor), text)
            if sure is not None:
                return sure
        if believed.method == "1-best" and text == heard:
            believed = choose(self._expectation, part.hypotheses, () if short else part.free)
        return replace(believed, belief=belief)


def _spoken(samples: sound.F32) -> bool:
    span = sound.voiced_span(samples)
    return span is not None and span[1] - span[0] >= _SHORTEST_S


def _best(part: Decoded) -> str:
    """Return what one window says if nothing is known of the talk.

    The prompt of answers helps to hear short ones; what is longer is heard with and without it.
    """
    heard = part.hypotheses[0][0] if part.hypotheses else ""
    if not heard or is_short(heard):
        return heard
    return likeliest(part.hypotheses, part.free)


def _scorer(directory: Path) -> TextScorer | None:
    """Return what scores given texts, None for a model that is packed in another way."""
    try:
        return TextScorer(directory / "model.bin", vocabulary.read(directory).kept)
    except ModelError as other:
        structlog.get_logger().warning("expected answers are matched by text only", why=other.detail)
        return None
