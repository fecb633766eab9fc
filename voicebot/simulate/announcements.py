"""What networks and mailboxes say, by what it means, and who speaks which of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from voicebot.domain.answering import NumberStatus
from voicebot.domain.audio import Audio
from voicebot.domain.errors import DataError
from voicebot.speech.synthesis.clips import ClipLibrary


class Announcements(BaseModel):
    """A file of announcements."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    voices: tuple[str, ...] = Field(min_length=1)
    takes: int = Field(default=1, ge=1)  # in how many voices each is said
    announcements: Mapping[NumberStatus, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Spoken:
    """One announcement as it was said."""

    status: NumberStatus
    text: str
    voice: str
    audio: Audio


def load(path: Path) -> Announcements:
    """Read a file of announcements. Raises DataError."""
    try:
        return Announcements.model_validate(yaml.safe_load(path.read_text("utf-8")))
    except (OSError, yaml.YAMLError, ValidationError) as error:
        raise DataError(f"{path} is no file of announcements: {error}") from error


def orders(told: Announcements) -> dict[str, list[str]]:
    """Return voice -> texts that it says: the voices take turns, none says a text twice."""
    found: dict[str, list[str]] = {voice: [] for voice in told.voices}
    turn = cycle(told.voices)
    for texts in told.announcements.values():
        for text in texts:
            for _ in range(min(told.takes, len(told.voices))):
                found[next(turn)].append(text)
    return found


def spoken(told: Announcements, directory: Path) -> list[Spoken]:
    """Return every announcement that lies rendered in directory/<voice>. Raises DataError."""
    status_of = {text: status for status, texts in told.announcements.items() for text in texts}
    found = []
    for voice in told.voices:
        library = ClipLibrary(directory / voice)
        found += [
            Spoken(status_of[clip.text], clip.text, voice, library.audio(clip))
            for clip in library.clips
            if clip.text in status_of
        ]
    return found
