"""A head over the frozen encoder: multinomial regression from what was said to the scripts that answer it.

It reads the utterance's n-grams, of hanzi and of sounds, and its sentence vector. Unlike the kernel members
it costs no more with more pairs, at run-time and on disk; it knows the scripts of its training alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse
from sklearn.linear_model import LogisticRegression

from voicebot.ranker.kernel import Array
from voicebot.ranker.views import ContextView

MOST_SCRIPTS = 400  # beyond that replies are templates by the hundred, not the scripts of a playbook
LEAST_A_SCRIPT = 5.0  # pairs in the mean
STRENGTH = 10.0  # inverse of the penalty on weights


@dataclass(frozen=True, slots=True)
class Head:
    """A fitted head."""

    scripts: tuple[str, ...]  # texts, as training had them
    words: Array  # (context terms, scripts)
    sounds: Array  # (sound terms, scripts)
    meaning: Array  # (encoder size, scripts)
    bias: Array  # (scripts,)

    @classmethod
    def fit(cls, past: ContextView, replies: Sequence[str], trust: Array) -> Head | None:
        """Fit on contexts and the texts that followed; None if these are not a playbook's scripts.

        Args:
            past: what was said.
            replies: the scripts that followed, row by row.
            trust: how much each pair counts; below 0 it was wrong, which teaches the head nothing.
        """
        right = [row for row, weight in enumerate(trust) if weight > 0]
        known = Counter(replies[row] for row in right)
        if not 2 <= len(known) <= MOST_SCRIPTS or len(right) < LEAST_A_SCRIPT * len(known):
            return None
        scripts = tuple(sorted(known))
        place = {text: number for number, text in enumerate(scripts)}
        target = np.array([place[replies[row]] for row in right])
        said = past.rows(right)
        seen = sparse.hstack([said.words[0], said.sounds, sparse.csr_matrix(said.meaning[0])]).tocsr()
        if not seen.nnz:
            return None  # the words leave it open
        found = LogisticRegression(C=STRENGTH, max_iter=200).fit(seen, target, trust[right])
        weights, bias = found.coef_.T.astype(np.float32), found.intercept_.astype(np.float32)
        if len(scripts) == 2:  # scikit-learn keeps one column for two classes
            weights = np.hstack([-weights / 2, weights / 2])
            bias = np.concatenate([-bias / 2, bias / 2])
        ends = np.cumsum([past.words[0].shape[1], past.sounds.shape[1]])
        words, sounds, meaning = np.split(weights, ends)
        return cls(scripts, words, sounds, meaning, bias)

    def place(self, texts: Sequence[str]) -> Array:
        """Return where each of these scripts stands in the head, -1 where it was not trained on."""
        known = {text: number for number, text in enumerate(self.scripts)}
        return np.array([known.get(text, -1) for text in texts], np.int64)

    def score(self, contexts: ContextView, place: Array) -> Array:
        """Return log odds, shape (contexts, scripts); what it does not know gets the mean of the others."""
        told = contexts.words[0] @ self.words + contexts.sounds @ self.sounds
        odds = np.asarray(told + contexts.meaning[0] @ self.meaning + self.bias)
        mean = odds.mean(axis=1, keepdims=True)
        return np.where(place >= 0, odds[:, place], mean)
