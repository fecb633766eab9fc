"""Speech recognition: whisper as it comes beside ours, with and without what is known of the talk.

Sets, each a folder with transcripts.tsv (columns file, transcript): off topic (--data, or its folder
`aishell`) and single words (its folder `words`, or --set words=DIR). On topic, customer lines are spoken by
three voices of Kokoro (weights in the data home, or VOICEBOT_KOKORO): lines of the playbook that are left out
of what is known (`lines`), and with --set dialogues=FILE lines of dialogues that were written apart from it
(`other lines`). --set playbook=ID names whose lines are known, --set lines=DIR gives recordings instead.
Every recogniser whose model is here is judged beside the one in use. --set only=ours leaves the others and
the clean condition out, which is a third of the time.
"""

from __future__ import annotations

import csv
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from voicebot import bootstrap
from voicebot.bench import answer_list, spoken_lines
from voicebot.bench.frame import Options, Result
from voicebot.bench.telephone import clean, read, telephone
from voicebot.domain.audio import Audio
from voicebot.domain.errors import DataError
from voicebot.domain.ports import Recognizer
from voicebot.domain.script import Playbook
from voicebot.domain.speech import Expectation, Transcript
from voicebot.registry import catalogue
from voicebot.settings import Settings
from voicebot.speech.recognition import engines, sound, weights
from voicebot.speech.synthesis.kokoro import KokoroSynthesizer
from voicebot.text.distance import character_error, syllable_error
from voicebot.text.normalise import comparable, normalise

Listen = Callable[[Audio], Transcript]
SURE = 0.4  # confidence from which the dialogue policy takes a yes as binding
LINES = 72  # of each set of lines, at most
UNKNOWN, KNOWN = "ours, nothing known", "ours, talk known"
_PLAIN_S = (30, 12)


@dataclass(frozen=True, slots=True)
class Heard:
    """One clip as one system understood it."""

    said: str
    transcript: Transcript
    duration_s: float
    cpu_s: float  # of the whole process
    wait_s: float  # from the end of the speech to the text


def run(options: Options) -> Result:
    """Judge every system on every set."""
    data = options.need_data("a folder with transcripts.tsv, or one that holds aishell/ and words/")
    settings = Settings()
    playbook = bootstrap.playbooks(settings).get(options.extra.get("playbook", "consumer_loan"))
    sets = dict(_sets(data, options, settings, playbook))
    judged = {comparable(said) for _, clips in sets.items() for said, _ in clips}
    known = _known(playbook, judged)
    recognizer = bootstrap.recognizer(settings)
    alone = options.extra.get("only") == "ours"
    systems = _ours(recognizer, known) if alone else _systems(settings, recognizer, known)
    rows, found = list[Mapping[str, Any]](), dict[tuple[str, str], list[Heard]]()
    for name, clips in sets.items():
        for system, listen in systems.items():
            found[name, system] = heard = [_hear(listen, said, telephone(audio)) for said, audio in clips]
            rows.append(_row(f"{name}, telephone", system, heard))
    ours = systems[KNOWN]
    for name, clips in () if alone else sets.items():
        heard = [_hear(ours, said, clean(audio)) for said, audio in clips]
        rows.append(_row(f"{name}, clean", KNOWN, heard))
    return Result(_summary(found), rows, notes=_notes(known, recognizer.name, sets))


def _systems(settings: Settings, recognizer: Recognizer, known: Expectation) -> dict[str, Listen]:
    """Return what is judged: whisper as it comes, ours, and every other engine whose model is here."""
    directory = weights.assemble(settings.home / "models" / "whisper-base")
    systems: dict[str, Listen] = {
        **{f"whisper as it comes, {window_s} s": _plain(directory, window_s) for window_s in _PLAIN_S},
        **_ours(recognizer, known),
    }
    used = bootstrap.recognizer_choice(settings)
    for choice in engines.present(settings.home, catalogue.load()):
        if (choice.engine, choice.directory) != (used.engine, used.directory):
            other = bootstrap.open_recognizer(choice, settings)
            systems[f"{other.name}, talk known"] = lambda audio, engine=other: _listen(engine, audio, known)  # type: ignore[misc]
    return systems


