"""Recordings of a human voice: a folder of files becomes a library of clips, or says why not."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from voicebot.domain.errors import DataError, VoicebotError
from voicebot.domain.script import Playbook, Style
from voicebot.speech.synthesis.chain import CHAIN_VERSION, active_level_dbov, finish
from voicebot.speech.synthesis.clips import Clip, ClipLibrary, clip_file, encode_flac, write_manifest
from voicebot.speech.synthesis.files import write_atomically
from voicebot.speech.synthesis.rendering import ClipOrder, playbook_orders
from voicebot.speech.synthesis.spoken import slot_parts
from voicebot.text.normalise import comparable

SUFFIXES = frozenset((".wav", ".flac", ".ogg", ".mp3"))
MIN_RATE_HZ = 8000
MIN_LEVEL_DBOV = -50.0  # below that the line's own noise is as loud
MAX_CLIPPED = 0.001  # share of samples at full scale
MIN_ABOVE_NOISE_DB = 20.0
MAX_PAUSE_S = 1.5
SECONDS_PER_HANZI = (0.08, 0.7)
_WINDOW_S = 0.02


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of a folder of recordings."""

    clips: tuple[Clip, ...]
    refused: Mapping[str, str]  # file name -> reason
    missing: tuple[str, ...]  # texts of the playbook that still have no clip here


def import_recordings(
    folder: Path, playbook: Playbook, directory: Path, *, voice: str, licence: str
) -> Imported:
    """Take recordings into a library of clips; those of bad sound stay out, with the reason.

    A file is matched by its name: a script id (`pitch_main.wav`), an id and a style
    (`pitch_main.soft.wav`), or the words themselves, punctuation ignored (`好的再见.wav`).

    Args:
        folder: WAV, FLAC, OGG or MP3 files, at least 8 kHz.
        playbook: whose texts are spoken.
        directory: of the library; clips that are there stay, unless recorded anew.
        voice: name of the speaker, for the manifest.
        licence: what the recordings may be used for, for the manifest.

    Raises:
        DataError: there is no such folder, or it holds no recordings.
    """
    files = [path for path in sorted(folder.glob("*")) if path.suffix.lower() in SUFFIXES]
    if not files:
        raise DataError(
            f"no recordings in {folder}", hint=f"Files end in {', '.join(sorted(SUFFIXES))}; one text each."
        )
    orders = (*playbook_orders(playbook), *(ClipOrder(text, kind="part") for text in slot_parts(playbook)))
    have = {(clip.text, clip.style): clip for clip in ClipLibrary(directory).clips}
    taken: dict[tuple[str, str], Clip] = {}
    refused: dict[str, str] = {}
    for path in files:
        try:
            order = match(path.stem, playbook, orders)
            clip = _take(path, order, directory, voice, licence)
        except VoicebotError as error:
            refused[path.name] = error.detail
        else:
            taken[clip.text, clip.style] = clip
    if taken:
        write_manifest(directory, {**have, **taken}.values())
    spoken = {text for text, _ in (*have, *taken)}
    missing = tuple(order.text for order in orders if order.kind == "prompt" and order.text not in spoken)
    return Imported(tuple(taken.values()), refused, missing)


def match(stem: str, playbook: Playbook, orders: Sequence[ClipOrder]) -> ClipOrder:
    """Return the text that a file name stands for. Raises DataError."""
    name, _, style = stem.partition(".")
    script = playbook.scripts.get(name)
    if script is not None:
        if style and style not in tuple(Style):
            raise DataError(f"no style is called {style!r}: one of {', '.join(Style)}")
        text = script.styles.get(style, script.text)
        if "{" in text:
            raise DataError(f"{name} has slots: record its parts, each named by its words")
        return ClipOrder(text, Style(style or "neutral"))
    words = comparable(stem)
    for order in orders:
        if words and comparable(order.text) == words:
            return order
    raise DataError("neither a script id nor the words of a script")


def faults(sound: NDArray[np.float64], rate_hz: int, text: str) -> Iterator[str]:
    """Yield what is wrong with a recording of a text; nothing if it can be used."""
    if rate_hz < MIN_RATE_HZ:
        yield f"{rate_hz} Hz: at least {MIN_RATE_HZ} Hz are needed"
        return
    level = active_level_dbov(sound, rate_hz)
    if level < MIN_LEVEL_DBOV:
        yield f"too quiet: {level:.0f} dBov, at least {MIN_LEVEL_DBOV:.0f}"
        return
    clipped = float(np.mean(np.abs(sound) > 0.999))
    if clipped > MAX_CLIPPED:
        yield f"overdriven: {100 * clipped:.1f} % of the samples are at full scale"
    size = int(_WINDOW_S * rate_hz)
    levels = 10 * np.log10((sound[: len(sound) // size * size].reshape(-1, size) ** 2).mean(axis=1) + 1e-12)
    above = float(level - np.percentile(levels, 5))
    if above < MIN_ABOVE_NOISE_DB and len(levels) > 10:
        yield f"noisy: speech is {above:.0f} dB above the noise, at least {MIN_ABOVE_NOISE_DB:.0f}"
    speech = np.flatnonzero(levels > level - 25)
    pause = float(np.diff(speech).max(initial=1) - 1) * _WINDOW_S
    if pause > MAX_PAUSE_S:
        yield f"a pause of {pause:.1f} s inside, at most {MAX_PAUSE_S:.1f}"
    seconds = float(speech[-1] - speech[0] + 1) * _WINDOW_S
    least, most = (len(comparable(text)) * share for share in SECONDS_PER_HANZI)
    if not least <= seconds <= most + 1:
        yield f"{seconds:.1f} s of speech cannot be this text ({least:.1f} to {most + 1:.1f} s)"


def _take(path: Path, order: ClipOrder, directory: Path, voice: str, licence: str) -> Clip:
    try:
        samples, rate_hz = soundfile.read(path, dtype="float64", always_2d=True)
    except (OSError, soundfile.SoundFileError) as error:
        raise DataError(f"not a readable sound file ({error})") from error
    sound = samples.mean(axis=1)
    found = "; ".join(faults(sound, rate_hz, order.text)) if len(sound) else "empty"
    if found:
        raise DataError(found)
    audio = finish(sound, rate_hz)
    data = encode_flac(audio)
    file = clip_file(order.text, order.style, voice)
    write_atomically(directory / file, data)
    return Clip(
        file=file,
        text=order.text,
        style=order.style.value,
        voice=voice,
        engine=f"recorded/{voice}",
        licence=licence,
        sha256=hashlib.sha256(data).hexdigest(),
        duration_ms=round(audio.duration_s * 1000),
        kind=order.kind,
        chain=CHAIN_VERSION,
    )
