"""Held-out lines as telephone speech: rendered once in many voices, kept, heard by the real recogniser."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile

from voicebot.bench.telephone import read, telephone
from voicebot.domain.audio import LINE_RATE_HZ, Audio
from voicebot.domain.errors import DataError
from voicebot.domain.ports import Recognizer
from voicebot.domain.script import Playbook, Style
from voicebot.domain.speech import Expectation, Transcript
from voicebot.speech.synthesis.kokoro import KokoroSynthesizer

_QUIET = b"\0\0" * (LINE_RATE_HZ // 5)  # 200 ms before and after
_SPEEDS = (0.95, 1.0, 1.1, 1.2)


class Speakers:
    """Customers of the bench: every conversation has a voice and a speed of its own."""

    def __init__(self, weights: Path, keep: Path, readings: dict[str, str]) -> None:
        """Name Kokoro's weights, and the folder in which what was rendered is kept."""
        self._voices = sorted(path.stem for path in (weights / "voices").glob("z[fm]_*.bin"))
        if not self._voices:
            raise DataError(
                f"{weights} has no voices", hint="--set voices=DIR: Kokoro's model and voices/z*.bin"
            )
        self._weights, self._keep, self._readings = weights, keep, readings
        self._engines: dict[tuple[str, float], KokoroSynthesizer] = {}

    def voice(self, conversation: str) -> str:
        """Return the name of the voice that a conversation has."""
        return self._manner(conversation)[0]

    def _manner(self, conversation: str) -> tuple[str, float]:
        number = int.from_bytes(hashlib.sha256(conversation.encode()).digest()[:4], "big")
        return self._voices[number % len(self._voices)], _SPEEDS[number // len(self._voices) % len(_SPEEDS)]

    def say(self, text: str, conversation: str) -> Audio:
        """Return a line as a telephone carries it: 300-3400 Hz, 8 kHz, A-law."""
        voice, speed = self._manner(conversation)
        name = hashlib.sha256(f"{voice} {speed} {text}".encode()).hexdigest()[:20]
        file = self._keep / f"{name}.flac"
        if not file.is_file():
            if (voice, speed) not in self._engines:
                self._engines.clear()  # one speaks at a time, and each takes 150 MB
                self._engines[voice, speed] = KokoroSynthesizer(
                    self._weights, voice, self._readings, 1, speed
                )
            engine = self._engines[voice, speed]
            sound = engine.synthesize(text.replace("OK", "欧克"), Style.NEUTRAL)  # it reads hanzi only
            self._keep.mkdir(parents=True, exist_ok=True)
            soundfile.write(file, np.frombuffer(sound.pcm, "<i2"), sound.rate_hz)
        kept = read(file)
        return telephone(Audio(_QUIET + kept.pcm + _QUIET, kept.rate_hz))


def hear(
    recognizer: Recognizer, audio: Audio, answers: Sequence[Sequence[str]], playbook: Playbook
) -> Transcript:
    """Return what the recogniser understands, told what a call would tell it here."""
    scripts = playbook.scripts.values()
    lines = [line for script in scripts for line in script.examples]
    lines += [phrase for script in scripts for one in script.answers for phrase in one.phrases]
    expected = tuple(tuple(phrases) for phrases in answers)
    stream = recognizer.open(
        audio.rate_hz, Expectation(expected, playbook.keywords, tuple(dict.fromkeys(lines)))
    )
    stream.feed(audio.pcm)
    return stream.result(final=True)
