"""Versions of trained models and lexicons: <name>/<version>/manifest.json beside the files it vouches for."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from voicebot.domain.errors import ModelError

FORMAT = 1
MANIFEST = "manifest.json"
_VERSION = re.compile(r"\d+(\.\d+)*")


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a model is, what it was made for, and the hashes of its files."""

    name: str
    version: str  # digits and dots
    files: Mapping[str, str]  # file name -> sha256 in hex
    format: int = FORMAT
    rate_hz: int = 0  # of the sound it reads; 0 = reads none
    codec: str = ""  # telephone codec of that sound
    feature_version: str = ""
    metrics: Mapping[str, float] = field(default_factory=dict)
    notes: str = ""
    data: Mapping[str, str] = field(default_factory=dict)  # what it learnt from: playbook, span, counts

    @property
    def label(self) -> str:
        """Return name-version, as it is journaled."""
        return f"{self.name}-{self.version}"


def save(directory: Path, manifest: Manifest) -> Manifest:
    """Hash the files that the manifest names and write it beside them."""
    files = {name: _sha256(directory / name) for name in manifest.files}
    done = Manifest(**{**asdict(manifest), "files": files})
    text = json.dumps(asdict(done), ensure_ascii=False, indent=1, sort_keys=True)
    (directory / MANIFEST).write_text(text + "\n", "utf-8")
    return done


def load(directory: Path) -> Manifest:
    """Read a manifest and verify every file. Raises ModelError on anything that does not fit."""
    manifest = peek(directory)
    for name, expected in manifest.files.items():
        _verify(directory, name, expected)
    return manifest


def peek(directory: Path) -> Manifest:
    """Read a manifest without looking at the files. Raises ModelError."""
    path = directory / MANIFEST
    try:
        raw: Any = json.loads(path.read_text("utf-8"))
    except FileNotFoundError as missing:
        raise ModelError(f"{path} is missing", hint="install the model again, or train it") from missing
    except (OSError, ValueError) as broken:
        raise ModelError(f"{path} can not be read ({broken})", hint="install the model again") from broken
    if not isinstance(raw, dict) or raw.get("format") != FORMAT:
        found = raw.get("format") if isinstance(raw, dict) else None
        raise ModelError(
            f"{path} has format {found}, this version reads {FORMAT}",
            hint="train the model again with this version, or install the version that made it",
        )
    try:
        manifest = Manifest(**raw)
        dict(manifest.files)
    except (TypeError, ValueError) as wrong:
        raise ModelError(f"{path} is no manifest ({wrong})", hint="install the model again") from wrong
    return manifest


def installed(roots: Sequence[Path]) -> list[Path]:
    """Return the directory of every version of every model, by name, the newest first."""
    found = {
        path.parent for root in roots for path in root.glob(f"*/*/{MANIFEST}") if is_version(path.parent.name)
    }
    newest_first = sorted(found, key=lambda directory: order(directory.name), reverse=True)
    return sorted(newest_first, key=lambda directory: directory.parent.name)


def is_version(text: str) -> bool:
    """Return whether a text is a version: digits and dots."""
    return _VERSION.fullmatch(text) is not None


def find(roots: Sequence[Path], name: str, version: str = "") -> Path:
    """Return the directory of a model: the named version, else the newest; earlier roots win a tie."""
    found: dict[tuple[int, ...], Path] = {}
    for root in roots:
        for directory in sorted((root / name).glob("*")):
            if (directory / MANIFEST).is_file() and _VERSION.fullmatch(directory.name):
                found.setdefault(order(directory.name), directory)
    if version:
        if _VERSION.fullmatch(version) and order(version) in found:
            return found[order(version)]
    elif found:
        return found[max(found)]
    places = ", ".join(str(root / name) for root in roots)
    raise ModelError(
        f"no {name} {version or 'model'} in {places}".replace("  ", " "),
        hint="install voicebot again, or train the model",
    )


def next_version(roots: Sequence[Path], name: str) -> Path:
    """Return the directory under the first root for a version newer than that of any root."""
    there = [path.name for root in roots for path in (root / name).glob("*")]
    taken = [order(version)[0] for version in there if is_version(version)]
    return roots[0] / name / str(max(taken, default=0) + 1)


def require(manifest: Manifest, *, rate_hz: int, codec: str, feature_version: str) -> None:
    """Refuse a model that was made for other sound or other features."""
    wanted = {"rate_hz": rate_hz, "codec": codec, "feature_version": feature_version}
    for what, expected in wanted.items():
        if (found := getattr(manifest, what)) != expected:
            raise ModelError(
                f"{manifest.label} was made for {what} {found!r}, here it is {expected!r}",
                hint=f"train it again with this version: voicebot train {manifest.name}",
            )


def _verify(directory: Path, name: str, expected: str) -> None:
    path = directory / name
    if path.parent != directory or not path.is_file():
        raise ModelError(f"{path} is missing", hint="install the model again")
    if _sha256(path) != expected:
        raise ModelError(
            f"{path} is corrupt or was changed: its sha256 is not the one in {MANIFEST}",
            hint="install the model again; after a wanted change, write the manifest anew",
        )


def order(version: str) -> tuple[int, ...]:
    """Return a version as it is compared with others."""
    return tuple(int(part) for part in version.split("."))


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
