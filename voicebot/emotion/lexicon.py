"""The lexicon (词典库): phrases with soft emotion distributions, read from a CSV that a manager can edit."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from voicebot.domain.emotion import Distribution, EmotionLabel
from voicebot.domain.errors import DataError
from voicebot.registry import models
from voicebot.text.tokens import Tokeniser

NAME = "lexicon"
PHRASES = "phrases.csv"
COLUMNS = (
    "phrase", "kind", "interested", "calm", "hesitant", "annoyed", "angry",
    "intensity", "negated", "scope", "source",
)  # fmt: skip
_LABELS = tuple(label.value for label in EmotionLabel)
_MAX_INTENSITY = 1.5
_MAX_ERRORS = 20

Kind = Literal["phrase", "negator", "degree"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the lexicon."""

    phrase: str
    kind: Kind
    distribution: Distribution  # of a phrase
    intensity: float  # phrase: its weight, 0-1; degree word: the factor it puts on the next phrase
    negated: EmotionLabel | None  # the label a negated phrase speaks for; None: negation changes nothing
    scope: int  # negator, degree word: how many characters may stand between it and the phrase
    source: str  # where the judgement comes from


@dataclass(frozen=True, slots=True)
class Match:
    """A phrase found in a text."""

    phrase: str
    start: int  # characters
    end: int
    distribution: Distribution
    intensity: float
    negated: bool
    source: str


class Lexicon:
    """Finds phrases in a text: longest first, left to right, with negation and degree words."""

    def __init__(self, entries: Iterable[Entry], version: str) -> None:
        """Index the entries and teach jieba their phrases."""
        self.version = version
        self.entries: Mapping[str, Entry] = {entry.phrase: entry for entry in entries}
        self._longest = max((len(phrase) for phrase in self.entries), default=0)
        self.tokeniser = Tokeniser(
            phrase for phrase, entry in self.entries.items() if entry.kind == "phrase" and len(phrase) > 1
        )

    @classmethod
    def load(cls, path: Path, version: str) -> Lexicon:
        """Read and validate a CSV file (UTF-8). Raises DataError that names every bad line."""
        try:
            text = path.read_text("utf-8-sig")
        except (OSError, UnicodeDecodeError) as broken:
            raise DataError(
                f"{path} can not be read ({broken})", hint="save it as CSV in UTF-8 encoding"
            ) from broken
        return cls(parse(text, path.name), version)

    def matches(self, text: str) -> tuple[Match, ...]:
        """Return the phrases of a text in order; they do not overlap."""
        alone = self._single_words(text)
        found: list[Match] = []
        before: list[tuple[int, Entry]] = []  # negators and degree words seen: (end, entry)
        at = 0
        while at < len(text):
            entry = self._longest_at(text, at, alone)
            if entry is None:
                if not text[at].isalnum():
                    before.clear()  # punctuation ends the scope of a negation
                at += 1
                continue
            end = at + len(entry.phrase)
            if entry.kind == "phrase":
                found.append(_match(entry, at, before))
                before.clear()
            else:
                before.append((end, entry))
            at = end
        return tuple(found)

    def _longest_at(self, text: str, at: int, alone: frozenset[int]) -> Entry | None:
        for length in range(min(self._longest, len(text) - at), 0, -1):
            entry = self.entries.get(text[at : at + length])
            # a single character speaks only as a word of its own: 行 is not in 银行, but a negator is in 不太
            if entry and (length > 1 or entry.kind == "negator" or at in alone):
                return entry
        return None

    def _single_words(self, text: str) -> frozenset[int]:
        places: set[int] = set()
        at = 0
        for word in self.tokeniser.cut(text):
            at = text.find(word, at)
            if len(word) == 1 or word == word[0] * len(word):
                places.update(range(at, at + len(word)))
            at += len(word)
        return frozenset(places)


def load(directory: Path) -> Lexicon:
    """Load and verify an installed lexicon. Raises ModelError or DataError."""
    manifest = models.load(directory)
    return Lexicon.load(directory / PHRASES, manifest.label)


def publish(source: Path, out: Path) -> models.Manifest:
    """Validate a CSV file and install it as version `out.name`. Raises DataError; then nothing is written."""
    lexicon = Lexicon.load(source, out.name)
    content = source.read_bytes()
    out.mkdir(parents=True, exist_ok=True)
    (out / PHRASES).write_bytes(content)
    phrases = sum(entry.kind == "phrase" for entry in lexicon.entries.values())
    manifest = models.Manifest(NAME, out.name, {PHRASES: ""}, metrics={"phrases": float(phrases)})
    return models.save(out, manifest)


