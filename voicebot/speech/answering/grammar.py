"""Sentences for the training of `wording`: made by a grammar, cut, and misheard as by a recogniser."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from voicebot.domain.answering import NumberStatus
from voicebot.domain.errors import DataError
from voicebot.text.pinyin import syllables

SHIPPED = Path(__file__).with_name("wordings.yaml")
_CHOICE = re.compile(r"\[([^\[\]]*)\]")
_PART = re.compile(r"<(\w+)>")
_OPENINGS = ("opening", "hello")
_MARKS = "·~="
_NOT_YET = 2  # syllables before a mark within which nothing can be said

# What a recogniser takes for one another on the telephone.
_INITIALS = ("zh z j", "ch c q", "sh s x", "b p m", "d t n", "g k h", "l n r", "f h w", "j q x", "y l")
_FINALS = (
    *("an ang ian iang uan", "en eng in ing un", "ong eng un iong", "ao ou uo o iao", "ai ei an ui"),
    *("a ia ua e", "i ü e u", "ie üe ei", "iu ou ü"),
)
_SPLIT = re.compile(r"^(zh|ch|sh|[bpmfdtnlgkhjqxrzcsyw]?)(.+)$")
_BY_INITIAL, _BY_FINAL, _BY_ANY = 0.45, 0.75, 0.9  # shares of slips, cumulated; the rest leaves a sound out


class Grammar(BaseModel):
    """A file of wordings: see the shipped one."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    parts: Mapping[str, tuple[str, ...]]
    machines: Mapping[NumberStatus, tuple[str, ...]]
    people: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence, and from which syllable on what is known."""

    family: str  # the line that it was made from
    sounds: tuple[str, ...]
    status: NumberStatus | None  # None: a person's
    neutral: int = 0  # up to here a person may be speaking
    machine: int = 0  # from here on none is
    kind: int = 0  # from here on the status is known


def load(path: Path = SHIPPED) -> Grammar:
    """Read a file of wordings. Raises DataError."""
    try:
        return Grammar.model_validate(yaml.safe_load(path.read_text("utf-8")))
    except (OSError, yaml.YAMLError, ValidationError) as error:
        raise DataError(f"{path} is no file of wordings: {error}") from error


def sentence(line: str, status: NumberStatus | None, grammar: Grammar, dice: random.Random) -> Sentence:
    """Make a sentence of a line at random."""
    text = line
    for opening in _OPENINGS:
        if text.startswith(f"<{opening}>") and "·" not in text:
            text = text.replace(f"<{opening}>", f"<{opening}>·", 1)
    while "<" in text or "[" in text:
        text = _CHOICE.sub(lambda found: dice.choice(found[1].split("/")), text)
        text = _PART.sub(lambda found: dice.choice(grammar.parts[found[1]]), text)
    at = {mark: len(syllables(text[: text.index(mark)])) if mark in text else -1 for mark in _MARKS}
    plain = text.translate(dict.fromkeys(map(ord, _MARKS)))
    kind = at["="]
    machine = kind if at["~"] < 0 else min(at["~"], kind)
    return Sentence(line, syllables(plain), status, max(0, at["·"]), machine, kind)


def cut(told: Sentence, dice: random.Random) -> tuple[tuple[str, ...], NumberStatus | None] | None:
    """Break a sentence off at random; return what is heard and its meaning, None where it tells nothing."""
    size = len(told.sounds)
    upto = size if dice.random() < 0.3 else dice.randint(1, max(1, size))
    heard = told.sounds[:upto]
    if told.status is None or upto <= told.neutral:
        return heard, None
    if upto >= told.kind:
        return heard, told.status
    if told.machine <= upto <= told.kind - _NOT_YET:
        return heard, NumberStatus.UNKNOWN
    return None


def misheard(sounds: Sequence[str], rate: float, known: Sequence[str], dice: random.Random) -> list[str]:
    """Return sounds of which a share is taken for others. `known`: what any may be taken for."""
    heard = []
    for sound in sounds:
        if dice.random() >= rate:
            heard.append(sound)
            continue
        kind, parts = dice.random(), _SPLIT.match(sound)
        initial, final = (parts[1], parts[2]) if parts else ("", sound)
        if kind < _BY_INITIAL:
            heard.append(_other(initial, _INITIALS, dice) + final)
        elif kind < _BY_FINAL:
            heard.append(initial + _other(final, _FINALS, dice))
        elif kind < _BY_ANY:
            heard.append(dice.choice(known))
    return heard


def _other(part: str, groups: Sequence[str], dice: random.Random) -> str:
    near = [one for group in groups if part in group.split() for one in group.split() if one != part]
    return dice.choice(near) if near else part
