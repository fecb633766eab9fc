"""What the talkers of `bench load` say: the simulated customers' lines, or real speech. A helper of it."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

from voicebot.bench import telephone
from voicebot.domain.audio import LINE_RATE_HZ, Audio
from voicebot.domain.errors import DataError
from voicebot.registry import resources
from voicebot.simulate import personas
from voicebot.simulate.phone import load_voices

MEAN_S = 2.5  # the talk density that the bench promises
SHORTEST_S, LONGEST_S = 1.0, 4.0
# Their lines keep a conversation going; the others refuse, close or say nothing.
TALKATIVE = ("interested", "price", "hesitant", "busy_calm", "wants_human")
_GAP = bytes(2 * LINE_RATE_HZ * 12 // 100)  # 120 ms between two sentences of one utterance


def prepare(folder: Path, data: Path | None, seed: int) -> float:
    """Write what is said as *.pcm into a folder; return its mean length in seconds. Raises DataError.

    Args:
        folder: to write to.
        data: folder of wav, flac or mp3; None = the simulated customers' own lines.
        seed: of the choice.
    """
    chosen = _recorded(data) if data else _rendered(seed)
    for number, audio in enumerate(chosen):
        (folder / f"{number:03}.pcm").write_bytes(audio.pcm)
    return sum(audio.duration_s for audio in chosen) / len(chosen)


def _rendered(seed: int) -> Sequence[Audio]:
    people = personas.choose(personas.load(resources.demo_dir() / "personas.yaml"), TALKATIVE)
    voices = load_voices(people, resources.demo_dir() / "customers")
    dice = random.Random(seed)  # noqa: S311  # which sentences stand together
    made = []
    for lines in voices.values():
        sentences = list(lines.values())
        for first in sentences:
            said = first
            while said.duration_s < MEAN_S - 0.5:
                said = Audio(said.pcm + _GAP + dice.choice(sentences).pcm)
            made.append(said)
    return _near_the_mean(made)


def _recorded(data: Path) -> Sequence[Audio]:
    files = sorted(path for path in data.rglob("*") if path.suffix in (".wav", ".flac", ".mp3"))
    found = [telephone.telephone(telephone.read(path)) for path in files[:200]]
    return _near_the_mean([audio for audio in found if SHORTEST_S <= audio.duration_s <= LONGEST_S])


def _near_the_mean(found: Sequence[Audio]) -> Sequence[Audio]:
    """Drop the longest or the shortest until the mean is right."""
    if not found:
        raise DataError(
            f"no speech of {SHORTEST_S:g} to {LONGEST_S:g} s", hint="name another folder with --data"
        )
    kept = sorted(found, key=lambda audio: audio.duration_s)
    while len(kept) > 10 and abs(mean := sum(a.duration_s for a in kept) / len(kept)) != MEAN_S:
        if abs(mean - MEAN_S) < 0.1:
            break
        kept = kept[:-1] if mean > MEAN_S else kept[1:]
    return kept