def parse(text: str, name: str) -> tuple[Entry, ...]:
    """Return the entries of a CSV text, or raise DataError with every bad line (the first twenty)."""
    reader = csv.DictReader(io.StringIO(text), strict=True)
    missing = [column for column in COLUMNS if column not in (reader.fieldnames or ())]
    if missing:
        raise DataError(
            f"{name} line 1: columns missing: {', '.join(missing)}",
            hint=f"the header is: {','.join(COLUMNS)}",
        )
    entries: dict[str, Entry] = {}
    errors: list[str] = []
    first_line: dict[str, int] = {}
    try:
        for row in reader:
            line = reader.line_num
            try:
                entry = _entry(row)
            except ValueError as wrong:
                errors.append(f"line {line}: {wrong}")
                continue
            if entry.phrase in entries:
                errors.append(
                    f"line {line}: {entry.phrase!r} stands in line {first_line[entry.phrase]} already"
                )
            entries[entry.phrase] = entry
            first_line.setdefault(entry.phrase, line)
    except csv.Error as broken:
        errors.append(f"line {reader.line_num}: {broken}")
    if errors:
        more = f" (and {len(errors) - _MAX_ERRORS} more)" if len(errors) > _MAX_ERRORS else ""
        raise DataError(
            f"{name}: " + "; ".join(errors[:_MAX_ERRORS]) + more,
            hint="mend these lines; nothing was imported",
        )
    if not entries:
        raise DataError(f"{name} holds no phrases", hint="add at least one row below the header")
    return tuple(entries.values())


def _entry(row: Mapping[str, str | None]) -> Entry:
    cells = {column: (row.get(column) or "").strip() for column in COLUMNS}
    if None in row:
        raise ValueError("more cells than columns")
    if not cells["phrase"] or any(char.isspace() for char in cells["phrase"]):
        raise ValueError("the phrase is empty or holds a space")
    kind = cells["kind"]
    if kind not in ("phrase", "negator", "degree"):
        raise ValueError(f"kind is {kind!r}; use phrase, negator or degree")
    if not cells["source"]:
        raise ValueError("source is empty; say whose judgement this is")
    if kind == "phrase":
        values = [_number(cells, label, 1.0) for label in _LABELS]
        if abs(sum(values) - 1) > 0.02:
            raise ValueError(f"the five emotions sum to {sum(values):g}, not 1")
        distribution = Distribution(*values).normalised()
    else:
        distribution = Distribution()
    negated = cells["negated"]
    if negated and negated not in _LABELS:
        raise ValueError(f"negated is {negated!r}; use one of {', '.join(_LABELS)}, or nothing")
    return Entry(
        phrase=cells["phrase"],
        kind="phrase" if kind == "phrase" else "negator" if kind == "negator" else "degree",
        distribution=distribution,
        intensity=1.0 if kind == "negator" else _number(cells, "intensity", _MAX_INTENSITY),
        negated=EmotionLabel(negated) if negated else None,
        scope=0 if kind == "phrase" else int(_number(cells, "scope", 6)),
        source=cells["source"],
    )


def _number(cells: Mapping[str, str], column: str, most: float) -> float:
    try:
        value = float(cells[column])
    except ValueError:
        raise ValueError(f"{column} is {cells[column]!r}, not a number") from None
    if not 0 <= value <= most:
        raise ValueError(f"{column} is {value:g}; it must lie in 0..{most:g}")
    return value


def _match(entry: Entry, at: int, before: list[tuple[int, Entry]]) -> Match:
    near = [other for end, other in before if at - end <= other.scope]
    factor = 1.0
    for other in near:
        if other.kind == "degree":
            factor *= other.intensity
    # 不 before 不需要 is a repetition, 不是 before it is a negation
    least = 2 if entry.phrase[0] in "不没别" else 1
    negators = [other for other in near if other.kind == "negator" and len(other.phrase) >= least]
    negated = entry.negated is not None and len(negators) % 2 == 1
    distribution = entry.distribution
    if negated and entry.negated is not None:
        rest = Distribution.mix([(0.3, Distribution(calm=1.0)), (0.7, _pure(entry.negated))])
        distribution = rest
    return Match(
        entry.phrase, at, at + len(entry.phrase), distribution,
        min(1.0, entry.intensity * factor), negated, entry.source,
    )  # fmt: skip


def _pure(label: EmotionLabel) -> Distribution:
    return Distribution(**{label.value: 1.0})
