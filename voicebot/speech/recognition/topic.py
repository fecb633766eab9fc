"""What one campaign talks about: chooses among what was probably said, and mends words that sound alike.

The ten best texts are scored again by a character model of the customers' lines, and so are their variants
in which words of the lexicon replace what sounds (almost) the same. Only where a text is of this talk at all,
and never across a negation.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from math import exp, inf
from operator import itemgetter

from voicebot.domain.speech import Alternative, Expectation
from voicebot.speech.recognition.answers import NEGATIONS, Correction
from voicebot.speech.recognition.language import CharacterModel
from voicebot.text.normalise import comparable, normalise
from voicebot.text.pinyin import distance, fuzzy, syllables

_WEIGHT = 0.3  # of the character model beside the engine
_PER_CHARACTER = 0.8  # added for each character: else the model likes whatever is shorter
_PRICE = 1.0  # of a word put in place of another, in log probability
_PRICE_APART = 4.0  # more, by its distance in sound
_FARTHEST = 0.13  # looser makes more lines worse than better
_ON_TOPIC = -6.0  # log probability of a character; other talk lies below
_TIMES = 2  # characters that follow each other so often in the customers' lines are taken for a word
_LONGEST_FOUND = 4
_LONGEST = 6  # hanzi of a word
_CHANGES = 2  # words of one text
_SHORTEST = 0.5  # of what was heard: the model of the talk likes a mere 好 in place of a long line
_OTHERS = 3  # texts that are kept beside the believed one
_LEAST_SHARE = 0.05
_DOUBT = 2.0  # divides log probabilities: a beam is surer than it should be


class Topic:
    """The customers' language in one playbook. Immutable once built; thread-safe."""

    def __init__(self, lines: Iterable[str], keywords: Iterable[str]) -> None:
        """Count the lines and collect the words."""
        plain = sorted({comparable(line) for line in lines} - {""})
        self._model = CharacterModel(plain)
        keywords = tuple(comparable(word) for word in keywords)
        often = Counter(
            line[at : at + size]
            for line in plain
            for size in range(2, _LONGEST_FOUND + 1)
            for at in range(len(line) - size + 1)
        )
        words = {*keywords, *(word for word, times in often.items() if times >= _TIMES)}
        self._words: dict[tuple[str, ...], list[str]] = {}
        for word in sorted(words):
            if 2 <= len(word) <= _LONGEST and not _negations(word):
                self._words.setdefault(_folded(word), []).append(word)

    def choose(
        self, hypotheses: Sequence[tuple[str, float]], free: Sequence[tuple[str, float]] = ()
    ) -> Correction:
        """Return the most probable text.

        Args:
            hypotheses: (text, log probability) pairs, the engine's best first.
            free: the same, heard without a prompt: the best of these is believed off topic.
        """
        found = (*hypotheses, *free)
        first = likeliest(hypotheses, free)
        heard = comparable(first)
        pool: dict[str, float] = {}
        denied: dict[str, float] = {}  # texts in which something else is denied: never chosen, but possible
        written = {}  # plain text -> the text that it was heard as, or came from
        for text, score in found:
            plain = comparable(text)
            alike = pool if _negations(plain) == _negations(heard) else denied
            if plain and len(plain) > _SHORTEST * len(heard) and score > alike.get(plain, -1e9):
                alike[plain] = score
                written[plain] = text
        if not self._about(pool):
            believed = free[0][0] if free else first
            return Correction(believed, "1-best", others=others(believed, {**pool, **denied}))
        heard_so = frozenset(written)
        for _ in range(_CHANGES):
            for text, score in list(pool.items()):
                for variant, apart in self._variants(text):
                    price = _PRICE * (1 + _PRICE_APART * apart)
                    pool[variant] = max(pool.get(variant, -1e9), score - price)
                    written.setdefault(variant, written[text])
        scores = {
            text: score + _WEIGHT * self._model.logprob(text) + _PER_CHARACTER * len(text)
            for text, score in (*pool.items(), *denied.items())
        }
        best = max(pool, key=scores.__getitem__)
        also = others(best, scores)
        if best == heard:
            return Correction(first, "1-best", others=also)
        if best in heard_so:
            return Correction(written[best], "n-best", others=also)
        return Correction(_respelt(written[best], best), "lexicon", others=also)

    def spoken_of(self, texts: Iterable[str]) -> bool:
        """Whether any of the texts is of this talk."""
        return self._about(text for text in map(comparable, texts) if text)

    def _about(self, plain: Iterable[str]) -> bool:
        return max(map(self._model.per_character, plain), default=-inf) >= _ON_TOPIC

    def _variants(self, text: str) -> Iterator[tuple[str, float]]:
        """Yield the text with one word in place of what sounds like it, and how far apart the two sound."""
        folded = _folded(text)
        if len(folded) != len(text):  # Latin letters: no syllable for each character
            return
        for size in range(2, _LONGEST + 1):
            for at in range(len(text) - size + 1):
                there = text[at : at + size]
                for word in self._words.get(folded[at : at + size], ()):
                    if word != there and not _negations(there):
                        apart = distance(there, word)
                        if apart <= _FARTHEST:
                            yield text[:at] + word + text[at + size :], apart


