"""Reads a folder of utterances into telephone condition. A helper of `bench turns` and `train endpoint`."""

from __future__ import annotations

import csv
import json
import zlib
from pathlib import Path

import numpy as np

from voicebot.bench import telephone
from voicebot.domain.audio import Audio
from voicebot.domain.errors import DataError
from voicebot.registry import resources
from voicebot.speech.endpointing.cases import Clip, speech

_SUFFIXES = (".wav", ".flac", ".mp3", ".ogg")
_LEVEL_DBOV = (-32.0, -22.0)  # active level of calls


def read(folder: Path, limit: int = 0) -> list[Clip]:
    """Return the clips that transcripts.tsv (file, transcript) names, each at a level of its own.

    The level is drawn from the file's name, so that it is the same in every run. Raises DataError.
    """
    table = folder / "transcripts.tsv"
    if not table.is_file():
        raise DataError(f"{table} is missing", hint="write it: file, transcript, separated by a tab")
    clips = []
    with table.open(encoding="utf-8", newline="") as lines:
        for number, row in enumerate(csv.DictReader(lines, delimiter="\t"), 2):
            if row.get("file") is None or row.get("transcript") is None:
                raise DataError(f"{table.name} line {number}: file or transcript is missing")
            clips.append(_clip(folder / row["file"], row["file"], row["transcript"]))
            if limit and len(clips) >= limit:
                break
    return clips


def read_any(folder: Path) -> list[Clip]:
    """Return the clips of a folder with or without transcripts.tsv; without it their texts are unknown."""
    if (folder / "transcripts.tsv").is_file():
        return read(folder)
    files = sorted(path for path in folder.rglob("*") if path.suffix in _SUFFIXES)
    if not files:
        raise DataError(f"{folder} holds no recordings", hint=f"give {', '.join(_SUFFIXES)}")
    return [_clip(path, path.name, "") for path in files]


def demo_customers() -> list[Clip]:
    """Return what the demo's customers say, in several rendered voices that nothing is fitted to."""
    return [
        _clip(manifest.parent / told["file"], told["file"], told["text"])
        for manifest in sorted((resources.demo_dir() / "customers").glob("*/manifest.json"))
        for told in json.loads(manifest.read_text("utf-8"))["clips"]
    ]


def _clip(path: Path, name: str, text: str) -> Clip:
    audio = telephone.telephone(_levelled(telephone.read(path), name))
    return Clip(name, np.frombuffer(audio.pcm, "<i2").astype(np.float32) / np.float32(32768), text)


def _levelled(audio: Audio, name: str) -> Audio:
    line = np.frombuffer(telephone.clean(audio).pcm, "<i2").astype(np.float32) / np.float32(32768)
    spans = speech(line)
    if not spans:
        return audio
    active = np.concatenate([line[start * 80 : end * 80] for start, end in spans])
    low, high = _LEVEL_DBOV
    wanted = low + (high - low) * (zlib.crc32(name[::-1].encode()) % 1000) / 999
    gain = 10 ** (wanted / 20) / (float(np.sqrt(np.mean(active**2))) + 1e-9)
    samples = np.frombuffer(audio.pcm, "<i2").astype(np.float64) * gain
    return Audio(np.clip(np.round(samples), -32768, 32767).astype("<i2").tobytes(), audio.rate_hz)
