"""The catalogue of models that are fetched from public model sites: what each is and where it lies here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from voicebot.domain.errors import ModelError

FILE = Path(__file__).with_name("catalogue.yaml")


@dataclass(frozen=True, slots=True)
class Source:
    """One file of a model site."""

    url: str
    path: str = ""  # in the model's folder; "" = an archive that is unpacked into it
    sha256: str = ""  # hex; "" = the site publishes none
    size: int = 0  # bytes; 0 = unknown

    @property
    def name(self) -> str:
        """The file's name on the site."""
        return self.url.rsplit("/", 1)[-1]


@dataclass(frozen=True, slots=True)
class Entry:
    """One model that can be fetched."""

    name: str
    kind: str  # recogniser, voice
    engine: str
    title: str
    licence: str
    place: str  # folder under the data home
    sources: tuple[Source, ...]
    needs: tuple[str, ...]  # files without which it is not usable
    rank: int = 0  # among recognisers: `auto` takes the highest that is present
    mb: int = 0  # to fetch, about
    skip: tuple[str, ...] = ()  # folders of an archive that are left out

    def present(self, folder: Path) -> bool:
        """Whether all that is needed lies in a folder."""
        return all((folder / name).is_file() for name in self.needs)

    def missing(self, folder: Path) -> list[str]:
        """Return what is needed and does not lie in a folder."""
        return [name for name in self.needs if not (folder / name).is_file()]


def load(path: Path = FILE) -> tuple[Entry, ...]:
    """Return every entry of a catalogue. Raises ModelError."""
    try:
        raw: list[dict[str, Any]] = yaml.safe_load(path.read_text("utf-8"))
        return tuple(_entry(one) for one in raw)
    except (OSError, yaml.YAMLError, TypeError, KeyError, ValueError) as broken:
        raise ModelError(f"{path} is no catalogue ({broken!r})", hint="install voicebot again") from broken


def find(name: str, entries: Iterable[Entry]) -> Entry:
    """Return the entry of a name. Raises ModelError with the names there are."""
    known = {entry.name: entry for entry in entries}
    if name not in known:
        raise ModelError(f"no model is called {name!r}", hint=f"choose one of: {', '.join(known)}")
    return known[name]


def _entry(raw: Mapping[str, Any]) -> Entry:
    archive, files = raw.get("archive"), raw.get("files", [])
    sources = tuple(Source(**one) for one in ([archive] if archive else files))
    return Entry(
        name=raw["name"],
        kind=raw["kind"],
        engine=raw["engine"],
        title=raw["title"],
        licence=raw["licence"],
        place=raw["place"],
        sources=sources,
        needs=tuple(raw.get("needs") or (source.path for source in sources)),
        rank=raw.get("rank", 0),
        mb=raw.get("mb", 0),
        skip=tuple(raw.get("skip", ())),
    )
