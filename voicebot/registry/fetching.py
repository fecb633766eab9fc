"""Fetching one file over HTTP: resumed where it stopped, hashed, written atomically."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

import httpx
import stamina

from voicebot.domain.errors import ModelError
from voicebot.registry.catalogue import Source

Progress = Callable[[int, int], None]  # bytes done, bytes in all (0 = unknown)

ATTEMPTS = 5
_BLOCK = 1 << 18
_TIMEOUT_S = 30.0
_SPARE_BYTES = 64 << 20  # of the disk that is left alone


def fetch(source: Source, target: Path, progress: Progress | None = None, attempts: int = ATTEMPTS) -> str:
    """Fetch a file to `target`; return its sha256 in hex.

    What was fetched before an interruption lies beside the target as `.part` and is gone on with, if the
    site still has the same file. A broken connection is tried again.

    Raises:
        ModelError: offline, refused, no room, or not the file that was promised.
    """
    part = target.with_name(target.name + ".part")
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        for attempt in stamina.retry_context(on=httpx.TransportError, attempts=attempts, wait_initial=0.2):
            with attempt:
                _download(source.url, part, progress)
    except httpx.TransportError as away:
        got = part.stat().st_size if part.is_file() else 0
        raise ModelError(
            f"{source.url} can not be fetched ({away.__class__.__name__}: {away}); {got / 1e6:.1f} MB kept",
            hint="Is this machine online? Ask again to go on. Offline: fetch the file on another machine and "
            "name its folder with --from, or name a mirror with VOICEBOT_MODELS_MIRROR.",
        ) from away
    except OSError as full:
        raise ModelError(
            f"{part} can not be written ({full})", hint="make room, or set VOICEBOT_HOME"
        ) from full
    digest = verify(source, part)
    part.replace(target)
    _tag(part).unlink(missing_ok=True)
    return digest


def verify(source: Source, path: Path) -> str:
    """Return the sha256 of a fetched file. Deletes it and raises ModelError if it is not the one promised."""
    size, digest = path.stat().st_size, sha256(path)
    wrong = ""
    if source.size and size != source.size:
        wrong = f"has {size} bytes, not {source.size}"
    elif source.sha256 and digest != source.sha256:
        wrong = f"has sha256 {digest[:16]}…, not {source.sha256[:16]}…"
    if wrong:
        path.unlink()
        _tag(path).unlink(missing_ok=True)
        raise ModelError(
            f"{source.name} {wrong}", hint="fetch it again; if that repeats, the site has another file now"
        )
    return digest


def sha256(path: Path) -> str:
    """Return the sha256 of a file in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _download(url: str, part: Path, progress: Progress | None) -> None:
    """Append what is still missing of a file to its part."""
    have = part.stat().st_size if part.is_file() else 0
    headers = {"Accept-Encoding": "identity"}
    if have and _tag(part).is_file():
        headers |= {"Range": f"bytes={have}-", "If-Range": _tag(part).read_text("utf-8")}
    with (
        httpx.Client(follow_redirects=True, timeout=_TIMEOUT_S) as client,
        client.stream("GET", url, headers=headers) as answer,
    ):
        if answer.is_error:
            raise ModelError(
                f"{url} answers {answer.status_code} {answer.reason_phrase}",
                hint="the site moved it or keeps it; get the file elsewhere and name its folder with --from",
            )
        if answer.status_code != httpx.codes.PARTIAL_CONTENT:
            have = 0  # the site sends all of it
            _remember(part, answer)
        length = int(answer.headers.get("content-length", 0))
        if shutil.disk_usage(part.parent).free < length + _SPARE_BYTES:
            raise ModelError(
                f"{part.parent} has no room for {length / 1e6:.0f} MB", hint="make room, or set VOICEBOT_HOME"
            )
        _append(answer, part, have, have + length if length else 0, progress)


def _append(answer: httpx.Response, part: Path, have: int, total: int, progress: Progress | None) -> None:
    with part.open("ab" if have else "wb") as file:
        for block in answer.iter_bytes(_BLOCK):
            file.write(block)
            have += len(block)
            if progress:
                progress(have, total)
    if total and have < total:
        raise httpx.ReadError(f"ended after {have} of {total} bytes")


def _remember(part: Path, answer: httpx.Response) -> None:
    """Keep what tells whether the site still has this very file (RFC 9110, 13.1.5)."""
    tag = answer.headers.get("etag") or answer.headers.get("last-modified")
    if tag and not tag.startswith("W/"):
        _tag(part).write_text(tag, "utf-8")
    else:
        _tag(part).unlink(missing_ok=True)


def _tag(part: Path) -> Path:
    return part.with_name(part.name + ".tag")
