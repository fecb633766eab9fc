"""How hanzi sound: toneless syllables, and how far apart two texts sound."""

from __future__ import annotations

import re
from functools import lru_cache

from pypinyin import Style, lazy_pinyin

_NOT_SPEECH = re.compile(r"[^\w]|_")
_NEGATIONS = "不没别未非无"
# Finals and initials that telephone speech and regional accents mix up.
_FUZZY = (("zh", "z"), ("ch", "c"), ("sh", "s"), ("ng", "n"), ("l", "n"))


def bare(text: str) -> str:
    """Return a text without punctuation and spaces."""
    return _NOT_SPEECH.sub("", text)


@lru_cache(maxsize=65536)
def syllables(text: str) -> tuple[str, ...]:
    """Return the toneless syllables of a text, one a hanzi; Latin runs stay as they are.

    >>> syllables("利率，多少")
    ('li', 'lü', 'duo', 'shao')
    """
    plain = bare(text)
    return tuple(lazy_pinyin(plain, style=Style.NORMAL, v_to_u=True)) if plain else ()


@lru_cache(maxsize=8192)
def fuzzy(syllable: str) -> str:
    """Return a syllable with the sounds folded together that accents mix up (zh/z, n/l, ng/n)."""
    for sound, folded in _FUZZY[:3]:
        if syllable.startswith(sound):
            syllable = folded + syllable[len(sound) :]
    if syllable.endswith("ng"):
        syllable = syllable[:-1]
    return "n" + syllable[1:] if syllable.startswith("l") else syllable


def distance(first: str, second: str) -> float:
    """Return how different two texts sound, 0-1: edit distance over toneless syllables.

    A syllable that differs only by an accent's mix-up costs 0.25; the sum is divided by the
    longer length. Two empty texts are 0 apart.
    """
    a, b = syllables(first), syllables(second)
    if not a or not b:
        return 0.0 if a == b else 1.0
    row = [float(index) for index in range(len(b) + 1)]
    for left in a:
        previous, row[0] = row[0], row[0] + 1
        for index, right in enumerate(b, 1):
            cost = 0.0 if left == right else 0.25 if fuzzy(left) == fuzzy(right) else 1.0
            previous, row[index] = (
                row[index],
                min(row[index] + 1, row[index - 1] + 1, previous + cost),
            )
    return row[-1] / max(len(a), len(b))


def homophones(first: str, second: str) -> bool:
    """Whether two texts sound alike without tones. Never across a negation: 不 is not 布."""
    if _polarity(first) != _polarity(second):
        return False
    return syllables(first) == syllables(second)


def sounds_at(said: str, start: int, phrase: str) -> bool:
    """Whether a text without punctuation sounds like a phrase from a place on. Never across a negation."""
    heard, wanted = syllables(said), syllables(phrase)
    part = said[start : start + len(phrase)]
    if len(heard) != len(said) or len(part) != len(wanted):
        return False  # Latin words and numbers have no places of their own
    return heard[start : start + len(wanted)] == wanted and _polarity(part) == _polarity(phrase)


def _polarity(text: str) -> tuple[int, ...]:
    return tuple(index for index, char in enumerate(bare(text)) if char in _NEGATIONS)


def heard_in(phrase: str, text: str) -> bool:
    """Whether a phrase can be heard anywhere in a text, tones aside."""
    wanted, said = syllables(phrase), syllables(text)
    size = len(wanted)
    return any(said[start : start + size] == wanted for start in range(len(said) - size + 1))
