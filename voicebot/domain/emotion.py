"""Emotion information (情感信息): five labels, two sources, one fused answer."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import astuple, dataclass
from enum import StrEnum


class EmotionLabel(StrEnum):
    """The customer's attitude in one utterance."""

    INTERESTED = "interested"  # 感兴趣
    CALM = "calm"  # 平静
    HESITANT = "hesitant"  # 犹豫
    ANNOYED = "annoyed"  # 厌烦
    ANGRY = "angry"  # 愤怒

    @property
    def chinese(self) -> str:
        """What people read."""
        return {
            "interested": "感兴趣", "calm": "平静", "hesitant": "犹豫", "annoyed": "厌烦", "angry": "愤怒"
        }[self.value]  # fmt: skip


NEGATIVE = (EmotionLabel.ANNOYED, EmotionLabel.ANGRY)


@dataclass(frozen=True, slots=True)
class Distribution:
    """Probabilities over the five labels."""

    interested: float = 0.0
    calm: float = 0.0
    hesitant: float = 0.0
    annoyed: float = 0.0
    angry: float = 0.0

    def of(self, label: EmotionLabel) -> float:
        """Return the probability of one label."""
        return float(getattr(self, label.value))

    def top(self) -> EmotionLabel:
        """Return the most probable label; the calmer one on a tie."""
        order = (EmotionLabel.CALM, *(label for label in EmotionLabel if label != EmotionLabel.CALM))
        return max(order, key=self.of)

    def normalised(self) -> Distribution:
        """Return the same proportions with sum 1; all calm if there is no mass."""
        total = sum(astuple(self))
        if total <= 0:
            return Distribution(calm=1.0)
        return Distribution(*(value / total for value in astuple(self)))

    @classmethod
    def mix(cls, parts: Iterable[tuple[float, Distribution]]) -> Distribution:
        """Return the weighted mean of (weight, distribution) pairs, normalised."""
        sums = [0.0] * 5
        for weight, part in parts:
            for index, value in enumerate(astuple(part)):
                sums[index] += weight * value
        return cls(*sums).normalised()


CALM = Distribution(calm=1.0)


@dataclass(frozen=True, slots=True)
class KeywordEmotion:
    """What one keyword says, by the lexicon (first), by the model (second), and fused."""

    text: str
    start_s: float
    end_s: float
    first: Distribution | None  # None: the lexicon is silent
    second: Distribution | None  # from the word alone until the voice may be judged
    fused: Distribution
    weight: float  # its share when keywords are pooled over the utterance


@dataclass(frozen=True, slots=True)
class Emotion:
    """Emotion information of one utterance, with everything a person needs to see why."""

    label: EmotionLabel
    distribution: Distribution  # fused
    first: Distribution | None = None
    second: Distribution | None = None
    weights: tuple[float, float] = (0.4, 0.6)  # as used: first, second
    per_keyword: tuple[KeywordEmotion, ...] = ()
    model_version: str = ""
    lexicon_version: str = ""
    reasons: tuple[str, ...] = ()
    baseline: tuple[float, ...] = ()  # the speaker's calm voice that this was compared with; () = none


@dataclass(frozen=True, slots=True)
class SpeakerBaseline:
    """The speaker's own calm voice, learnt during the call. Advances only on commit."""

    turns: int = 0
    mean: tuple[float, ...] = ()  # running mean of calm turns' prosody vectors
    gain_db: float = 0.0  # line gain, measured once per call


@dataclass(frozen=True, slots=True)
class EmotionSample:
    """A turn whose emotion a person has judged (第二样本情感信息): what the second emotion learns from."""

    turn: str  # which turn it was: lineage
    text: str
    label: Distribution  # as judged
    vector: tuple[float, ...]  # prosody of the utterance
    baseline: tuple[float, ...]  # mean of the speaker's calm turns before it
    feature_version: str  # of both
