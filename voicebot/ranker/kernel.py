"""Kernel members: past choices, weighed by how alike their contexts are.

Kernel ridge regression from contexts into a space of scripts (Weston et al. 2002, "Kernel
dependency estimation"): the fitted map places a context where its reply should lie, and scripts
near that place score high. Scripts never seen in training are ranked as well as known ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import TruncatedSVD

from voicebot.ranker.views import ContextView, ScriptView, unit

Array = NDArray[np.floating[Any]]

TURN_WEIGHTS = (1.0, 0.4, 0.3)
SIGN_WEIGHT = 0.3  # of scene, keywords and emotion, where training pairs tell any
MEANING_SHARE = 0.5  # of likeness, where there is an encoder
SLOT_WEIGHT = 2.0
TOPICS = 256  # dimensions of the scripts' words
SHAPES = {"linear": (0.0, 0.2), "radial": (2.0, 0.1)}  # member -> sharpness, ridge
NEIGHBOUR_SHARPNESS = 20.0


@dataclass(frozen=True, slots=True)
class Compared:
    """Contexts that others are compared with again and again: turned once, not at every comparison."""

    words: tuple[Any, ...]  # sparse (context terms, contexts), one entry a turn
    sounds: Any  # sparse (sound terms, contexts)
    signs: Any  # sparse (signs, contexts)
    meaning: tuple[Array, ...]  # (encoder size, contexts)

    @classmethod
    def of(cls, view: ContextView) -> Compared:
        """Turn a view."""
        return cls(
            tuple(words.T.tocsr() for words in view.words),
            view.sounds.T.tocsr(),
            view.signs.T.tocsr(),
            tuple(meaning.T for meaning in view.meaning),
        )


@dataclass(frozen=True, slots=True)
class KernelMembers:
    """Fitted kernel members: linear, radial and nearest neighbours (knn)."""

    past: ContextView
    topics: Array  # (script terms, TOPICS)
    replies: Array  # (pairs, script space)
    maps: dict[str, Array]  # member -> (pairs, script space)
    _compared: Compared = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_compared", Compared.of(self.past))

    @classmethod
    def fit(
        cls, past: ContextView, replies: ScriptView, seed: int, weights: Array | None = None
    ) -> KernelMembers:
        """Fit on contexts and the replies that followed, row by row. Solves one system a member.

        Args:
            past: what was said.
            replies: what followed.
            seed: of the reduction of the scripts' words.
            weights: -1 to 1 a row, never 0: how much it counts; below 0 the reply was wrong there,
                and the context is placed away from it. None: all count in full.
        """
        topics = _topics(replies, seed)
        space = _space(replies, topics)
        trust = np.ones(len(space)) if weights is None else np.abs(weights)
        if weights is not None:
            space = (space * np.sign(weights)[:, None]).astype(np.float32)
        alike = likeness(past, Compared.of(past)).astype(np.float64)
        maps = {}
        for name, (sharpness, ridge) in SHAPES.items():
            kernel = _shape(alike, sharpness)
            kernel[np.diag_indices_from(kernel)] += ridge / trust
            maps[name] = np.linalg.solve(kernel, space.astype(np.float64)).astype(np.float32)
        return cls(past, topics, space, maps)

    def bank(self, scripts: ScriptView) -> Array:
        """Return the scripts' places in script space, to be kept while they do not change."""
        return _space(scripts, self.topics)

    def score(self, contexts: ContextView, bank: Array, *, knn: bool = True) -> dict[str, Array]:
        """Return scores per member, each of shape (contexts, scripts); knn only if wanted."""
        alike = likeness(contexts, self._compared)
        scores: dict[str, Array] = {
            name: _shape(alike, SHAPES[name][0]) @ weights @ bank.T for name, weights in self.maps.items()
        }
        if not knn:
            return scores
        near = np.exp(NEIGHBOUR_SHARPNESS * (alike - alike.max(axis=1, keepdims=True)))
        scores["knn"] = (near / near.sum(axis=1, keepdims=True)) @ self.replies @ bank.T
        return scores


def likeness(first: ContextView, second: Compared) -> Array:
    """Return how alike contexts are, shape (first, second): weighted cosines of their turns and signs.

    The newest turn is compared by its hanzi and by its sounds, both alike.
    """
    share = MEANING_SHARE if first.meaning[0].shape[1] else 0.0
    total = np.zeros((first.words[0].shape[0], second.words[0].shape[1]), np.float32)
    for turn, weight in enumerate(TURN_WEIGHTS):
        words = (first.words[turn] @ second.words[turn]).toarray()
        if not turn:
            words = (words + (first.sounds @ second.sounds).toarray()) / 2
        total += weight * (1 - share) * words
        if share:
            total += weight * share * (first.meaning[turn] @ second.meaning[turn])
    whole = sum(TURN_WEIGHTS)
    if second.signs.shape[0]:
        total += SIGN_WEIGHT * (first.signs @ second.signs).toarray()
        whole += SIGN_WEIGHT
    return np.asarray(total / np.float32(whole))


def _shape(alike: Array, sharpness: float) -> Array:
    shaped: Array = np.exp(sharpness * (alike - 1)) if sharpness else alike.copy()
    return shaped


def _topics(replies: ScriptView, seed: int) -> Array:
    size = min(TOPICS, min(replies.words.shape) - 1)
    if size < 1:
        return np.eye(replies.words.shape[1], dtype=np.float32)
    found: Array = TruncatedSVD(size, random_state=seed).fit(replies.words).components_.T
    return found.astype(np.float32)


def _space(scripts: ScriptView, topics: Array) -> Array:
    parts: Sequence[Array] = (
        unit(scripts.words @ topics),
        np.float32(np.sqrt(SLOT_WEIGHT)) * scripts.slots.toarray(),
        scripts.meaning,
    )
    return np.hstack(parts).astype(np.float32)
