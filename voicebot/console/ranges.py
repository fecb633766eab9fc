"""Parts of what is in memory, as players ask for them: one byte range (RFC 9110, 14)."""

from __future__ import annotations

import re

from fastapi import Response

_ONE = re.compile(r"bytes=(\d*)-(\d*)")


def ranged(data: bytes, kind: str, asked: str) -> Response:
    """Return all of it, or the one range that was asked for; several ranges at once get all of it."""
    headers = {"Accept-Ranges": "bytes"}
    match = _ONE.fullmatch(asked.strip())
    if not match or match[0] == "bytes=-":
        return Response(data, media_type=kind, headers=headers)
    size = len(data)
    if match[1]:
        first, last = int(match[1]), min(int(match[2] or size - 1), size - 1)
    else:  # the last so many bytes
        first, last = max(0, size - int(match[2])), size - 1
    if first > last:
        return Response(status_code=416, headers={**headers, "Content-Range": f"bytes */{size}"})
    headers["Content-Range"] = f"bytes {first}-{last}/{size}"
    return Response(data[first : last + 1], 206, headers, kind)
