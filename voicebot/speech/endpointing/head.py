"""The endpoint head: cues at a short pause in, the chance that the customer has finished out."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from voicebot.domain.audio import LINE_RATE_HZ
from voicebot.domain.errors import ModelError
from voicebot.registry import models
from voicebot.speech.endpointing import cues

F32 = NDArray[np.float32]

NAME = "endpoint"
WEIGHTS = "weights.json"
CODEC = "G.711"
GROUPS = ("embedding", "sound", "words")


@dataclass(frozen=True, slots=True)
class Linear:
    """A logistic regression over raw inputs."""

    coef: tuple[float, ...]
    intercept: float

    def logit(self, inputs: Sequence[float] | NDArray[np.floating]) -> float:
        """Return the log odds."""
        return float(np.dot(np.asarray(inputs, np.float64), np.asarray(self.coef))) + self.intercept


@dataclass(frozen=True, slots=True)
class EndpointHead:
    """Scores an end of speech from whatever is known by then."""

    version: str
    embedding: Linear  # over the mean of the encoder's last 200 ms
    ngrams: Mapping[str, float]  # log odds that a sentence ends so
    joins: Mapping[str, Linear]  # known groups, joined by +, to the last step over their cues

    def score(
        self,
        *,
        embedding: Sequence[float] | F32 | None = None,
        sound: Sequence[float] | None = None,
        text: str | None = None,
    ) -> float | None:
        """Return the chance (0-1) that the customer has finished; None if no such set of cues was fitted."""
        known = {
            "embedding": None if embedding is None else (self.embedding.logit(embedding),),
            "sound": sound,
            "words": None if text is None else cues.words(text, self.ngrams),
        }
        join = self.joins.get("+".join(group for group in GROUPS if known[group] is not None))
        if join is None:
            return None
        inputs = [value for group in GROUPS for value in known[group] or ()]
        return 1 / (1 + exp(-max(-30.0, min(30.0, join.logit(inputs)))))


def load(roots: Sequence[Path], version: str = "") -> EndpointHead:
    """Load the newest head, or the named version. Raises ModelError."""
    directory = models.find(roots, NAME, version)
    manifest = models.load(directory)
    models.require(manifest, rate_hz=LINE_RATE_HZ, codec=CODEC, feature_version=cues.VERSION)
    try:
        raw = json.loads((directory / WEIGHTS).read_text("utf-8"))
        return EndpointHead(
            manifest.label,
            _linear(raw["embedding"]),
            {str(key): float(value) for key, value in raw["ngrams"].items()},
            {str(key): _linear(value) for key, value in raw["joins"].items()},
        )
    except (KeyError, TypeError, ValueError, AttributeError) as wrong:
        raise ModelError(
            f"{directory / WEIGHTS} can not be read ({wrong})", hint="train it again: voicebot train endpoint"
        ) from wrong


def _linear(raw: Mapping[str, object]) -> Linear:
    coef, intercept = raw["coef"], raw["intercept"]
    if not isinstance(coef, list) or not isinstance(intercept, int | float):
        raise TypeError("a linear model needs coef and intercept")
    return Linear(tuple(float(value) for value in coef), float(intercept))
