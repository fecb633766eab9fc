"""Two-fold emotion: the lexicon's word (first) and the model's (second) become one. Pure arithmetic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from voicebot.domain.emotion import CALM, Distribution, EmotionLabel, KeywordEmotion


@dataclass(frozen=True, slots=True)
class FusionRule:
    """The numbers that fusion depends on."""

    first: float = 0.4  # share of the lexicon
    second: float = 0.6  # share of the model
    negative_threshold: float = 0.5  # annoyed + angry together; below it the label is calm
    angry_share: float = 0.5  # of that negative mass, from which it is called angry
    ground: float = 0.15  # negative mass in the words, below which no voice makes an utterance negative
    calm_salience: float = 0.1  # what an entirely calm phrase still weighs when keywords are pooled

    def __post_init__(self) -> None:
        """Refuse weights that are no weights."""
        if min(self.first, self.second) < 0 or self.first + self.second <= 0:
            raise ValueError("fusion weights must not be negative, and not both zero")


def negative(distribution: Distribution) -> float:
    """Return the mass of the negative labels."""
    return distribution.annoyed + distribution.angry


def weights(
    first: Distribution | None, second: Distribution | None, rule: FusionRule, *, heard: bool = True
) -> tuple[float, float]:
    """Return the shares as used: they sum to 1, and the silent side's share goes to the other one.

    A second emotion that has not heard the voice knows no more than the words: where the lexicon speaks, its
    share goes there.
    """
    if first is None and second is None:
        return (0.0, 0.0)
    if first is None:
        return (0.0, 1.0)
    if second is None or not heard:
        return (1.0, 0.0)
    total = rule.first + rule.second
    return (rule.first / total, rule.second / total)


def fuse(
    first: Distribution | None, second: Distribution | None, rule: FusionRule, *, heard: bool = True
) -> Distribution:
    """Return the weighted mean of both sides; calm if both are silent."""
    share_first, share_second = weights(first, second, rule, heard=heard)
    return Distribution.mix([(share_first, first or CALM), (share_second, second or CALM)])


def keyword_weight(first: Distribution, intensity: float, rule: FusionRule) -> float:
    """Return what a keyword weighs in its utterance: intensity x (0.1 + its mass that is not calm)."""
    return intensity * (rule.calm_salience + 1.0 - first.calm)


def pool(keywords: Sequence[KeywordEmotion]) -> tuple[Distribution | None, Distribution | None, Distribution]:
    """Return first, second and fused emotion of an utterance: means over its keywords by their weights."""
    first = [(word.weight, word.first) for word in keywords if word.first is not None]
    second = [(word.weight, word.second) for word in keywords if word.second is not None]
    return (
        Distribution.mix(first) if first else None,
        Distribution.mix(second) if second else None,
        Distribution.mix((word.weight, word.fused) for word in keywords),
    )


def decide(
    fused: Distribution, first: Distribution | None, rule: FusionRule
) -> tuple[EmotionLabel, tuple[str, ...]]:
    """Return the label and why.

    A negative label needs its threshold and ground in the words: a voice tells how excited somebody is,
    not what about.
    """
    mass = negative(fused)
    friendly = max((EmotionLabel.CALM, EmotionLabel.INTERESTED, EmotionLabel.HESITANT), key=fused.of)
    if mass < rule.negative_threshold:
        if mass > fused.of(friendly):
            return EmotionLabel.CALM, (
                f"negative {mass:.2f} is below the threshold {rule.negative_threshold:g}",
            )
        return friendly, (f"{friendly} {fused.of(friendly):.2f}",)
    ground = negative(first) if first is not None else 0.0
    if ground < rule.ground:
        return friendly, (f"raised voice, but the words give no ground ({ground:.2f})",)
    label = EmotionLabel.ANGRY if fused.angry >= rule.angry_share * mass else EmotionLabel.ANNOYED
    return label, (f"negative {mass:.2f} reaches the threshold {rule.negative_threshold:g}",)
