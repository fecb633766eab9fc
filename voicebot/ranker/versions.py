"""Which versions of the ranker lie here, and for which playbook each was trained. Loads no model."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from voicebot.domain.errors import ModelError
from voicebot.registry import models

NAME = "ranker"
BLEND = "blend.json"


def versions(roots: Sequence[Path]) -> list[Path]:
    """Return the directory of every version of the ranker, the newest first; earlier roots win a tie."""
    listed = [path for root in roots for path in models.installed((root,)) if path.parent.name == NAME]
    return sorted(listed, key=lambda path: models.order(path.name), reverse=True)


def playbook_of(directory: Path) -> str:
    """Return the id of the playbook that a version was trained for. Raises ModelError."""
    try:
        return str(json.loads((directory / BLEND).read_text("utf-8"))["playbook"])
    except (OSError, ValueError, KeyError, TypeError) as broken:
        raise ModelError(
            f"{directory / BLEND} can not be read ({broken!r})", hint="voicebot train ranker"
        ) from broken


def newest(roots: Sequence[Path]) -> dict[str, Path]:
    """Return where the newest ranker of each playbook lies."""
    found: dict[str, Path] = {}
    for directory in versions(roots):
        try:
            found.setdefault(playbook_of(directory), directory)
        except ModelError:
            continue  # it is not used, and `open_ranker` says why
    return found
