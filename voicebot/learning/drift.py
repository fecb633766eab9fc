"""How customers change: their words, their tone, how well they are heard and understood. Pure.

Two stretches of time are compared. The population stability index is the symmetric Kullback-Leibler
divergence of two distributions; above 0.2 it is commonly read as a real shift.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from voicebot.domain.emotion import EmotionLabel
from voicebot.domain.learning import Drift, DriftKind, DriftReport

FEWEST = 100  # utterances of either stretch; fewer tell nothing
NEW_WORDS = 0.15  # share of words never heard before
SHIFT = 0.2  # population stability index
LOST_CONFIDENCE = 0.05
MORE_UNKNOWN = 0.05  # share of utterances that nothing fitted
SURE = 1.96  # standard errors that a change must exceed as well
SHOWN = 8  # new words that are told

Cut = Callable[[str], Sequence[str]]


@dataclass(frozen=True, slots=True)
class Heard:
    """One utterance, as far as drift goes."""

    text: str
    emotion: str
    confidence: float  # of recognition, 0-1
    unknown: bool  # nothing that the bot could say fitted


def compare(
    playbook_id: str,
    span: tuple[datetime, datetime],
    now: Sequence[Heard],
    before: Sequence[Heard],
    cut: Cut,
) -> DriftReport:
    """Return how this stretch of time differs from the one before.

    Args:
        playbook_id: whose customers they are.
        span: of this stretch.
        now: its utterances, already redacted.
        before: those of the stretch before.
        cut: text -> words.
    """
    figures: tuple[Drift, ...] = ()
    if min(len(now), len(before)) >= FEWEST:
        figures = (
            _vocabulary(now, before, cut),
            _emotion(now, before),
            _mean(
                DriftKind.CONFIDENCE,
                [one.confidence for one in now],
                [one.confidence for one in before],
                -LOST_CONFIDENCE,
            ),
            _mean(
                DriftKind.OUT_OF_DOMAIN,
                [float(one.unknown) for one in now],
                [float(one.unknown) for one in before],
                MORE_UNKNOWN,
            ),
        )
    return DriftReport(playbook_id, *span, len(now), figures)


def _vocabulary(now: Sequence[Heard], before: Sequence[Heard], cut: Cut) -> Drift:
    """Compare the share of unknown words with that within the stretch before: its second half, its first."""
    half = len(before) // 2
    usual, _ = _unheard(before[half:], before[:half], cut)
    share, words = _unheard(now, before, cut)
    told = tuple(f"{word} {count}" for word, count in words.most_common(SHOWN) if count > 1)
    return Drift(DriftKind.VOCABULARY, usual, share, share - usual, share > max(NEW_WORDS, 1.5 * usual), told)


def _unheard(now: Iterable[Heard], before: Iterable[Heard], cut: Cut) -> tuple[float, Counter[str]]:
    known = {word for one in before for word in cut(one.text)}
    words = Counter(word for one in now for word in cut(one.text))
    unheard = Counter({word: count for word, count in words.items() if word not in known})
    return unheard.total() / max(1, words.total()), unheard


def _emotion(now: Sequence[Heard], before: Sequence[Heard]) -> Drift:
    labels = [label.value for label in EmotionLabel]
    shares, usual = _shares(now, labels), _shares(before, labels)
    index = sum((shares[name] - usual[name]) * math.log(shares[name] / usual[name]) for name in labels)
    told = tuple(f"{name} {usual[name]:.0%} → {shares[name]:.0%}" for name in labels)
    return Drift(DriftKind.EMOTION, 0.0, index, index, index > SHIFT, told)


def _shares(heard: Sequence[Heard], labels: Sequence[str]) -> dict[str, float]:
    counts = Counter(one.emotion for one in heard)
    # half a case each keeps the logarithm finite where a label was not heard at all
    return {name: (counts[name] + 0.5) / (len(heard) + 0.5 * len(labels)) for name in labels}


def _mean(kind: DriftKind, now: Sequence[float], before: Sequence[float], limit: float) -> Drift:
    """Alarm where the mean moved past the limit, in its direction, and beyond chance."""
    means = [sum(values) / len(values) for values in (before, now)]
    spread = math.sqrt(
        sum(
            sum((value - mean) ** 2 for value in values) / (len(values) - 1) / len(values)
            for values, mean in zip((before, now), means, strict=True)
        )
    )
    change = means[1] - means[0]
    beyond = change * math.copysign(1, limit) > max(abs(limit), SURE * spread)
    return Drift(kind, means[0], means[1], change, beyond)
