"""What editors do with playbooks: read, check, save, compare."""

from __future__ import annotations

import difflib
from pathlib import Path

from voicebot.console.house import House
from voicebot.dialogue.playbook import parse
from voicebot.domain.errors import PlaybookError
from voicebot.domain.script import Playbook
from voicebot.registry.resources import playbooks_dir


def own_folder(house: House) -> Path:
    """Return where playbooks of this installation lie; they come before those that are shipped."""
    return house.settings.home / "playbooks"


def text_of(house: House, playbook_id: str) -> str:
    """Return a playbook's YAML. Raises PlaybookError."""
    house.playbooks.get(playbook_id)
    for folder in (own_folder(house), playbooks_dir()):
        file = folder / f"{playbook_id}.yaml"
        if file.parent == folder and file.is_file():
            return file.read_text("utf-8")
    raise PlaybookError("{playbook_id} has no text", hint="put its YAML file back", playbook_id=playbook_id)


def checked(text: str) -> Playbook:
    """Return the playbook that a text describes. Raises PlaybookError with every mistake."""
    return parse(text, "playbook.yaml")


def saved(house: House, playbook_id: str, text: str) -> Playbook:
    """Save a playbook after a check. Running calls go on with the version they began with.

    Raises PlaybookError if it has a mistake or another id.
    """
    playbook = checked(text)
    if playbook.id != playbook_id:
        raise PlaybookError(
            "the text calls itself {playbook}",
            hint="its id must stay {playbook_id}",
            playbook=playbook.id,
            playbook_id=playbook_id,
        )
    folder = own_folder(house)
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{playbook_id}.yaml"
    draft = file.with_suffix(".draft")
    draft.write_text(text, "utf-8")
    draft.replace(file)
    return playbook


def difference(before: str, after: str) -> list[str]:
    """Return a unified diff of two texts, a line each."""
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), "now", "edited", lineterm="", n=2)
    return list(lines)
