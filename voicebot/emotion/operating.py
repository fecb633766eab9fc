"""Where a negative label begins: chosen on speakers held out of the training, never on acted speech."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voicebot.domain.emotion import Distribution
from voicebot.emotion import fusion
from voicebot.emotion.fusion import FusionRule
from voicebot.emotion.lexicon import Entry, Lexicon
from voicebot.emotion.model import EmotionModel

AMBIGUOUS = (0.4, 0.75)  # negative mass of phrases whose tone decides; beyond it the words alone tell
FALSE_ALARMS = 0.05  # of calm voices; half of what is aimed at in life, as made voices are easier
_STEP = 0.01

F64 = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """A threshold, and what it does on the speakers that it was chosen on."""

    negative_threshold: float
    calm_called_annoyed: float
    irritated_caught: float


def ambiguous(lexicon: Lexicon) -> list[Entry]:
    """Return the phrases that a calm voice makes calm and a raised one annoyed."""
    low, high = AMBIGUOUS
    return [
        entry
        for entry in lexicon.entries.values()
        if entry.kind == "phrase" and low <= fusion.negative(entry.distribution) <= high
    ]


def choose(
    model: EmotionModel,
    lexicon: Lexicon,
    raised: NDArray[np.bool_],
    utterance: Sequence[float],
    keyword: Sequence[float],
) -> OperatingPoint:
    """Return the lowest threshold that calls at most 5 % of calm voices annoyed, on ambiguous phrases.

    Args:
        model: the second emotion.
        lexicon: whose phrases are crossed with every voice.
        raised: which voices are raised.
        utterance: log odds of the utterances, of speakers held out.
        keyword: log odds of the keywords, likewise.
    """
    rule = FusionRule()
    phrases = Counter(entry.distribution for entry in ambiguous(lexicon))
    share = np.array([*phrases.values()], np.float64) / phrases.total()
    mass = np.array(
        [
            [_negative(model, phrase, pair, rule) for phrase in phrases]
            for pair in zip(utterance, keyword, strict=True)
        ]
    )

    def fires(threshold: float, rows: NDArray[np.bool_]) -> float:
        return float(((mass[rows] >= threshold) @ share).mean())

    threshold = rule.negative_threshold
    while fires(threshold, ~raised) > FALSE_ALARMS:
        threshold = round(threshold + _STEP, 2)
    return OperatingPoint(threshold, fires(threshold, ~raised), fires(threshold, raised))


def _negative(
    model: EmotionModel, phrase: Distribution, voice: tuple[float, float], rule: FusionRule
) -> float:
    return fusion.negative(fusion.fuse(phrase, model.second(phrase, *voice), rule))
