"""What changed between two versions of a playbook, script by script. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Literal

from voicebot.domain.script import Playbook, Script


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that differs."""

    kind: Literal["+", "-", "~"]  # new, gone, changed
    where: str  # script id, or a key of the playbook
    what: str  # of a changed one: which field; else its text
    before: str = ""
    after: str = ""


def compare(old: Playbook, new: Playbook) -> Iterator[Change]:
    """Yield what is new, gone or changed in `new`: the playbook's own keys first, then scripts in order."""
    for field in fields(Playbook):
        if field.name not in ("scripts", "version") and getattr(old, field.name) != getattr(new, field.name):
            yield Change("~", field.name, "", str(getattr(old, field.name)), str(getattr(new, field.name)))
    for key, script in new.scripts.items():
        if key not in old.scripts:
            yield Change("+", key, script.text)
        else:
            yield from _script(old.scripts[key], script)
    for key, script in old.scripts.items():
        if key not in new.scripts:
            yield Change("-", key, script.text)


def _script(old: Script, new: Script) -> Iterator[Change]:
    for field in fields(Script):
        before, after = getattr(old, field.name), getattr(new, field.name)
        if before == after:
            continue
        if field.name == "examples":
            added = [line for line in after if line not in before]
            gone = [line for line in before if line not in after]
            yield Change("~", new.id, "examples", "，".join(gone), "，".join(added))
        else:
            yield Change("~", new.id, field.name, str(before), str(after))
