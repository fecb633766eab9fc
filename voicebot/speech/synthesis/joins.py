"""Joins clips at clause borders: matched level, a short pause, no click."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from voicebot.domain.audio import LINE_RATE_HZ, Audio
from voicebot.speech.synthesis.chain import (
    ACTIVE_LEVEL_DBOV,
    active_level_dbov,
    fade,
    to_float,
    to_pcm,
    trim,
)

JOIN_VERSION = "2"  # part of the cache key: raise it when anything below changes
COMFORT_DBOV = -66.0  # as between prompts
_CLAUSE = re.compile(r"[^，。！？；：、]+[，。！？；：、]*")
# pause after a clause by its last mark, seconds
PAUSE_S = {"，": 0.18, "、": 0.12, "：": 0.2, "；": 0.28, "。": 0.35, "！": 0.35, "？": 0.35}


def clauses(text: str) -> list[str]:
    """Cut a text after each punctuation mark; the mark stays with its clause."""
    return _CLAUSE.findall(text)


def cover(text: str, known: Callable[[str], bool]) -> list[str] | None:
    """Return the fewest known parts that make up a text, cut at clause borders only; None if none do."""
    pieces = clauses(text)
    if "".join(pieces) != text:
        return None
    best: list[list[str] | None] = [[]] + [None] * len(pieces)
    for end in range(1, len(pieces) + 1):
        for start in range(end):
            before = best[start]
            part = "".join(pieces[start:end])
            if before is not None and known(part):
                found = best[end]
                if found is None or len(before) + 1 < len(found):
                    best[end] = [*before, part]
    return best[-1]


def join(parts: Sequence[tuple[str, Audio]]) -> Audio:
    """Return parts, each given with its text, as one prompt at the level of all prompts."""
    sounds = []
    for text, audio in parts:
        sound = trim(to_float(audio), LINE_RATE_HZ)
        gain = 10 ** ((ACTIVE_LEVEL_DBOV - active_level_dbov(sound, LINE_RATE_HZ)) / 20)
        sounds.append(fade(sound * gain, LINE_RATE_HZ))
        sounds.append(_pause(PAUSE_S.get(text[-1:], 0.1)))
    return to_pcm(np.concatenate(sounds[:-1]))


def _pause(seconds: float) -> NDArray[np.float64]:
    """Return a pause that sounds like the line between prompts, not like a dead one."""
    noise = np.random.default_rng(711).standard_normal(int(seconds * LINE_RATE_HZ))
    return fade(noise * 10 ** (COMFORT_DBOV / 20), LINE_RATE_HZ)
