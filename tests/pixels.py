"""Reading a PNG's pixels, for tests that look at pictures (PNG 1.2, sections 6 and 9)."""

from __future__ import annotations

import struct
import zlib

import numpy as np

CHANNELS = 4  # RGBA, eight bits each: what the renderer writes


def size(png: bytes) -> tuple[int, int]:
    """Return width and height. Takes what is not interlaced only."""
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", png[16:29])
    assert (depth, colour, interlaced) == (8, 6, 0)
    return width, height


def pixels(png: bytes, rows: int) -> np.ndarray:
    """Return the first rows of a picture: rows, columns, RGBA."""
    width, height = size(png)
    data, at = b"", 8
    while at < len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        if png[at + 4 : at + 8] == b"IDAT":
            data += png[at + 8 : at + 8 + length]
        at += 12 + length
    row_bytes = 1 + width * CHANNELS
    raw = zlib.decompress(data)
    assert len(raw) == height * row_bytes
    above, found = [0] * (width * CHANNELS), []
    for y in range(min(rows, height)):
        row = raw[y * row_bytes : (y + 1) * row_bytes]
        above = _unfiltered(row[0], list(row[1:]), above)
        found.append(above)
    return np.array(found, np.uint8).reshape(-1, width, CHANNELS)


def _unfiltered(kind: int, line: list[int], above: list[int]) -> list[int]:
    for at, up in enumerate(above):
        left, corner = (line[at - CHANNELS], above[at - CHANNELS]) if at >= CHANNELS else (0, 0)
        line[at] = (line[at] + _guess(kind, left, up, corner)) & 255
    return line


def _guess(kind: int, left: int, up: int, corner: int) -> int:
    if kind < 4:
        return (0, left, up, (left + up) // 2)[kind]
    near = left + up - corner
    to_left, to_up, to_corner = abs(near - left), abs(near - up), abs(near - corner)
    if to_left <= to_up and to_left <= to_corner:
        return left
    return up if to_up <= to_corner else corner
