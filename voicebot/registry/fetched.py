"""Models of the catalogue in their folders: fetched or copied, unpacked, recorded, checked."""

from __future__ import annotations

import json
import shutil
import tarfile
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path, PurePosixPath

from voicebot.domain.errors import ModelError
from voicebot.registry import fetching
from voicebot.registry.catalogue import Entry, Source
from voicebot.registry.fetching import Progress

RECORD = "fetched.json"  # beside the files: where they came from, and their hashes


def pull(
    entry: Entry, folder: Path, now: datetime, *, origin: str = "", progress: Progress | None = None
) -> None:
    """Put a model into its folder, whole or not at all.

    Args:
        entry: what to fetch.
        folder: where it shall lie; what is there is replaced.
        now: of the record.
        origin: a folder that holds the site's files, or the URL of a mirror of it; "" = the sites themselves.
        progress: told bytes done and bytes in all, file by file.

    Raises:
        ModelError: a file can not be had, or is not the one promised.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    incoming = folder.parent / ".incoming" / entry.name
    hashes = {}
    with tempfile.TemporaryDirectory(prefix=f".{entry.name}-", dir=folder.parent) as name:
        fresh = Path(name) / "model"
        fresh.mkdir()
        for source in entry.sources:
            got = incoming / source.name
            hashes[source.url] = _get(source, got, origin, progress)
            if source.path:
                place = fresh / source.path
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(got, place)
            else:
                unpack(got, fresh, entry.skip)
        missing = entry.missing(fresh)
        if missing:
            raise ModelError(
                f"{entry.name} came without {', '.join(missing)}", hint="the site has another file now"
            )
        _record(entry, fresh, now, origin, hashes)
        _swap(fresh, folder)
    shutil.rmtree(incoming, ignore_errors=True)


def damaged(entry: Entry, folder: Path) -> list[str]:
    """Return what is wrong with a model in its folder, in words; [] if every file is as it was fetched.

    Raises:
        ModelError: its record can not be read.
    """
    wrong = [f"{name} is missing" for name in entry.missing(folder)]
    expected = {source.path: source.sha256 for source in entry.sources if source.path and source.sha256}
    path = folder / RECORD
    if path.is_file():
        try:
            expected |= dict(json.loads(path.read_text("utf-8"))["files"])
        except (OSError, ValueError, KeyError, TypeError) as broken:
            raise ModelError(
                f"{path} can not be read ({broken!r})", hint=f"voicebot models pull {entry.name}"
            ) from broken
    for name, digest in expected.items():
        if not (folder / name).is_file():
            if f"{name} is missing" not in wrong:
                wrong.append(f"{name} is missing")
        elif fetching.sha256(folder / name) != digest:
            wrong.append(f"{name} is damaged or was changed")
    return wrong


def recorded(folder: Path) -> bool:
    """Whether a model was fetched by us, so that its hashes are known."""
    return (folder / RECORD).is_file()


def unpack(archive: Path, into: Path, skip: tuple[str, ...] = ()) -> None:
    """Unpack a zip or tar, without the one folder that holds everything. Raises ModelError."""
    with tempfile.TemporaryDirectory(prefix=".unpack-", dir=into.parent) as name:
        raw = Path(name)
        try:
            if zipfile.is_zipfile(archive):
                with zipfile.ZipFile(archive) as packed:
                    _refuse_outside(packed.namelist(), archive)
                    packed.extractall(raw)  # noqa: S202 names are checked above
            else:
                with tarfile.open(archive) as packed_tar:
                    packed_tar.extractall(raw, filter="data")
        except (tarfile.TarError, zipfile.BadZipFile, EOFError, OSError) as broken:
            raise ModelError(
                f"{archive.name} can not be unpacked ({broken})", hint="fetch it again"
            ) from broken
        inside = list(raw.iterdir())
        top = inside[0] if len(inside) == 1 and inside[0].is_dir() else raw
        for item in top.iterdir():
            if item.name not in skip:
                shutil.move(item, into / item.name)


def _get(source: Source, target: Path, origin: str, progress: Progress | None) -> str:
    """Bring one file to `target`; return its sha256."""
    if origin and "://" not in origin:
        return _copy(source, Path(origin), target)
    if target.is_file() and source.sha256 and fetching.sha256(target) == source.sha256:
        return source.sha256  # from an attempt that was interrupted later
    asked = replace(source, url=f"{origin.rstrip('/')}/{source.name}") if origin else source
    return fetching.fetch(asked, target, progress)


def _copy(source: Source, origin: Path, target: Path) -> str:
    names = [name for name in (source.name, source.path) if name]
    found = next((origin / name for name in names if (origin / name).is_file()), None)
    if found is None:
        raise ModelError(f"{origin} holds no {' or '.join(names)}", hint=f"fetch it from {source.url}")
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(found, target)
    return fetching.verify(source, target)


def _refuse_outside(names: list[str], archive: Path) -> None:
    for name in names:
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts:
            raise ModelError(f"{archive.name} wants to write outside its folder ({name})", hint="delete it")


def _record(entry: Entry, fresh: Path, now: datetime, origin: str, hashes: Mapping[str, str]) -> None:
    files = {
        str(path.relative_to(fresh)): fetching.sha256(path)
        for path in sorted(fresh.rglob("*"))
        if path.is_file()
    }
    record = {
        "name": entry.name,
        "licence": entry.licence,
        "at": now.isoformat(timespec="seconds"),
        "from": origin or "the sites named here",
        "sources": dict(hashes),
        "files": files,
    }
    (fresh / RECORD).write_text(json.dumps(record, ensure_ascii=False, indent=1) + "\n", "utf-8")


def _swap(fresh: Path, folder: Path) -> None:
    """Put the fresh folder in place of the old one."""
    old = fresh.with_name("old")
    if folder.exists():
        folder.replace(old)
    fresh.replace(folder)
