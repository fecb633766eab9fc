"""Dual-encoder member: contexts and scripts in one space, trained so that what followed lies near.

Embedded n-grams plus a linear reading of the frozen sentence encoder, on each side. Trained with
torch (`voicebot.ranker.training`); scored here with numpy alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from voicebot.ranker.kernel import Array
from voicebot.ranker.views import ContextView, ScriptView, unit

MEANING_GAIN = 3.0  # a unit sentence vector beside a sum of n-gram embeddings
EMBEDDED_TURNS = 2  # said and agent have n-gram embeddings of their own


@dataclass(frozen=True, slots=True)
class DualMember:
    """Trained weights of one dual encoder; D dimensions, E of the sentence encoder."""

    turn_terms: tuple[Array, ...]  # a turn: (context terms, D)
    turn_meaning: tuple[Array, ...]  # a turn: (E, D)
    script_terms: Array  # (script terms + slot terms, D)
    script_meaning: Array  # (E, D)

    def bank(self, scripts: ScriptView) -> Array:
        """Return the scripts' unit vectors, to be kept while they do not change."""
        told = MEANING_GAIN * scripts.meaning @ self.script_meaning
        return unit(told + _sum(self.script_terms, scripts.bags))

    def score(self, contexts: ContextView, bank: Array) -> Array:
        """Return cosines, shape (contexts, scripts)."""
        place = sum(
            (MEANING_GAIN * contexts.meaning[turn] @ read for turn, read in enumerate(self.turn_meaning)),
            start=np.zeros((len(contexts.bags[0]), bank.shape[1]), np.float32),
        )
        for turn, table in enumerate(self.turn_terms):
            place = place + _sum(table, contexts.bags[turn])
        cosines: Array = unit(place) @ bank.T
        return cosines


def _sum(table: Array, bags: Sequence[Sequence[int]]) -> Array:
    rows = np.zeros((len(bags), table.shape[1]), np.float32)
    for place, bag in enumerate(bags):
        if bag:
            rows[place] = table[list(bag)].sum(axis=0) / np.sqrt(len(bag))
    return rows
