"""Candidates become live models and may be taken back: directories that change their place.

Live is the newest version under <home>/models, then the shipped ones. A candidate waits under
<home>/candidates; what was taken back lies under <home>/retired.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from voicebot.domain.errors import ModelError
from voicebot.registry import models

CANDIDATES, RETIRED, LIVE = "candidates", "retired", "models"


def candidate_place(home: Path, roots: tuple[Path, ...], name: str) -> Path:
    """Return where the next candidate goes: a version newer than any live, waiting or retired one."""
    places = (home / CANDIDATES, home / RETIRED, *roots)
    return home / CANDIDATES / name / models.next_version(places, name).name


def candidates(home: Path) -> list[Path]:
    """Return the directories of the models that wait."""
    return models.installed((home / CANDIDATES,))


def waiting(home: Path, name: str, version: str) -> Path:
    """Return where a candidate, or a version that was taken back, lies. Raises ModelError."""
    places = [home / place / name / version for place in (CANDIDATES, RETIRED)]
    if not models.is_version(version) or not any(place.is_dir() for place in places):
        raise ModelError(
            "no candidate {name} {version}",
            hint="voicebot models candidates lists them",
            name=name,
            version=version,
        )
    return next(place for place in places if place.is_dir())


def promote(home: Path, name: str, version: str) -> Path:
    """Make a candidate, or a version that was taken back, live; return its new place. Raises ModelError."""
    source = waiting(home, name, version)
    models.load(source)  # verifies every file
    return _move(source, home / LIVE / name / version)


def roll_back(home: Path, name: str, version: str = "") -> Path:
    """Take the newest trained version (or the named one) out of use; return where it lies now.

    The version before it, at last the shipped one, is live again. Raises ModelError.
    """
    own = models.installed((home / LIVE,))
    found = [path for path in own if path.parent.name == name and version in {"", path.name}]
    if not found:
        raise ModelError(
            "no {name} {version} was trained here",
            hint="a shipped model can not be taken back",
            name=name,
            version=version or "model",
        )
    return _move(found[0], home / RETIRED / name / found[0].name)


def _move(source: Path, target: Path) -> Path:
    if target.exists():
        raise ModelError("{path} is there already", hint="take that version back first", path=target)
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(source, target)
    return target
