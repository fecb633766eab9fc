"""`voicebot say`."""

from __future__ import annotations

import io
import wave
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from voicebot import bootstrap
from voicebot.cli.prompts import ready, warn_robotic
from voicebot.domain.audio import Audio
from voicebot.domain.errors import SettingsError
from voicebot.domain.script import Style
from voicebot.settings import Settings
from voicebot.speech.synthesis.files import write_atomically
from voicebot.speech.synthesis.prompts import checked


def say(
    text: Annotated[str, typer.Argument(help="In hanzi and Chinese punctuation.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="WAV file, 8 kHz.")],
    style: Annotated[Style, typer.Option(help="Tone of voice.")] = Style.NEUTRAL,
    engine: Annotated[
        str, typer.Option(help="kokoro, pyttsx3 or espeak; default: as in a call, clips first.")
    ] = "",
) -> None:
    """Speak a text into a file, as a customer would hear it.

    Example:
      voicebot say 您好，请问您现在方便吗？ -o hello.wav --style soft
    """
    settings = Settings()
    line = checked(text)
    if engine:
        speaker = next((one for one in bootstrap.voices(settings) if one.name.startswith(engine)), None)
        if speaker is None:
            raise SettingsError(f"no engine is called {engine!r}", hint="--engine: kokoro, pyttsx3 or espeak")
        ready(speaker)
        source, robotic, audio = speaker.name, speaker.robotic, speaker.synthesize(line, style)
    else:
        prompts = bootstrap.prompts(settings)
        ref = prompts.prepare(line, style)
        source, robotic, audio = ref.engine, prompts.robotic(ref.engine), prompts.audio(ref.key)
    if robotic:
        warn_robotic(source)
    write_atomically(out, wav(audio))
    Console().print(f"{out}: {audio.duration_s:.1f} s, {source}", highlight=False)


def wav(audio: Audio) -> bytes:
    """Return audio as a WAV file."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(audio.rate_hz)
        file.writeframes(audio.pcm)
    return buffer.getvalue()
