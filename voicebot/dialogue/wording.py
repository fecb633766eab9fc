"""Chooses the words of a script and fills its slots."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping

from voicebot.domain.errors import PlaybookError
from voicebot.domain.script import Playbook, Script, Style

_SLOT = re.compile(r"\{(\w+)\}")
_HANZI = re.compile(r"[\u4e00-\u9fff]+")


def word(script: Script, style: Style, values: Mapping[str, str], playbook: Playbook, seed: int) -> str:
    """Return what is said, slots filled. Raises PlaybookError."""
    return choose(script, style, values, playbook, seed)[0]


def choose(
    script: Script, style: Style, values: Mapping[str, str], playbook: Playbook, seed: int
) -> tuple[str, str]:
    """Return what is said, slots filled, and which wording it is: A, B, …; "" if there was no choice.

    The wording of the style comes first, then the script's text and variants. Of those whose slots
    all have a value the ones that fill most slots stay; the seed picks among equals (A/B).

    Raises:
        PlaybookError: no wording can be filled; the linter keeps that out of files.
    """
    known = {
        name: value for name, value in {**playbook.defaults, **values}.items() if _HANZI.fullmatch(value)
    }
    own = script.styles.get(style.value)
    if own and set(_SLOT.findall(own)) <= known.keys():
        return _fill(own, known), ""
    usable = [text for text in (script.text, *script.variants) if set(_SLOT.findall(text)) <= known.keys()]
    if not usable:
        raise PlaybookError(
            f"{script.id}: no wording without a missing slot", hint="add a variant without slots"
        )
    most = max(len(_SLOT.findall(text)) for text in usable)
    best = [text for text in usable if len(_SLOT.findall(text)) == most]
    chosen = best[pick(seed, script.id, len(best))]
    letter = chr(ord("A") + (script.text, *script.variants).index(chosen)) if len(best) > 1 else ""
    return _fill(chosen, known), letter


def pick(seed: int, key: str, count: int) -> int:
    """Return an index below `count`, always the same for the same seed and key."""
    digest = hashlib.sha256(f"{seed}:{key}".encode()).digest()
    return int.from_bytes(digest[:4], "big") % count


def _fill(text: str, values: Mapping[str, str]) -> str:
    return _SLOT.sub(lambda found: values[found.group(1)], text)
