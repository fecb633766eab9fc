"""The voice: how fast each engine speaks, how well it is understood, and whether anything gets lost."""

from __future__ import annotations

import os
import random
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from voicebot import bootstrap
from voicebot.bench import telephone
from voicebot.bench.frame import Options, Result
from voicebot.domain.audio import Audio
from voicebot.domain.errors import RecognitionError, VoicebotError
from voicebot.domain.ports import Recognizer, Synthesizer
from voicebot.domain.script import Playbook, Style
from voicebot.settings import Settings
from voicebot.speech.synthesis.chain import active_level_dbov, to_float
from voicebot.speech.synthesis.prompts import PromptCache
from voicebot.speech.synthesis.pyttsx3_engine import Pyttsx3Synthesizer
from voicebot.speech.synthesis.rendering import playbook_orders
from voicebot.text.distance import character_error

PLAYBOOK = "consumer_loan"
ENGINE_TEXTS = 20  # an engine speaks these live; the shipped prompts are judged whole
REQUESTS = 2000
KILL_EVERY_S = 0.5  # on average
SHORT_TEXTS = ("您好。", "好的，再见。", "请问您现在方便吗？", "额度最高二十万。", "不好意思，打扰您了。")
TRIES = 5  # to recognise one text
SAME = 0.15  # of the duration: a repeated text is whole if it lasts as long as the first time
SILENCE = bytes(4000)  # before and after, as the segmenter leaves it
Line = tuple[str, Callable[[Audio], Audio]]
BOTH: tuple[Line, Line] = (("clean", telephone.clean), ("telephone", telephone.telephone))


@dataclass(frozen=True, slots=True)
class Spoken:
    """One text as it was spoken."""

    text: str
    audio: Audio
    seconds: float  # until the whole of it was there


def run(options: Options) -> Result:
    """Judge prompts and engines.

    --limit bounds prompts and pyttsx3's requests; --set playbook=ID names the prompts.
    """
    settings = Settings()
    book = bootstrap.playbooks(settings).get(options.extra.get("playbook", PLAYBOOK))
    said = {style: _said(book, style)[: options.limit or None] for style in Style}
    texts = said[Style.NEUTRAL]
    ears = bootstrap.recognizer(settings)
    with tempfile.TemporaryDirectory(prefix="voicebot-bench-") as folder:
        prompts = bootstrap.prompts(settings, Path(folder))
        rows: list[Mapping[str, Any]] = [_prompt_row(prompts, said[style], style, ears) for style in Style]
        hit_ms = _hit_ms(prompts, texts)
    rows += [_engine_row(engine, texts[:ENGINE_TEXTS], ears) for engine in bootstrap.voices(settings)]
    lost, kills, tries = pyttsx3_lost(options.limit or REQUESTS, options.seed)
    rows.append({"voice": "pyttsx3, killed at random", "texts": tries, "kills": kills, "lost": lost})
    shipped = rows[0]
    return Result(
        {
            "cer_prompts_telephone": shipped["cer_telephone"],
            "pyttsx3_lost": float(lost),
            "cache_hit_ms": hit_ms,
        },
        rows,
        notes=(
            f"prompts of {book.id}; understood by {ears.name}: its own errors are in the figures",
            "first_ms: until the first 20 ms can be sent; an engine gives a text whole, not in chunks",
            "soft and brisk are made from the neutral clip where there is no clip in the style",
        ),
    )


def _said(book: Playbook, style: Style) -> list[str]:
    """Return the texts that a playbook says in a style: its own, and the neutral ones at its tempo."""
    return [order.text for order in playbook_orders(book) if order.style in (style, Style.NEUTRAL)]


def _prompt_row(prompts: PromptCache, texts: Sequence[str], style: Style, ears: Recognizer) -> dict[str, Any]:
    def speak(text: str) -> Audio:
        return prompts.audio(prompts.prepare(text, style).key)

    lines = BOTH if style is Style.NEUTRAL else BOTH[1:]
    return {"voice": f"prompts, {style.value}", **_judge(speak, texts, ears, lines)}


