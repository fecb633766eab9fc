"""A model file without the tokens that nobody says is still the same model."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from voicebot.domain.errors import ModelError
from voicebot.speech.recognition import model_file

NAMES = {"decoder/embeddings/weight": (6, 4), "decoder/norm": (4,), "decoder/scale": ()}
TAIL = b"\x01\x00\x00\x00aliases"


def packed(version: int = 6, kind: int = 4) -> bytes:
    def named(text: str) -> bytes:
        return struct.pack("<H", len(text) + 1) + text.encode() + b"\0"

    parts = [struct.pack("<I", version), named("WhisperSpec"), struct.pack("<II", 3, len(NAMES))]
    for number, (name, shape) in enumerate(NAMES.items()):
        numbers = (np.arange(int(np.prod(shape))) + 100 * number).astype("<f2").tobytes()
        parts += [named(name), struct.pack(f"<B{len(shape)}I", len(shape), *shape)]
        parts += [struct.pack("<BI", kind, len(numbers)), numbers]
    return b"".join(parts) + TAIL


def test_only_the_rows_of_tokens_are_left_out() -> None:
    fewer = model_file.with_rows(packed(), "model.bin", (0, 2, 5), 6)
    found, end = model_file.arrays(fewer, "model.bin")
    assert [(stored.name, stored.shape) for stored in found] == [
        ("decoder/embeddings/weight", (3, 4)),
        ("decoder/norm", (4,)),
        ("decoder/scale", ()),
    ]
    assert found[0].array.tolist() == [[0, 1, 2, 3], [8, 9, 10, 11], [20, 21, 22, 23]]
    assert found[1].array.tolist() == [100, 101, 102, 103]
    assert fewer[end:] == TAIL


def test_all_rows_are_the_same_file() -> None:
    assert model_file.with_rows(packed(), "model.bin", range(6), 6) == packed()


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        (b"no model at all", "can be read"),
        (packed()[:-60], "can be read"),
        (packed(version=7), "version 7, not 6"),
        (packed(kind=9), "can be read"),
    ],
)
def test_another_file_is_named_as_such(broken: bytes, told: str) -> None:
    with pytest.raises(ModelError, match=told) as error:
        model_file.with_rows(broken, "some/model.bin", (0,), 6)
    assert "some/model.bin" in str(error.value)
