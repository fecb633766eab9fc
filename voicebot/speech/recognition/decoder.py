"""One Whisper decoder: a window of speech in, the most probable texts out. Not thread-safe."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Any

import numpy as np

from voicebot.domain.errors import ModelError
from voicebot.speech.recognition import sound, vocabulary
from voicebot.speech.recognition.scoring import F32, TextScorer
from voicebot.text.normalise import comparable

BEAM = 5  # as many texts, with and without the prompt: domain knowledge chooses among them
REPETITION_PENALTY = 1.1
NO_REPEAT_NGRAM = 4
TOKENS_PER_S = 10
_FEWEST_TOKENS = 12
_SHORT = 4  # hanzi
PROMPT = "不需要，谢谢。可以。是的，你说。好的。"  # answers, in simplified hanzi with punctuation
_SURE_OF_ENGLISH = 0.5  # Mandarin has 0.02 at most, even on the telephone
_SENTENCE_S = 2.0  # of voice
_SENTENCE_WINDOW_S, _ANSWER_WINDOW_S = 5.0, 9.0  # at least: a mere answer needs more silence about it
_OVERHEARD_WINDOW_S = 8.0  # of less than a sentence: the first second and a half of an announcement
_OVERHEARD_BEAM = 2
_ROOM_S = 2.5  # of silence after the speech; with less, long sentences are heard worse
_ENCODER_STEP = 320  # samples a frame of the encoder's output: 20 ms
_ENDING_FRAMES = 10


Texts = tuple[tuple[str, float], ...]  # (text, log probability), best first
Settled = Callable[[Texts, float], bool]  # texts, and the mean log probability of the best one's tokens


@dataclass(frozen=True, slots=True)
class Decoded:
    """What one window says."""

    hypotheses: Texts
    mean_logprob: float  # of the best, per token
    voiced_s: float
    compute_s: float  # CPU seconds of the decoder's own thread
    free: Texts = ()  # the same, when nothing is suggested to the model; () = not asked: the others are sure
    memory: F32 | None = None  # of a short text: to score others for the same sound


@dataclass(frozen=True, slots=True)
class Encoded:
    """One window as the encoder sees it: the first part of the work, which tells how the speech ends."""

    view: Any  # CTranslate2's; any decoder of the same weights can read it
    ending: sound.F32  # mean of the last 200 ms: 512 numbers
    compute_s: float  # CPU seconds


class Decoder:
    """A Whisper model with one thread of its own."""

    def __init__(
        self,
        directory: Path,
        window_s: float,
        scorer: TextScorer | None = None,
        *,
        pruned: Path | None = None,
    ) -> None:
        """Load a model in CTranslate2 form.

        Args:
            directory: of the model.
            window_s: the longest speech at once.
            scorer: of the same model.
            pruned: the model with the kept tokens only (`vocabulary.pruned`), if it is there already; it is
                read here, and not needed later.

        Raises:
            ModelError: the directory holds no such model.
        """
        from faster_whisper import WhisperModel  # a second of import: only where it decodes
        from faster_whisper.tokenizer import Tokenizer

        before = _threads()
        try:
            with contextlib.nullcontext(pruned) if pruned else vocabulary.pruned(directory) as folder:
                self._model = WhisperModel(
                    str(folder),
                    device="cpu",
                    compute_type="int8",
                    cpu_threads=1,
                    num_workers=1,
                    local_files_only=True,
                )
        except (RuntimeError, ValueError, OSError) as broken:
            raise ModelError(
                f"{directory} holds no usable Whisper model ({broken})",
                hint=f"delete {directory} and start again: it is written anew",
            ) from broken
        self._own = _threads() - before
        self._vocabulary = vocabulary.read(directory)
        self._scorer = scorer
        multilingual = self._vocabulary.multilingual

        def speaking(language: str) -> Tokenizer:
            return Tokenizer(self._model.hf_tokenizer, multilingual, task="transcribe", language=language)

        self._tokenizer, english = speaking("zh"), speaking("en")
        self._prompt = self._begin(self._tokenizer, PROMPT)
        self._no_prompt = self._begin(self._tokenizer)
        self._english = self._begin(english)
        self._window_s = window_s

    def _begin(self, tokenizer: Any, before: str = "") -> list[int]:
        """Return the tokens before every text in a language, as if `before` had been said already."""
        own = self._model.get_prompt(tokenizer, tokenizer.encode(before), without_timestamps=True)
        numbers = self._vocabulary.numbers(own)
        if numbers is None:
            raise ModelError("the model knows no Mandarin", hint="use a multilingual Whisper model")
        return numbers

    def encode(self, samples: sound.F32, least_s: float = 0.0) -> Encoded:
        """Return the encoder's view of at most one window of 16 kHz speech.

        Args:
            samples: of the speech.
            least_s: the window holds at least so much; 0 = what serves customers best.
        """
        began = time.thread_time(), self._cpu_s()
        least_s = least_s or (_SENTENCE_WINDOW_S if _is_sentence(samples) else _ANSWER_WINDOW_S)
        room_s = max(least_s, samples.size / sound.ENGINE_RATE_HZ + _ROOM_S)
        room = round(min(room_s, self._window_s) * self._model.frames_per_second)
        features = self._model.feature_extractor(samples)[:, :room]
        # silence, as in its training: padded with zeros, which are sound, it stops after the first words
        features = np.pad(features, ((0, 0), (0, room - features.shape[1])), constant_values=features.min())
        view = self._model.encode(features)
        end = max(1, min(samples.size // _ENCODER_STEP, room // 2))
        ending = np.array(view)[0, max(0, end - _ENDING_FRAMES) : end].mean(axis=0)
        return Encoded(view, ending, time.thread_time() - began[0] + self._cpu_s() - began[1])

    def decode(
        self, samples: sound.F32, encoded: Encoded | None = None, settled: Settled | None = None
    ) -> Decoded:
        """Return the texts of at most one window of 16 kHz speech.

        Args:
            samples: of the window.
            encoded: the same, where it is encoded already.
            settled: whether texts that were heard with the prompt need no second search without it.
        """
        encoded = encoded or self.encode(samples)
        began = time.thread_time(), self._cpu_s()
        most_tokens = max(_FEWEST_TOKENS, int(samples.size / sound.ENGINE_RATE_HZ * TOKENS_PER_S))
        hypotheses, mean_logprob = self._generate(encoded.view, self._prompt, most_tokens)
        free: Texts = ()
        if settled is None or not settled(hypotheses, mean_logprob):
            free, _ = self._generate(encoded.view, self._no_prompt, most_tokens)
        memory: F32 | None = None
        if self._scorer is not None and hypotheses and is_short(hypotheses[0][0]):
            memory = np.array(encoded.view)[0].astype(np.float32)
        span = sound.voiced_span(samples)
        return Decoded(
            hypotheses,
            mean_logprob,
            span[1] - span[0] if span else 0.0,
            encoded.compute_s + time.thread_time() - began[0] + self._cpu_s() - began[1],
            free,
            memory,
        )

    def score(self, decoded: Decoded, texts: Sequence[str], floor: float) -> list[float]:
        """Return each text's log probability for a short utterance's sound, -inf below the floor.

        Nothing is suggested to the model. Without a scorer, or for a long utterance, all are -inf.
        """
        if self._scorer is None or decoded.memory is None:
            return [-inf] * len(texts)
        spelt = [self._vocabulary.numbers(self._tokenizer.encode(text)) for text in texts]
        ends = self._vocabulary.numbers((self._tokenizer.eot, *self._tokenizer.encode("。"))) or []
        memory = self._scorer.listen(decoded.memory)
        known = [tokens for tokens in spelt if tokens is not None]
        scores = iter(self._scorer.score(memory, self._no_prompt, known, ends, floor))
        return [-inf if tokens is None else next(scores) for tokens in spelt]

    def overhear(self, samples: sound.F32) -> str:
        """Return what a network or a mailbox may be saying, in Mandarin or English; nothing is suggested."""
        encoded = self.encode(samples, _SENTENCE_WINDOW_S if _is_sentence(samples) else _OVERHEARD_WINDOW_S)
        most_tokens = max(_FEWEST_TOKENS, int(samples.size / sound.ENGINE_RATE_HZ * TOKENS_PER_S))
        prompt = self._english if self._is_english(encoded) else self._no_prompt
        hypotheses, _ = self._generate(encoded.view, prompt, most_tokens, _OVERHEARD_BEAM)
        return hypotheses[0][0] if hypotheses else ""

    def _is_english(self, encoded: Encoded) -> bool:
        """Whether the model is sure of English; without a scorer everything is taken for Mandarin."""
        if self._scorer is None or not self._vocabulary.multilingual:
            return False
        start, language = self._english[:2]
        heard = self._scorer.glance(np.array(encoded.view)[0].astype(np.float32), start)
        return float(np.exp(heard[language])) >= _SURE_OF_ENGLISH

    def _generate(
        self, encoded: Any, prompt: list[int], most_tokens: int, beam: int = BEAM
    ) -> tuple[Texts, float]:
        """Return (text, log probability) pairs, best first, and the best one's mean per token."""
        found = self._model.model.generate(
            encoded,
            [prompt],
            beam_size=beam,
            num_hypotheses=beam,
            repetition_penalty=REPETITION_PENALTY,
            no_repeat_ngram_size=NO_REPEAT_NGRAM,
            max_length=len(prompt) + most_tokens,
            return_scores=True,
        )[0]
        hypotheses = []
        for tokens, score in zip(found.sequences_ids, found.scores, strict=True):
            own = self._vocabulary.own(tokens)
            text = self._tokenizer.decode([token for token in own if token < self._tokenizer.eot])
            hypotheses.append((text.strip(), score * (len(tokens) + 1)))
        return tuple(hypotheses), found.scores[0] if found.scores else -9.0

    def _cpu_s(self) -> float:
        """CPU seconds of the threads that the engine started for this decoder."""
        return sum(_thread_cpu_s(thread) for thread in self._own)


def is_short(text: str) -> bool:
    """Whether a text may be a mere answer, that the prompt may have put into the customer's mouth."""
    return 0 < len(comparable(text)) <= _SHORT


def _is_sentence(samples: sound.F32) -> bool:
    """Whether it is as long as a sentence."""
    span = sound.voiced_span(samples)
    return span is not None and span[1] - span[0] >= _SENTENCE_S


def _threads() -> frozenset[str]:
    try:
        return frozenset(os.listdir("/proc/self/task"))  # noqa: PTH208 names are all that is needed
    except OSError:  # not Linux: only the calling thread's time is known
        return frozenset()


def _thread_cpu_s(thread: str) -> float:
    try:
        return int(Path(f"/proc/self/task/{thread}/schedstat").read_text().split()[0]) / 1e9
    except (OSError, ValueError, IndexError):
        return 0.0
