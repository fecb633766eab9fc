"""The file in which CTranslate2 keeps a model (binary version 6), array by array."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voicebot.domain.errors import ModelError

VERSION = 6
_TYPES = {0: "<f4", 1: "i1", 2: "<i2", 3: "<i4", 4: "<f2"}


@dataclass(frozen=True, slots=True)
class Stored:
    """One array as it lies in the file."""

    name: str
    shape: tuple[int, ...]
    kind: int
    start: int  # of its record in the file
    content: memoryview

    @property
    def array(self) -> NDArray[Any]:
        """The numbers, in the type they are stored in."""
        return np.frombuffer(self.content, _TYPES[self.kind]).reshape(self.shape)


def arrays(data: bytes, name: str) -> tuple[list[Stored], int]:
    """Return all arrays of a model file and where they end; `name` is told in errors. Raises ModelError."""
    try:
        reader = _Reader(data)
        (version,) = reader.numbers("<I")
        reader.text()
        _, count = reader.numbers("<II")
        found = list(_stored(reader, count)) if version == VERSION else []
    except (struct.error, KeyError, ValueError, UnicodeDecodeError) as broken:
        raise ModelError(f"{name} is no Whisper model that can be read ({broken!r})") from broken
    if version != VERSION:
        raise ModelError(f"{name} is of version {version}, not {VERSION}")
    return found, reader.at


def with_rows(data: bytes, name: str, rows: Sequence[int], height: int) -> bytes:
    """Return the model file with only these rows of every array that is `height` high. Raises ModelError."""
    found, end = arrays(data, name)
    parts, copied = list[bytes](), 0
    for stored in found:
        if not stored.shape or stored.shape[0] != height:
            continue
        chosen = np.ascontiguousarray(stored.array[list(rows)])
        label = stored.name.encode() + b"\0"
        rank = len(stored.shape)
        record = struct.pack(
            f"<H{len(label)}sB{rank}IBI",
            *(len(label), label, rank),
            *chosen.shape,
            *(stored.kind, chosen.nbytes),
        )
        parts += [data[copied : stored.start], record, chosen.tobytes()]
        copied = stored.start + struct.calcsize(f"<H{len(label)}sB{rank}IBI") + len(stored.content)
    return b"".join((*parts, data[copied:end], data[end:]))


def _stored(reader: _Reader, count: int) -> Iterator[Stored]:
    for _ in range(count):
        start = reader.at
        name = reader.text()
        (rank,) = reader.numbers("<B")
        shape = reader.numbers(f"<{rank}I")
        kind, size = reader.numbers("<BI")
        if kind not in _TYPES:
            raise ValueError(f"{name} is of the unknown type {kind}")
        yield Stored(name, shape, kind, start, reader.take(size))


class _Reader:
    """Reads numbers and names one after the other."""

    def __init__(self, data: bytes) -> None:
        self._data = memoryview(data)
        self.at = 0

    def numbers(self, form: str) -> tuple[int, ...]:
        values = struct.unpack_from(form, self._data, self.at)
        self.at += struct.calcsize(form)
        return values

    def text(self) -> str:
        (length,) = self.numbers("<H")
        return bytes(self.take(length)[:-1]).decode()

    def take(self, size: int) -> memoryview:
        part = self._data[self.at : self.at + size]
        if len(part) != size:
            raise ValueError(f"the file ends after {len(self._data)} bytes")
        self.at += size
        return part
