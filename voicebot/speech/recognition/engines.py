"""Which recogniser to use: the one that is named, else the best whose model is here."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path

from voicebot.domain.errors import SettingsError
from voicebot.registry.catalogue import Entry

NAMES = ("whisper", "vosk", "sherpa")
WHISPER_RANK = 10  # beside the ranks of the catalogue
_BEST = "the best that is here"
_MODULES = {"vosk": "vosk", "sherpa": "sherpa_onnx"}


@dataclass(frozen=True, slots=True)
class Choice:
    """An engine and its model."""

    engine: str  # one of NAMES
    directory: Path | None  # None: whisper's own
    why: str

    @property
    def label(self) -> str:
        """Return engine and model, and why."""
        model = f" ({self.directory.name})" if self.directory else ""
        return f"{self.engine}{model}: {self.why}"


def choose(wanted: str, named: dict[str, Path | None], home: Path, entries: Iterable[Entry]) -> Choice:
    """Return the engine to use.

    Args:
        wanted: auto, or an engine's name.
        named: engine -> model directory from the settings.
        home: the data home; the catalogue's models lie under it.
        entries: the catalogue.

    Raises:
        SettingsError: an engine is wanted that there is not, or has no model here.
    """
    if wanted not in ("auto", *NAMES):
        raise SettingsError(
            f"no recogniser is called {wanted!r}", hint=f"VOICEBOT_ASR_ENGINE: auto, {', '.join(NAMES)}"
        )
    engines = NAMES if wanted == "auto" else (wanted,)
    for engine in engines:
        directory = named.get(engine)
        if directory is not None:
            return Choice(engine, directory, "named in the settings")
    for choice in present(home, entries):
        if choice.engine in engines:
            return choice if wanted == "auto" else replace(choice, why="wanted by the settings")
    raise SettingsError(
        f"VOICEBOT_ASR_ENGINE={wanted} needs a model",
        hint=f"voicebot models pull NAME (see voicebot models list), or set VOICEBOT_{wanted.upper()}_MODEL",
    )


def present(home: Path, entries: Iterable[Entry]) -> list[Choice]:
    """Return every engine whose package and model are here, the best first."""
    found = [
        (entry.rank, Choice(entry.engine, home / entry.place, _BEST))
        for entry in entries
        if entry.kind == "recogniser" and entry.present(home / entry.place) and installed(entry.engine)
    ]
    ranked = [(WHISPER_RANK, Choice("whisper", None, _BEST)), *found]
    return [choice for _, choice in sorted(ranked, key=lambda one: -one[0])]


def installed(engine: str) -> bool:
    """Whether an engine's package is there."""
    module = _MODULES.get(engine)
    return module is None or find_spec(module) is not None
