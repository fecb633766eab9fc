"""The voices of simulated customers: renders a persona's lines to clips, in its manner."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from voicebot.domain.audio import Audio
from voicebot.domain.script import Style
from voicebot.emotion.voices import Manner, Speaker, put_together, take_apart
from voicebot.simulate.personas import Persona
from voicebot.speech.synthesis.chain import finish, to_float
from voicebot.speech.synthesis.kokoro import KOKORO_RATE_HZ, KokoroSynthesizer
from voicebot.speech.synthesis.rendering import ClipOrder, RenderReport, render_clips

# a voice with anger in it: higher, wider, flatter spectrum, louder (see voicebot.emotion)
IRRITATED = Manner(f0_st=3.5, range_factor=1.35, level_db=0.0, tilt_db_oct=2.0, rate_factor=1.05)
IRRITATED_LEVEL_DBOV = -19.0
_SAME_SPEAKER = Speaker(f0_factor=1.0, formant_factor=1.0, gain_db=0.0, line_tilt_db=0.0, noise_db=-90.0)


class IrritatedVoice:
    """A Kokoro voice made irritated with WORLD. Development time only: needs pyworld."""

    robotic = False
    live = False

    def __init__(self, voice: KokoroSynthesizer) -> None:
        """Wrap a voice."""
        self.name = f"{voice.name}+irritated"
        self._voice = voice

    def available(self) -> str:
        """Return what the wrapped voice lacks."""
        return self._voice.available()

    def synthesize(self, text: str, style: Style) -> Audio:
        """Return the text said with irritation."""
        parts = take_apart(self._voice.render(text, style).astype(np.float64), KOKORO_RATE_HZ)
        pcm = put_together(parts, _SAME_SPEAKER, IRRITATED, np.random.default_rng(1))
        loud = Audio(pcm)
        return finish(to_float(loud), loud.rate_hz, level_dbov=IRRITATED_LEVEL_DBOV)


def render_lines(
    person: Persona,
    voice: KokoroSynthesizer,
    directory: Path,
    licence: str,
    progress: Callable[[int, int], None],
) -> RenderReport:
    """Bring a persona's clips in directory/<id> up to date."""
    return render_clips(
        [ClipOrder(text) for text in person.lines],
        IrritatedVoice(voice) if person.manner == "irritated" else voice,
        directory / person.id,
        voice=person.voice,
        licence=licence,
        readings={},
        progress=progress,
    )
