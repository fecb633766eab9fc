"""How far a recognised text is from what was said."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from voicebot.text.normalise import comparable
from voicebot.text.pinyin import syllables


def edits(said: Sequence[str], heard: Sequence[str]) -> int:
    """Return the least number of insertions, deletions and substitutions between two sequences."""
    row = list(range(len(heard) + 1))
    for index, one in enumerate(said, 1):
        previous, row[0] = row[0], index
        for place, other in enumerate(heard, 1):
            previous, row[place] = (
                row[place],
                min(row[place] + 1, row[place - 1] + 1, previous + (one != other)),
            )
    return row[-1]


def character_error(pairs: Iterable[tuple[str, str]]) -> float:
    """Return the character error rate over (said, heard) pairs: edits by characters said; can exceed 1."""
    return _rate((comparable(said), comparable(heard)) for said, heard in pairs)


def syllable_error(pairs: Iterable[tuple[str, str]]) -> float:
    """Return the toneless-syllable error rate over (said, heard) pairs: homophones are no error."""
    return _rate((syllables(comparable(said)), syllables(comparable(heard))) for said, heard in pairs)


def _rate(pairs: Iterable[tuple[Sequence[str], Sequence[str]]]) -> float:
    wrong = total = 0
    for said, heard in pairs:
        wrong += edits(said, heard)
        total += len(said)
    return wrong / total if total else float(wrong > 0)
