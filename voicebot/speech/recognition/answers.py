"""Short answers: what the dialogue expects here, recognised by text or by sound.

A whisper of this size hears 不要 as 步要 and 可以 as 可以 or 可疑. Where the whole utterance sounds exactly
like an expected phrase, the phrase is taken. Never by a part of the utterance, and never against a negation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import exp

from voicebot.domain.speech import Alternative
from voicebot.text.normalise import comparable
from voicebot.text.pinyin import distance, homophones, syllables

NEGATIONS = "不没别未非无"
_NEGATION_SOUNDS = frozenset(syllables(char) for char in "不没别")
_LONGEST = 8  # hanzi; longer utterances are sentences, not answers
_ALIKE = 0.5  # of the syllables may differ between two decodes of the same words
_DOUBT = 0.4  # left of the confidence where they differ more: the dialogue asks back
FLOOR = -5.0  # log probability from which a phrase may have been said
MARGIN = 1.0  # by which the phrases of one meaning must lead those of every other


@dataclass(frozen=True, slots=True)
class Correction:
    """A text after domain knowledge, and how it came about."""

    text: str
    method: str  # as in Transcript.method
    belief: float = 1.0  # 0-1: what is left of the engine's confidence
    others: tuple[Alternative, ...] = ()  # that may have been said instead


class Expected:
    """The phrases expected in one place of the dialogue."""

    def __init__(self, phrases: Iterable[str]) -> None:
        """Index the phrases by text and by toneless syllables."""
        self._texts: set[str] = set()
        self._sounds: dict[tuple[str, ...], set[str]] = {}
        for phrase in phrases:
            text = comparable(phrase)
            if text and len(text) <= _LONGEST:
                self._texts.add(text)
                self._sounds.setdefault(syllables(text), set()).add(text)

    def correct(self, heard: str) -> Correction:
        """Return the expected phrase that the whole text is or sounds like, else the text itself."""
        text = comparable(heard)
        if not text or len(text) > _LONGEST:
            return Correction(heard, "1-best")
        if text in self._texts:
            return Correction(heard, "list")
        alike = [phrase for phrase in self._sounds.get(syllables(text), ()) if may_replace(text, phrase)]
        # two phrases that sound the same (买, 卖) are told apart by nothing here
        return Correction(alike[0], "homophone") if len(alike) == 1 else Correction(heard, "1-best")


def short_answers(answers: Sequence[Sequence[str]]) -> tuple[tuple[str, ...], ...]:
    """Return the phrases that are short enough to be answers, plain, grouped as they were."""
    plain = (tuple(dict.fromkeys(map(comparable, group))) for group in answers)
    return tuple(tuple(text for text in group if 0 < len(text) <= _LONGEST) for group in plain)


def second_stage(
    answers: Sequence[Sequence[str]], score: Callable[[Sequence[str], float], Sequence[float]], heard: str
) -> Correction | None:
    """Return the expected phrase that the sound itself says, with its share of belief; None: ask back.

    Args:
        answers: phrases, grouped by what they mean.
        score: log probability of each phrase for this sound; -inf below the floor it is given.
        heard: what was read freely; where it has a 不 or 没, so must the phrase, and the other way round.
    """
    phrases = [phrase for group in answers for phrase in group]
    meanings = [number for number, group in enumerate(answers) for _ in group]
    if not phrases:
        return None
    scores = score(phrases, FLOOR - MARGIN)
    by_meaning: dict[int, list[tuple[float, str]]] = {}
    for meaning, phrase, value in zip(meanings, phrases, scores, strict=True):
        by_meaning.setdefault(meaning, []).append((value, phrase))
    ranked = sorted((max(group) for group in by_meaning.values()), reverse=True)
    best, phrase = ranked[0]
    if best <= FLOOR or (len(ranked) > 1 and best - ranked[1][0] < MARGIN):
        return None
    if _denies(heard) != _denies(phrase):
        return None
    total = sum(exp(value) for value in scores)
    mine = max(
        sum(exp(value) for value, _ in group) for group in by_meaning.values() if (best, phrase) in group
    )
    return Correction(phrase, "trie", mine / total)


def _denies(text: str) -> bool:
    """Whether a text holds a negation, or the sound of one: 步要 is 不要."""
    return any(syllables(char) in _NEGATION_SOUNDS for char in comparable(text))


def may_replace(heard: str, phrase: str) -> bool:
    """Whether a phrase keeps the polarity of what was heard: the negations stay, at the same places.

    A negation may appear where its very sound was written with another character (步要 → 不要), never vanish.
    """
    if len(heard) != len(phrase):
        return False
    for said, meant in zip(heard, phrase, strict=True):
        if said in NEGATIONS and said != meant:
            return False
        if meant in NEGATIONS and said != meant and syllables(said) != syllables(meant):
            return False
    return True


def merge(hypotheses: Sequence[tuple[str, float]]) -> dict[str, float]:
    """Return the posterior of each distinct text from (text, log probability) pairs, best first."""
    best = max((score for _, score in hypotheses), default=0.0)
    mass: dict[str, float] = {}
    for text, score in hypotheses:
        key = comparable(text)
        mass[key] = mass.get(key, 0.0) + exp(score - best)
    total = sum(mass.values()) or 1.0
    return dict(sorted(((text, part / total) for text, part in mass.items()), key=lambda item: -item[1]))


def sounding(posterior: Mapping[str, float], text: str) -> float:
    """Return the share of all texts that sound like one: which hanzi they are is not heard."""
    return sum(share for other, share in posterior.items() if homophones(other, text))


def agree(prompted: str, unprompted: str) -> tuple[str, float]:
    """Return the text to believe of two decodes of a short utterance, and how much to believe it (0-1).

    A prompt of usual answers helps to hear them, and makes them up: 贵 becomes 可以. Words that sound much
    the same without it were said. A longer text that begins the same was cut short by the prompt.
    """
    heard, free = comparable(prompted), comparable(unprompted)
    if len(free) > len(heard) and free.startswith(heard):
        return unprompted, 1.0
    apart = distance(heard, free)
    return prompted, 1.0 if apart <= _ALIKE else _DOUBT