@lru_cache(maxsize=16)
def topic_of(lines: tuple[str, ...], keywords: tuple[str, ...]) -> Topic:
    """Return the topic of a playbook, built once."""
    return Topic(lines, keywords)


def choose(
    expected: Expectation, hypotheses: Sequence[tuple[str, float]], free: Sequence[tuple[str, float]] = ()
) -> Correction:
    """Return the text to believe among an engine's, with what is known of the talk."""
    if not expected.lines:
        scores = {comparable(text): score for text, score in sorted((*hypotheses, *free), key=itemgetter(1))}
        believed = likeliest(hypotheses, free)
        return Correction(believed, "1-best", others=others(believed, scores))
    return topic_of(expected.lines, expected.keywords).choose(hypotheses, free)


def on_topic(expected: Expectation, hypotheses: Sequence[tuple[str, float]]) -> bool:
    """Whether the talk is known, and something of what may have been said belongs to it."""
    if not expected.lines:
        return False
    return topic_of(expected.lines, expected.keywords).spoken_of(text for text, _ in hypotheses)


def others(believed: str, scores: Mapping[str, float]) -> tuple[Alternative, ...]:
    """Return what may have been said instead of a text, from log probabilities of plain texts."""
    own = comparable(believed)
    top = max(scores.values(), default=0.0)
    weights = {text: exp((score - top) / _DOUBT) for text, score in scores.items()}
    total = sum(weights.values()) or 1.0
    ranked = sorted(((weight / total, text) for text, weight in weights.items() if text != own), reverse=True)
    return tuple(
        Alternative(text, round(share, 3)) for share, text in ranked[:_OTHERS] if share >= _LEAST_SHARE
    )


def likeliest(hypotheses: Sequence[tuple[str, float]], free: Sequence[tuple[str, float]]) -> str:
    """Return the likelier of the two best texts, which is what was heard if nothing is known of the talk."""
    tops = (*hypotheses[:1], *free[:1])
    return max(tops, key=lambda pair: pair[1])[0] if tops else ""


def _respelt(written: str, plain: str) -> str:
    """Return plain characters with the punctuation of a text of as many: it tells clauses apart."""
    base = normalise(written)
    if len(comparable(base)) != len(plain):
        return plain
    characters = iter(plain)
    return "".join(next(characters) if comparable(char) else char for char in base)


def _negations(text: str) -> str:
    return "".join(char for char in text if char in NEGATIONS)


def _folded(text: str) -> tuple[str, ...]:
    return tuple(fuzzy(syllable) for syllable in syllables(text))
