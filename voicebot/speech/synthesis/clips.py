"""Clips: prompts that lie ready as files, with a manifest that says what each is and where it came from."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import soundfile

from voicebot.domain.audio import LINE_RATE_HZ, Audio
from voicebot.domain.errors import DataError
from voicebot.domain.script import Style
from voicebot.speech.synthesis.files import write_atomically

MANIFEST = "manifest.json"
FORMAT = 1


@dataclass(frozen=True, slots=True)
class Clip:
    """One recorded or rendered prompt."""

    file: str  # FLAC, 8 kHz, 16 bit, mono; relative to the manifest
    text: str  # hanzi
    style: str
    voice: str
    engine: str
    licence: str
    sha256: str  # of the file
    duration_ms: int
    kind: Literal["prompt", "part"] = "prompt"  # part: a clause made to be joined
    readings: str = ""  # polyphones as they were told to the engine
    chain: str = ""  # version of the post-chain


def encode_flac(audio: Audio) -> bytes:
    """Return audio as a FLAC file."""
    buffer = io.BytesIO()
    samples = np.frombuffer(audio.pcm, "<i2")
    soundfile.write(buffer, samples, audio.rate_hz, format="FLAC", subtype="PCM_16")
    return buffer.getvalue()


def decode_flac(data: bytes, where: str) -> Audio:
    """Return the audio of a FLAC or WAV file, which must be 8 kHz mono. Raises DataError."""
    try:
        samples, rate_hz = soundfile.read(io.BytesIO(data), dtype="int16", always_2d=True)
    except (soundfile.SoundFileError, RuntimeError) as error:
        raise DataError(f"{where} is not a readable audio file: {error}", hint="Render it again.") from error
    if rate_hz != LINE_RATE_HZ or samples.shape[1] != 1 or not len(samples):
        raise DataError(
            f"{where} has {rate_hz} Hz, {samples.shape[1]} channels, {len(samples)} samples",
            hint="Clips are 8000 Hz mono.",
        )
    return Audio(samples[:, 0].astype("<i2").tobytes(), rate_hz)


def clip_file(text: str, style: str, voice: str) -> str:
    """Return the file name of a clip: the same words in the same voice are the same file."""
    return hashlib.sha256(f"{text}\n{style}\n{voice}".encode()).hexdigest()[:16] + ".flac"


class ClipLibrary:
    """A directory of clips. Files are read, and checked against their hash, when they are used."""

    def __init__(self, directory: Path) -> None:
        """Read the manifest; a directory without one is an empty library. Raises DataError."""
        self.directory = directory
        self.clips: tuple[Clip, ...] = ()
        path = directory / MANIFEST
        if path.is_file():
            self.clips = _read_manifest(path)
        self._index = {(clip.text, clip.style): clip for clip in reversed(self.clips)}

    def find(self, text: str, style: Style) -> Clip | None:
        """Return the clip that says exactly this in this style."""
        return self._index.get((text, style.value))

    def audio(self, clip: Clip) -> Audio:
        """Return a clip's sound. Raises DataError if the file is missing or damaged."""
        path = self.directory / clip.file
        try:
            data = path.read_bytes()
        except OSError as error:
            raise DataError(f"the clip {path} cannot be read: {error.strerror}") from error
        if hashlib.sha256(data).hexdigest() != clip.sha256:
            raise DataError(f"the clip {path} is damaged", hint="Install again, or render it again.")
        return decode_flac(data, str(path))


def write_manifest(directory: Path, clips: Iterable[Clip]) -> None:
    """Replace a directory's manifest."""
    ordered = sorted(clips, key=lambda clip: (clip.kind, clip.text, clip.style, clip.voice))
    body = ",\n".join(json.dumps(asdict(clip), ensure_ascii=False) for clip in ordered)
    text = f'{{"format": {FORMAT}, "rate_hz": {LINE_RATE_HZ}, "clips": [\n{body}\n]}}\n'
    write_atomically(directory / MANIFEST, text.encode())


def _read_manifest(path: Path) -> tuple[Clip, ...]:
    try:
        document = json.loads(path.read_text("utf-8"))
        if document["format"] != FORMAT:
            raise DataError(f"{path} has format {document['format']}, expected {FORMAT}")
        return tuple(Clip(**row) for row in document["clips"])
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise DataError(
            f"{path} is not a manifest of clips: {error}", hint="Render the clips again."
        ) from error


def used_readings(text: str, readings: Mapping[str, str]) -> str:
    """Return those readings that touch a text, as one line: part of what makes a rendering the same."""
    return "; ".join(f"{phrase}={readings[phrase]}" for phrase in sorted(readings) if phrase in text)
