"""Text as weighted n-grams of characters and of toneless syllables, and how alike two texts are."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer

from voicebot.ranker.terms import runs
from voicebot.text import pinyin

Matrix = NDArray[np.float32]
Analyser = Callable[[str], list[str]]

# "七八万", "十来万", but not "万一" and "百分之几"
_AMOUNT = re.compile(
    r"(?<!百分之)[一二两三四五六七八九十几百](?<!万一)[一二两三四五六七八九十几百多来]*(?=[万千](?!一))"
)
_SILENT = re.compile(r"[^\w\[\]]+")  # punctuation and spaces; brackets mark the slots of a template
SYLLABLE_SHARE = 0.5  # of the similarity; recognition errors are mostly homophones


def normalise(text: str) -> str:
    """Return the text in one width and case, without spaces and punctuation."""
    return _SILENT.sub("", unicodedata.normalize("NFKC", text).lower())


def _folded(text: str) -> str:
    """Return a text in which every amount is the same: 七八万 and 十来万 teach the same."""
    return _AMOUNT.sub("几", normalise(text))


def characters(text: str) -> list[str]:
    """Return the runs of one to three characters of a text."""
    return runs(list(_folded(text)))


def syllables(text: str) -> list[str]:
    """Return the runs of one to three toneless syllables of a text: alike for homophones."""
    return runs(pinyin.syllables(_folded(text)))


class _View:
    """One way of cutting texts into n-grams, with the vectors of the indexed texts."""

    def __init__(self, analyse: Analyser, texts: Sequence[str]) -> None:
        self._analyse = analyse
        grams = [analyse(text) for text in texts]  # once: cutting costs more than comparing
        self._weigh = TfidfVectorizer(analyzer=_as_cut, sublinear_tf=True, norm=None, dtype=np.float32)
        self._weigh.fit(grams)
        self._unknown = (math.log(1 + len(texts)) + 1) ** 2  # squared weight of an n-gram never seen
        self._indexed = self._vectors(grams).T.tocsr()

    def compare(self, texts: Sequence[str]) -> Matrix:
        cosines: Matrix = (self._vectors([self._analyse(text) for text in texts]) @ self._indexed).toarray()
        return cosines

    def among(self, rows: NDArray[np.int64]) -> Matrix:
        cosines: Matrix = (self._indexed.T.tocsr()[rows] @ self._indexed).toarray()
        return cosines

    def _vectors(self, texts: Sequence[Sequence[str]]) -> Any:
        known = self._weigh.vocabulary_
        rows = self._weigh.transform(texts)
        # What the index has never seen counts in a text's length: else one shared
        # syllable would make a quite different sentence look alike.
        strange = [sum(gram not in known for gram in set(grams)) for grams in texts]
        squares = np.asarray(rows.multiply(rows).sum(axis=1)).ravel() + self._unknown * np.array(strange)
        return rows.multiply(1 / np.sqrt(np.maximum(squares, 1e-9))[:, None]).tocsr().astype(np.float32)


def _as_cut(grams: Sequence[str]) -> Sequence[str]:
    return grams


class NgramIndex:
    """TF-IDF vectors of a list of texts. Read-only once made, so safe in many threads."""

    def __init__(self, texts: Sequence[str]) -> None:
        """Index texts. Texts without a single letter or hanzi are alike to nothing."""
        self.size = len(texts)
        some = any(normalise(text) for text in texts)
        self._views = [_View(analyse, texts) for analyse in (characters, syllables)] if some else []

    def compare(self, texts: Sequence[str]) -> tuple[Matrix, Matrix]:
        """Return cosines (0-1) by characters and by syllables, each of shape (texts, indexed)."""
        if not self._views:
            nothing = np.zeros((len(texts), self.size), np.float32)
            return nothing, nothing
        chars, sounds = (view.compare(texts) for view in self._views)
        return chars, sounds

    def similarity(self, texts: Sequence[str]) -> Matrix:
        """Return the mean cosine of both views, shape (texts, indexed)."""
        return self.mix(*self.compare(texts))

    def among(self, rows: NDArray[np.int64]) -> Matrix:
        """Return the mean cosine of indexed texts with all of them, shape (rows, indexed)."""
        if not self._views:
            return np.zeros((len(rows), self.size), np.float32)
        chars, sounds = (view.among(rows) for view in self._views)
        return self.mix(chars, sounds)

    @staticmethod
    def mix(chars: Matrix, sounds: Matrix) -> Matrix:
        """Return the weighted mean of both views."""
        mixed: Matrix = (1 - SYLLABLE_SHARE) * chars + SYLLABLE_SHARE * sounds
        return mixed
