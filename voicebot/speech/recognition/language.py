"""A small character model of how customers of one playbook talk, to choose among what was probably said."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from functools import lru_cache
from math import log

_ORDER = 3
_HANZI = 6000  # in use: what was never seen shares the rest of the probability
_EDGE = "\n"
_KEPT = 16_384  # trigrams


class CharacterModel:
    """Character trigrams, smoothed by Witten and Bell's interpolation (1991)."""

    def __init__(self, lines: Iterable[str]) -> None:
        """Count the lines, which are without punctuation."""
        self._seen: dict[str, Counter[str]] = defaultdict(Counter)
        for line in lines:
            padded = _EDGE * (_ORDER - 1) + line + _EDGE
            for at in range(_ORDER - 1, len(padded)):
                for size in range(_ORDER):
                    self._seen[padded[at - size : at]][padded[at]] += 1
        self._total = {context: sum(after.values()) for context, after in self._seen.items()}
        self._step = lru_cache(maxsize=_KEPT)(self._log_of)  # the variants of a text share most of theirs

    def logprob(self, text: str) -> float:
        """Return the natural logarithm of a text's probability, its end included."""
        padded = _EDGE * (_ORDER - 1) + text + _EDGE
        return sum(self._step(padded[at - _ORDER + 1 : at + 1]) for at in range(_ORDER - 1, len(padded)))

    def per_character(self, text: str) -> float:
        """Return the mean logarithm of probability: how much a text is of this playbook's talk."""
        return self.logprob(text) / (len(text) + 1)

    def _log_of(self, trigram: str) -> float:
        return log(self._probability(trigram[:-1], trigram[-1]))

    def _probability(self, context: str, char: str) -> float:
        lower = self._probability(context[1:], char) if context else 1 / _HANZI
        after = self._seen.get(context)
        if after is None:
            return lower
        kinds = len(after)
        return (after[char] + kinds * lower) / (self._total[context] + kinds)
