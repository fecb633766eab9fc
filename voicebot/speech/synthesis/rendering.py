"""Renders clips ahead of time: only what is missing or has changed, and no half-done manifest."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from voicebot.domain.ports import Synthesizer
from voicebot.domain.script import Playbook, Style
from voicebot.speech.synthesis.chain import CHAIN_VERSION
from voicebot.speech.synthesis.clips import (
    Clip,
    ClipLibrary,
    clip_file,
    encode_flac,
    used_readings,
    write_manifest,
)
from voicebot.speech.synthesis.files import write_atomically

_SAVE_EVERY = 10


@dataclass(frozen=True, slots=True)
class ClipOrder:
    """A clip that should exist."""

    text: str
    style: Style = Style.NEUTRAL
    kind: Literal["prompt", "part"] = "prompt"


@dataclass(frozen=True, slots=True)
class RenderReport:
    """What a rendering run did."""

    rendered: tuple[Clip, ...]
    kept: int
    dropped: int  # clips no longer ordered


def playbook_orders(playbook: Playbook) -> tuple[ClipOrder, ...]:
    """Return every slot-free text that a playbook can say, each once, in its styles."""
    orders: dict[ClipOrder, None] = {}
    for script in playbook.scripts.values():
        for text in (script.text, *script.variants, *script.reprompt):
            if "{" not in text:
                orders[ClipOrder(text)] = None
        for style, text in script.styles.items():
            if "{" not in text:
                orders[ClipOrder(text, Style(style))] = None
    return tuple(orders)


def render_clips(
    orders: Sequence[ClipOrder],
    engine: Synthesizer,
    directory: Path,
    *,
    voice: str,
    licence: str,
    readings: Mapping[str, str],
    progress: Callable[[int, int], None] = lambda done, total: None,
    prune: bool = True,
) -> RenderReport:
    """Bring a directory of clips up to date.

    Args:
        orders: the clips that should exist.
        engine: speaks those that are missing.
        directory: holds the clips and their manifest.
        voice: name of the voice, for the manifest.
        licence: of the rendered sound, for the manifest.
        readings: what the engine was told about polyphones.
        progress: told (done, total) after each clip.
        prune: remove clips that are not ordered.

    Raises:
        SynthesisError: a text cannot be spoken; what was rendered before stays.
    """
    have = {clip.file: clip for clip in ClipLibrary(directory).clips}
    wanted = {clip_file(order.text, order.style, voice): order for order in orders}
    rendered: list[Clip] = []
    try:
        for done, (file, order) in enumerate(wanted.items(), start=1):
            told = used_readings(order.text, readings)
            if not _current(have.get(file), engine.name, told, order.kind, directory):
                clip = _render(order, engine, directory, file, voice, licence, told)
                have[file] = clip
                rendered.append(clip)
                if len(rendered) % _SAVE_EVERY == 0:
                    write_manifest(directory, have.values())
            progress(done, len(wanted))
        dropped = _prune(have, wanted, directory) if prune else 0
    finally:
        write_manifest(directory, have.values())
    return RenderReport(tuple(rendered), len(wanted) - len(rendered), dropped)


def _current(clip: Clip | None, engine: str, told: str, kind: str, directory: Path) -> bool:
    return (
        clip is not None
        and (clip.engine, clip.readings, clip.chain, clip.kind) == (engine, told, CHAIN_VERSION, kind)
        and (directory / clip.file).is_file()
    )


def _render(
    order: ClipOrder, engine: Synthesizer, directory: Path, file: str, voice: str, licence: str, told: str
) -> Clip:
    audio = engine.synthesize(order.text, order.style)
    data = encode_flac(audio)
    write_atomically(directory / file, data)
    return Clip(
        file=file,
        text=order.text,
        style=order.style.value,
        voice=voice,
        engine=engine.name,
        licence=licence,
        sha256=hashlib.sha256(data).hexdigest(),
        duration_ms=round(audio.duration_s * 1000),
        kind=order.kind,
        readings=told,
        chain=CHAIN_VERSION,
    )


def _prune(have: dict[str, Clip], wanted: Iterable[str], directory: Path) -> int:
    stale = set(have) - set(wanted)
    for file in stale:
        del have[file]
        (directory / file).unlink(missing_ok=True)
    return len(stale)
