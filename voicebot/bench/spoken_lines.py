"""Lines of customers, spoken by Kokoro for the bench of recognition. Rendered once, then kept."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import soundfile
import yaml

from voicebot.bench.telephone import read
from voicebot.domain.audio import Audio
from voicebot.domain.errors import DataError
from voicebot.domain.script import Playbook
from voicebot.speech.synthesis.kokoro import KOKORO_RATE_HZ, KokoroSynthesizer
from voicebot.text.normalise import comparable

VOICES = ("zf_xiaoni", "zm_yunjian", "zm_yunyang")  # none of them speaks a prompt of ours
_SHORTEST = 4  # hanzi; what is shorter is judged as an answer
_PEAK = 0.5


def of_playbook(playbook: Playbook, count: int, seed: int) -> list[str]:
    """Return a sample of the example lines of a playbook, to be judged and so left out of what is known."""
    lines = sorted({line for script in playbook.scripts.values() for line in script.examples})
    return _sample(lines, count, seed)


def of_dialogues(path: Path, count: int, seed: int) -> list[str]:
    """Return a sample of what customers say in the second half of a file of dialogues."""
    try:
        dialogues = yaml.safe_load(path.read_text("utf-8"))
        turns = [turn for dialogue in dialogues[len(dialogues) // 2 :] for turn in dialogue["turns"]]
        lines = sorted({turn["say"] for turn in turns if "say" in turn})
    except (OSError, yaml.YAMLError, KeyError, TypeError) as broken:
        raise DataError(
            f"{path} holds no dialogues ({broken})", hint="a list of id, title, turns"
        ) from broken
    return _sample(lines, count, seed)


def speak(lines: Sequence[str], weights: Path, cache: Path, voices: Sequence[str] = VOICES) -> list[Audio]:
    """Return the lines as clean speech, the voices taking turns. Raises ModelError without Kokoro."""
    cache.mkdir(parents=True, exist_ok=True)
    engines: dict[str, KokoroSynthesizer] = {}
    clips = []
    for number, line in enumerate(lines):
        voice = voices[number % len(voices)]
        path = cache / f"{hashlib.sha256(f'{voice}|{line}'.encode()).hexdigest()[:24]}.flac"
        if not path.is_file():
            engine = engines.setdefault(voice, KokoroSynthesizer(weights, voice))
            sound = engine.render(line)
            loudest = max(float(np.abs(sound).max()), 1e-6)
            soundfile.write(path, sound * (_PEAK / loudest), KOKORO_RATE_HZ)
        clips.append(read(path))
    return clips


def _sample(lines: Iterable[str], count: int, seed: int) -> list[str]:
    long = [line for line in lines if len(comparable(line)) >= _SHORTEST]
    random.Random(seed).shuffle(long)  # noqa: S311 a sample, no secret
    return long[: count or None]
