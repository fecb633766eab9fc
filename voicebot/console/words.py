"""Everything the console says, in Chinese and English: read from words.yaml, the one place for it."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import yaml

LANGUAGES = ("zh", "en")


@cache
def words() -> dict[str, tuple[str, str]]:
    """Return key -> (Chinese, English)."""
    sections = yaml.safe_load(Path(__file__).with_name("words.yaml").read_text("utf-8"))
    return {
        f"{section}.{key}": (str(pair[0]), str(pair[1]))
        for section, entries in sections.items()
        for key, pair in entries.items()
    }


def said(key: str, language: str, **values: object) -> str:
    """Return a text in a language, with {values} filled in. Raises KeyError for a key that is not there."""
    text = words()[key][LANGUAGES.index(language)]
    return text.format(**values) if values else text


def known(section: str, value: str, language: str) -> str:
    """Return the word for a value of the domain (a disposition, an emotion …); the value if it has none."""
    pair = words().get(f"{section}.{value}")
    return pair[LANGUAGES.index(language)] if pair else value


def section(name: str, language: str) -> dict[str, str]:
    """Return value -> word for a part of the domain, in the order of words.yaml."""
    place, start = LANGUAGES.index(language), f"{name}."
    return {key.removeprefix(start): pair[place] for key, pair in words().items() if key.startswith(start)}