def _engine_row(engine: Synthesizer, texts: Sequence[str], ears: Recognizer) -> dict[str, Any]:
    name = f"{engine.name}{' (robotic)' if engine.robotic else ''}"
    if engine.available():
        return {"voice": f"{name}: not usable here", "texts": 0}
    return {"voice": name, **_judge(lambda text: engine.synthesize(text, Style.NEUTRAL), texts, ears, BOTH)}


def _judge(
    speak: Callable[[str], Audio], texts: Sequence[str], ears: Recognizer, lines: Sequence[Line]
) -> dict[str, Any]:
    spoken = [_timed(speak, text) for text in texts]
    sound_s = sum(one.audio.duration_s for one in spoken)
    busy_s = sum(one.seconds for one in spoken)
    return {
        "texts": len(spoken),
        "rtf": busy_s / sound_s,
        "first_ms": 1000 * median(one.seconds for one in spoken),
        "per_minute": 60 * len(spoken) / busy_s,
        "level_dbov": median(active_level_dbov(to_float(one.audio), one.audio.rate_hz) for one in spoken),
        **{f"cer_{name}": _cer(spoken, line, ears) for name, line in lines},
    }


def _timed(speak: Callable[[str], Audio], text: str) -> Spoken:
    began = time.perf_counter()
    audio = speak(text)
    return Spoken(text, audio, time.perf_counter() - began)


def _cer(spoken: Sequence[Spoken], line: Callable[[Audio], Audio], ears: Recognizer) -> float:
    return character_error((one.text, _hear(line(one.audio), ears)) for one in spoken)


def _hear(audio: Audio, ears: Recognizer) -> str:
    for tries_left in reversed(range(TRIES)):
        stream = ears.open(audio.rate_hz)
        stream.feed(SILENCE + audio.pcm + SILENCE)
        try:
            return stream.result(final=True).text
        except RecognitionError:  # late on a machine that does much else
            if not tries_left:
                raise
    return ""


def _hit_ms(prompts: PromptCache, texts: Sequence[str]) -> float:
    """Return the median time from a text to its sound when it lies ready, read from the disk."""
    times = []
    for text in texts:
        began = time.perf_counter()
        prompts.audio(prompts.prepare(text, Style.NEUTRAL).key)
        times.append(1000 * (time.perf_counter() - began))
    return median(times)


def pyttsx3_lost(requests: int, seed: int) -> tuple[int, int, int]:
    """Let pyttsx3 speak while its process is killed at random. Returns (lost, kills, requests)."""
    engine = Pyttsx3Synthesizer()
    dice = random.Random(seed)  # noqa: S311 - no secret
    lost = 0
    try:
        whole = {text: engine.synthesize(text, Style.NEUTRAL).duration_s for text in SHORT_TEXTS}
        with _killer(engine, seed) as kills:
            for _ in range(requests):
                text = dice.choice(SHORT_TEXTS)
                try:
                    seconds = engine.synthesize(text, Style.NEUTRAL).duration_s
                except VoicebotError:
                    lost += 1
                else:
                    lost += abs(seconds - whole[text]) > SAME * whole[text]
    finally:
        engine.close()
    return lost, len(kills), requests


@contextmanager
def _killer(engine: Pyttsx3Synthesizer, seed: int) -> Iterator[list[int]]:
    """Kill the engine's process at random moments; yields the ids of those killed."""
    dice = random.Random(seed + 1)  # noqa: S311 - no secret
    stop = threading.Event()
    killed: list[int] = []

    def hunt() -> None:
        while not stop.wait(dice.expovariate(1 / KILL_EVERY_S)):
            process = engine.process_id
            if process is not None and process not in killed:
                os.kill(process, signal.SIGKILL)
                killed.append(process)

    thread = threading.Thread(target=hunt, name="killer", daemon=True)
    thread.start()
    try:
        yield killed
    finally:
        stop.set()
        thread.join()