def _ours(recognizer: Recognizer, known: Expectation) -> dict[str, Listen]:
    return {
        UNKNOWN: lambda audio: _listen(recognizer, audio, Expectation()),
        KNOWN: lambda audio: _listen(recognizer, audio, known),
    }


def _sets(
    data: Path, options: Options, settings: Settings, playbook: Playbook
) -> Iterator[tuple[str, list[tuple[str, Audio]]]]:
    folders = {
        "off topic": data if (data / "transcripts.tsv").is_file() else data / "aishell",
        "words": Path(options.extra.get("words", data / "words")),
        **({"lines": Path(options.extra["lines"])} if "lines" in options.extra else {}),
    }
    for name, folder in folders.items():
        if (folder / "transcripts.tsv").is_file():
            yield name, _clips(folder, options.seed, options.limit)
        elif name in options.extra or name == "off topic":
            raise DataError(f"{folder} has no transcripts.tsv", hint="columns: file, transcript")
    voice = settings.kokoro or settings.home / "kokoro"
    if "lines" in options.extra or KokoroSynthesizer(voice, spoken_lines.VOICES[0]).available():
        return
    count = min(LINES, options.limit or LINES)
    spoken = {"lines": spoken_lines.of_playbook(playbook, count, options.seed)}
    if "dialogues" in options.extra:
        spoken["other lines"] = spoken_lines.of_dialogues(
            Path(options.extra["dialogues"]), count, options.seed
        )
    for name, lines in spoken.items():
        clips = spoken_lines.speak(lines, voice, settings.home / "bench" / "lines")
        yield name, list(zip(lines, clips, strict=True))


def _clips(folder: Path, seed: int, limit: int) -> list[tuple[str, Audio]]:
    with (folder / "transcripts.tsv").open(encoding="utf-8", newline="") as table:
        rows = list(csv.DictReader(table, delimiter="\t"))
    if not rows or not {"file", "transcript"} <= rows[0].keys():
        raise DataError(f"{folder / 'transcripts.tsv'} has no rows", hint="columns: file, transcript")
    random.Random(seed).shuffle(rows)  # noqa: S311 a sample, no secret
    return [(row["transcript"], read(folder / row["file"])) for row in rows[: limit or None]]


def _known(playbook: Playbook, judged: set[str]) -> Expectation:
    """Return what a call tells the recogniser, less the lines that are judged."""
    lines = (line for script in playbook.scripts.values() for line in script.examples)
    answers = tuple(answer_list.MEANINGS.values())
    return Expectation(
        answers,
        playbook.keywords,
        tuple(dict.fromkeys(line for line in lines if comparable(line) not in judged)),
    )


def _plain(directory: Path, window_s: int) -> Listen:
    """Return faster-whisper with its own defaults, on one thread."""
    from faster_whisper import WhisperModel

    model = WhisperModel(str(directory), device="cpu", compute_type="int8", cpu_threads=1)

    def listen(audio: Audio) -> Transcript:
        samples = sound.at_engine_rate(audio.pcm, audio.rate_hz)
        segments, _ = model.transcribe(samples, language="zh", beam_size=5, chunk_length=window_s)
        return Transcript(normalise("".join(segment.text for segment in segments)), confidence=1.0)

    return listen


def _listen(recognizer: Recognizer, audio: Audio, expected: Expectation) -> Transcript:
    stream = recognizer.open(audio.rate_hz, expected)
    stream.feed(audio.pcm)
    return stream.result(final=True)


