"""`voicebot train endpoint`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from voicebot.domain.errors import DataError
from voicebot.registry import models, resources
from voicebot.settings import Settings


def endpoint(
    data: Annotated[Path, typer.Option(help="folder of utterances with transcripts.tsv")],
    out: Annotated[Path | None, typer.Option(help="folder to write: <models>/endpoint/<version>")] = None,
    seed: Annotated[int, typer.Option(help="of every random choice")] = 1,
) -> None:
    """Train what tells ends of turns from pauses. Takes some minutes of CPU.

    One half of the utterances is fitted to; judge the other half with: voicebot bench turns

    Examples:
      voicebot train endpoint --data recordings
      voicebot train endpoint --data recordings --out models/endpoint/2
    """
    from voicebot.bench import endpoint_clips
    from voicebot.speech.endpointing import cases, hearing, training
    from voicebot.speech.recognition.decoder import Decoder
    from voicebot.speech.recognition.weights import assemble
    from voicebot.speech.recognition.whisper import WINDOW_S

    home = Settings().home
    target = out or models.next_version((home / "models", resources.models_dir()), "endpoint")
    if not models.is_version(target.name):
        raise DataError(f"{target.name!r} is no version", hint="end --out with a number such as 2 or 1.3")
    found = cases.build(endpoint_clips.read(data), seed)
    decoder = Decoder(assemble(home / "models" / "whisper-base"), WINDOW_S)
    console = Console(highlight=False)
    with console.status(f"listening to {len(found)} ends and pauses"):
        heard = list(hearing.hear(found, decoder))
    manifest = training.train(heard, target, seed=seed)
    for name, value in manifest.metrics.items():
        console.print(f"{name:36} {value:.3f}")
    console.print(f"written: {target}")
