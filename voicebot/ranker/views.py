"""How the trained members see contexts and scripts: n-grams, slot names and sentence vectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voicebot.ranker.encoder import Encoder, Vectors
from voicebot.ranker.pairs import Context, Pair
from voicebot.ranker.terms import Signs, Terms, pieces, slots, sounds

TURNS = 3  # said, agent, before


@dataclass(frozen=True, slots=True)
class ContextView:
    """Contexts as features, one entry a turn, newest first."""

    meaning: tuple[Vectors, ...]  # (contexts, encoder size), centred unit rows
    words: tuple[Any, ...]  # sparse (contexts, context terms)
    bags: tuple[list[list[int]], ...]  # places of the terms, for embeddings
    signs: Any  # sparse (contexts, signs): scene, keywords, emotion
    sounds: Any  # sparse (contexts, sound terms), of the newest turn

    def rows(self, rows: Sequence[int]) -> ContextView:
        """Return some of the contexts."""
        return ContextView(
            tuple(turn[rows] for turn in self.meaning),
            tuple(turn[rows] for turn in self.words),
            tuple([turn[row] for row in rows] for turn in self.bags),
            self.signs[rows],
            self.sounds[rows],
        )


@dataclass(frozen=True, slots=True)
class ScriptView:
    """Scripts as features."""

    texts: tuple[str, ...]
    meaning: Vectors
    words: Any  # sparse (scripts, script terms)
    slots: Any  # sparse (scripts, slot terms)
    bags: list[list[int]]  # script terms, then slot terms

    def rows(self, rows: Sequence[int]) -> ScriptView:
        """Return some of the scripts."""
        return ScriptView(
            tuple(self.texts[row] for row in rows),
            self.meaning[rows],
            self.words[rows],
            self.slots[rows],
            [self.bags[row] for row in rows],
        )


@dataclass(frozen=True, slots=True)
class Lens:
    """Vocabularies and means fitted on training pairs: turns texts into views."""

    encoder: Encoder
    context_terms: Terms
    script_terms: Terms
    slot_terms: Terms
    context_mean: NDArray[np.float32]
    script_mean: NDArray[np.float32]
    signs: Signs
    sound_terms: Terms

    @classmethod
    def fit(cls, pairs: Sequence[Pair], encoder: Encoder) -> Lens:
        """Fit vocabularies and the encoder's means on training pairs."""
        turns = sorted({turn for pair in pairs for turn in pair.context.turns if turn})
        replies = [pair.reply for pair in pairs]
        return cls(
            encoder,
            Terms.fit(pieces, turns, at_least=2),
            Terms.fit(pieces, replies, at_least=2),
            Terms.fit(slots, replies),
            encoder.encode(turns).mean(axis=0),
            encoder.encode(sorted(set(replies))).mean(axis=0),
            Signs(sorted({name for pair in pairs for name in pair.context.signs})),
            Terms.fit(sounds, sorted({pair.context.said for pair in pairs}), at_least=2),
        )

    def contexts(self, contexts: Sequence[Context]) -> ContextView:
        """Return contexts as the members see them."""
        columns = [[context.turns[turn] for context in contexts] for turn in range(TURNS)]
        return ContextView(
            tuple(self._centre(self.encoder.encode(column), self.context_mean) for column in columns),
            tuple(self.context_terms.vectors(column) for column in columns),
            tuple([self.context_terms.bag(text) for text in column] for column in columns),
            self.signs.vectors([context.signs for context in contexts]),
            self.sound_terms.vectors(columns[0]),
        )

    def scripts(self, texts: Sequence[str]) -> ScriptView:
        """Return scripts as the members see them."""
        first = len(self.script_terms)
        return ScriptView(
            tuple(texts),
            self._centre(self.encoder.encode(texts), self.script_mean),
            self.script_terms.vectors(texts),
            self.slot_terms.vectors(texts),
            [
                self.script_terms.bag(text) + [first + place for place in self.slot_terms.bag(text)]
                for text in texts
            ],
        )

    @staticmethod
    def _centre(rows: Vectors, mean: Vectors) -> Vectors:
        there = rows.any(axis=1, keepdims=True)  # an empty turn stays nothing
        return unit(np.where(there, rows - mean, 0))


def unit(rows: NDArray[Any]) -> Vectors:
    """Return rows of length 1; empty rows stay empty."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.maximum(lengths, 1e-9), np.float32)