def _hear(listen: Listen, said: str, audio: Audio) -> Heard:
    cpu, wall = time.process_time(), time.perf_counter()
    transcript = listen(audio)
    return Heard(said, transcript, audio.duration_s, time.process_time() - cpu, time.perf_counter() - wall)


def _row(where: str, system: str, heard: Sequence[Heard]) -> Mapping[str, Any]:
    pairs = [(one.said, one.transcript.text) for one in heard]
    row = {
        "set": where,
        "system": system,
        "clips": len(heard),
        "cer_%": 100 * character_error(pairs),
        "syllables_%": 100 * syllable_error(pairs),
        "cpu_s_per_s": _cpu_per_s(heard),
        "wait_p50_s": float(np.median([one.wait_s for one in heard])),
    }
    return row | (_answers(heard) if where.startswith("words") else {})


def _cpu_per_s(heard: Sequence[Heard]) -> float:
    return sum(one.cpu_s for one in heard) / sum(one.duration_s for one in heard)


def _answers(heard: Sequence[Heard]) -> dict[str, float]:
    """Return how single words were taken: shares of those on the list, and of those that are not."""
    on_list, off_list = list[tuple[str, str | None]](), list[str | None]()
    for one in heard:
        meant = answer_list.meaning(one.said)
        taken = answer_list.meaning(one.transcript.text) if one.transcript.confidence >= SURE else None
        if meant is None:
            off_list.append(taken)
        else:
            on_list.append((meant, taken))
    count = max(1, len(on_list))
    return {
        "right_%": 100 * sum(meant == taken for meant, taken in on_list) / count,
        "wrong_%": 100 * sum(taken is not None and meant != taken for meant, taken in on_list) / count,
        "asked_back_%": 100 * sum(taken is None for _, taken in on_list) / count,
        "off_list_accepted_%": 100 * sum(taken is not None for taken in off_list) / max(1, len(off_list)),
        "no_as_yes": sum(meant == "no" and taken == "yes" for meant, taken in on_list),
    }


def _summary(found: Mapping[tuple[str, str], Sequence[Heard]]) -> dict[str, float]:
    def cer(name: str, system: str) -> float:
        return character_error((one.said, one.transcript.text) for one in found[name, system])

    every = [one for (_, system), heard in found.items() if system == KNOWN for one in heard]
    summary = {
        "cer_telephone": cer("off topic", KNOWN),
        "cer_telephone_nothing_known": cer("off topic", UNKNOWN),
        "cpu_s_per_s": _cpu_per_s(found["off topic", KNOWN]),
        "cpu_s_per_s_all": _cpu_per_s(every),
    }
    for name, key in (("lines", "on_topic"), ("other lines", "on_topic_other")):
        if (name, KNOWN) in found:
            before, after = cer(name, UNKNOWN), cer(name, KNOWN)
            summary[f"cer_{key}"] = after
            summary[f"cer_gain_{key}"] = (before - after) / before if before else 0.0
    if ("words", KNOWN) in found:
        answers = _answers(found["words", KNOWN])
        summary |= {
            "answers_right": answers["right_%"] / 100,
            "answers_wrong": answers["wrong_%"] / 100,
            "off_list_accepted": answers["off_list_accepted_%"] / 100,
            "refusal_as_consent": answers["no_as_yes"],
        }
    return summary


def _notes(known: Expectation, engine: str, sets: Mapping[str, list[tuple[str, Audio]]]) -> tuple[str, ...]:
    phrases = sum(len(group) for group in known.answers)
    unheard = (
        () if "lines" in sets else ("no lines on topic: voicebot models pull kokoro, or --set lines=DIR",)
    )
    return (
        f"engine: {engine}; one stream at a time, one thread; CPU seconds are per second of audio",
        f"known: {phrases} answers in {len(known.answers)} meanings, {len(known.keywords)} keywords, "
        f"{len(known.lines)} customer lines, none of them judged",
        f"an answer is taken if it is on the list, confidence at least {SURE}; else it is asked back",
        *unheard,
    )
