"""A fixed vocabulary of text features with TF-IDF weights, kept as plain lists and arrays."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from voicebot.text import pinyin

Cut = Callable[[str], list[str]]

_UNIT = re.compile(r"\[[^\]]+\]|\{[^}]+\}|[一-鿿]|[a-z0-9]+")
_SLOT = re.compile(r"[\[{]([^\]}]+)[\]}]")


def pieces(text: str) -> list[str]:
    """Return runs of one to three units: a hanzi, a Latin word or number, or a whole slot."""
    units = _UNIT.findall(unicodedata.normalize("NFKC", text).lower())
    return runs(units)


def sounds(text: str) -> list[str]:
    """Return runs of one to three syllables, without tones and with what accents mix up folded together.

    Alike for what a recogniser takes for one another.
    """
    return runs([pinyin.fuzzy(syllable) for syllable in pinyin.syllables(text)])


def slots(text: str) -> list[str]:
    """Return the names of a script's slots, their parts, and how many slots there are."""
    names = _SLOT.findall(text)
    parts = [name[i : i + 2] for name in names for i in range(len(name) - 1)]
    return [*names, *parts, f"#{min(len(names), 4)}"]


def runs(units: Sequence[str]) -> list[str]:
    """Return the runs of one to three units of a text, joined by spaces."""
    return [" ".join(units[i : i + n]) for n in (1, 2, 3) for i in range(len(units) - n + 1)]


class Terms:
    """TF-IDF over a vocabulary that was seen in fitting; anything else is left out."""

    def __init__(self, cut: Cut, words: Sequence[str], idf: NDArray[np.float32]) -> None:
        """Make it from what `fit` found."""
        self.cut = cut
        self.words = list(words)
        self.idf = idf
        self._place = {word: place for place, word in enumerate(self.words)}

    @classmethod
    def fit(cls, cut: Cut, texts: Sequence[str], at_least: int = 1) -> Terms:
        """Take every feature that stands in `at_least` texts or more."""
        found = Counter(feature for text in texts for feature in set(cut(text)))
        kept = sorted(feature for feature, count in found.items() if count >= at_least)
        counts = np.array([found[feature] for feature in kept], np.float32)
        return cls(cut, kept, (np.log((1 + len(texts)) / (1 + counts)) + 1).astype(np.float32))

    def __len__(self) -> int:
        """Return how many features there are."""
        return len(self.words)

    def bag(self, text: str) -> list[int]:
        """Return the places of a text's features, each once, in order."""
        return sorted({self._place[feature] for feature in self.cut(text) if feature in self._place})

    def known(self, text: str) -> float:
        """Return the share of a text's features that are in the vocabulary, 0-1."""
        found = set(self.cut(text))
        return sum(feature in self._place for feature in found) / max(len(found), 1)

    def vectors(self, texts: Sequence[str]) -> Any:
        """Return unit TF-IDF vectors as a sparse matrix of shape (texts, features)."""
        data: list[float] = []
        columns: list[int] = []
        ends = [0]
        for text in texts:
            found = Counter(self._place[f] for f in self.cut(text) if f in self._place)
            weights = [(1 + np.log(count)) * self.idf[place] for place, count in found.items()]
            length = float(np.sqrt(sum(weight * weight for weight in weights))) or 1.0
            data.extend(weight / length for weight in weights)
            columns.extend(found)
            ends.append(len(columns))
        shape = (len(texts), len(self.words))
        return sparse.csr_matrix((np.array(data, np.float32), columns, ends), shape=shape)


class Signs:
    """What else is known of a moment (scene, keywords, emotion) as columns; unknown ones are left out."""

    def __init__(self, names: Sequence[str]) -> None:
        """Take the names that were seen in fitting."""
        self.names = list(names)
        self._place = {name: place for place, name in enumerate(self.names)}

    def vectors(self, moments: Sequence[Mapping[str, float]]) -> Any:
        """Return unit rows as a sparse matrix of shape (moments, names)."""
        rows = sparse.lil_matrix((len(moments), len(self.names)), dtype=np.float32)
        for row, moment in enumerate(moments):
            length = float(np.sqrt(sum(weight * weight for weight in moment.values()))) or 1.0
            for name, weight in moment.items():
                if name in self._place:
                    rows[row, self._place[name]] = weight / length
        return rows.tocsr()
