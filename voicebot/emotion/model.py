"""The second emotion's model: hears whether a voice is raised, and reads a keyword in that light."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from voicebot.domain.audio import LINE_RATE_HZ
from voicebot.domain.emotion import CALM, Distribution
from voicebot.domain.errors import ModelError
from voicebot.emotion.prosody import FEATURE_VERSION, NAMES
from voicebot.registry import models

NAME = "emotion"
CODEC = "G.711"
WEIGHTS = "weights.json"
CLIP = 4.0  # logits: beyond it a voice is as raised as it gets

F64 = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Linear:
    """A logistic regression over some columns of a prosody vector relative to the speaker's own."""

    columns: tuple[int, ...]
    mean: F64
    scale: F64
    coef: F64
    intercept: float

    def logit(self, relative: F64) -> float:
        """Return the log odds; values beyond 4 standard deviations of the training data count as 4."""
        z = np.clip((relative[list(self.columns)] - self.mean) / self.scale, -4, 4)
        return float(z @ self.coef + self.intercept)


@dataclass(frozen=True, slots=True)
class EmotionModel:
    """Weights of the second emotion. Immutable, so any thread may use it."""

    version: str
    utterance: tuple[Linear, ...]
    keyword: tuple[Linear, ...]
    second_coef: F64  # (5, inputs)
    second_intercept: F64  # (5,)
    negative_threshold: float = 0.5  # fused negative mass from which a label is negative

    def raised(self, relative: Sequence[float], *, keyword: bool = False) -> float:
        """Return the log odds that a voice is raised, clipped to +-4.

        Args:
            relative: prosody vector minus the speaker's baseline.
            keyword: whether it is the sound of one keyword and not of the utterance.
        """
        members = self.keyword if keyword else self.utterance
        vector = np.asarray(relative, np.float64)
        return float(np.clip(np.mean([member.logit(vector) for member in members]), -CLIP, CLIP))

    def second(self, first: Distribution | None, utterance: float, keyword: float | None) -> Distribution:
        """Return the second emotion of a keyword from its meaning and both logits of the voice."""
        values = self.second_coef @ inputs(first, utterance, keyword) + self.second_intercept
        odds = np.exp(values - values.max())
        return Distribution(*(float(value) for value in odds / odds.sum()))


def inputs(first: Distribution | None, utterance: float, keyword: float | None) -> F64:
    """Return what the second emotion reads: meaning, voice, and their products."""
    meaning = np.array(astuple(first or CALM))
    negative = meaning[3] + meaning[4]
    voice = np.array([utterance, utterance if keyword is None else keyword])
    ambiguous = negative * (1 - negative)
    return np.concatenate(
        [meaning, [ambiguous, negative**2], voice, np.outer(voice, meaning).ravel(), voice * ambiguous]
    )


def load(directory: Path) -> EmotionModel:
    """Load and verify a model. Raises ModelError if it is corrupt or made for other sound or features."""
    manifest = models.load(directory)
    models.require(manifest, rate_hz=LINE_RATE_HZ, codec=CODEC, feature_version=FEATURE_VERSION)
    try:
        raw = json.loads((directory / WEIGHTS).read_text("utf-8"))
        if tuple(raw["names"]) != NAMES:
            raise ValueError("other feature names")  # noqa: TRY301  joins the other ways to be foreign
        model = EmotionModel(
            version=manifest.label,
            utterance=tuple(_linear(member) for member in raw["utterance"]),
            keyword=tuple(_linear(member) for member in raw["keyword"]),
            second_coef=np.array(raw["second"]["coef"], np.float64),
            second_intercept=np.array(raw["second"]["intercept"], np.float64),
            negative_threshold=float(raw["negative_threshold"]),
        )
        if not 0 < model.negative_threshold < 1:
            raise ValueError("the threshold is no share")  # noqa: TRY301  as above
        model.second(None, model.raised([0.0] * len(NAMES)), model.raised([0.0] * len(NAMES), keyword=True))
    except (OSError, KeyError, TypeError, ValueError, IndexError) as wrong:
        raise ModelError(
            f"{directory / WEIGHTS} does not hold this model ({wrong})",
            hint="train it again: voicebot train emotion",
        ) from wrong
    return model


def _linear(raw: dict[str, list[float]]) -> Linear:
    columns = tuple(NAMES.index(str(name)) for name in raw["columns"])
    mean, scale, coef = (np.array(raw[key], np.float64) for key in ("mean", "scale", "coef"))
    return Linear(columns, mean, scale, coef, float(raw["intercept"][0]))
