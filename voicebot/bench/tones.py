"""What answers: announcements, mailboxes and tones told from people, and after how much audio."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import mean, median
from typing import Any

import numpy as np

from voicebot import bootstrap
from voicebot.bench import telephone
from voicebot.bench.frame import Options, Result
from voicebot.domain.answering import Finding, NumberStatus, Teller, disposition_of
from voicebot.domain.audio import FRAME_BYTES, FRAME_MS, LINE_RATE_HZ, Audio
from voicebot.domain.ports import Recognizer
from voicebot.domain.speech import Expectation
from voicebot.registry import resources
from voicebot.settings import Settings
from voicebot.simulate import announcements, signals
from voicebot.speech.answering.detector import AnsweringDetector
from voicebot.speech.answering.person import SpeechRun, SpeechTuning
from voicebot.speech.segmentation.vad import VoiceDetector
from voicebot.speech.synthesis.clips import ClipLibrary
from voicebot.text.announcements import by_table

LEAD_S = 0.4  # of the line before anybody speaks
TAIL_S = 3.0
GAP_S = 0.8  # between a network's repetitions
SOUND = 1000  # a sample above the line's own noise
NOISE_DB = 15.0  # speech above the noise in the noisy condition
APART = "announcements and mailboxes written apart"
PATIENCE_S = 300.0  # for a reading: figures are of audio, so a busy machine may take its time
SENTENCES = 120  # of read speech, unless --limit says otherwise
_TONES: Mapping[signals.ToneName, NumberStatus | None] = {
    "busy": NumberStatus.BUSY,
    "congestion": NumberStatus.CONGESTED,
    "vacant": NumberStatus.VACANT,
    "ring_back": None,
}
_SOUNDS = frozenset((".wav", ".flac", ".mp3"))


@dataclass(frozen=True, slots=True)
class Call:
    """One call to be judged."""

    group: str
    status: NumberStatus | None  # None: a person, or nothing to be told
    audio: Audio
    answered: bool = True


@dataclass(frozen=True, slots=True)
class Judged:
    """What was found in one call."""

    call: Call
    findings: tuple[Finding, ...]
    by_length: bool  # the usual rule would call it a machine
    onset_ms: int  # of the first sound: a voice, or a tone
    readings: int
    cpu_s: float

    @property
    def status(self) -> NumberStatus | None:
        """What was found in the end."""
        machines = [one.status for one in self.findings if one.status is not None]
        return machines[-1] if machines else None

    @property
    def decided_s(self) -> float:
        """Seconds of sound until it was known who or what speaks; all of it if that was never known."""
        told = [one for one in self.findings if (one.status is None) is (self.status is None)]
        at_ms = told[0].at_ms if told else len(self.call.audio.pcm) * 1000 // (2 * LINE_RATE_HZ)
        return (at_ms - self.onset_ms) / 1000

    @property
    def named_s(self) -> float:
        """Seconds of sound until the number's status was known."""
        return (self.findings[-1].at_ms - self.onset_ms) / 1000 if self.findings else 0.0


def run(options: Options) -> Result:
    """Judge rendered announcements, tones, and people: those of --data and the simulated customers.

    --limit bounds each group; --set noise=DB changes the noisy condition; --set decoders=busy leaves out the
    first look at the words, as under load.
    """
    settings = Settings().model_copy(update={"asr_timeout_s": PATIENCE_S})
    ears, tells = bootstrap.recognizer(settings), bootstrap.machines(settings)
    noise_db = float(options.extra.get("noise", NOISE_DB))
    sparing = options.extra.get("decoders", "free") == "busy"
    dice = np.random.default_rng(options.seed)
    calls = [*_machines(), *_machines("announcements_apart", APART), *_tones(), *_people(options)]
    groups: dict[str, list[Judged]] = {}
    for call in _limited(calls, options):
        groups.setdefault(call.group, []).append(judge(call, ears, tells, sparing=sparing))
    for call in _limited(_machines(), options):
        noisy = Call(
            f"{call.group}, noise {noise_db:.0f} dB below", call.status, _noisy(call.audio, noise_db, dice)
        )
        groups.setdefault(noisy.group, []).append(judge(noisy, ears, tells, sparing=sparing))
    clean = [one for judged in groups.values() for one in judged if "noise" not in one.call.group]
    spoken = [one for one in clean if one.call.group in ("announcements", "mailboxes", APART)]
    people = [one for one in clean if one.call.group.startswith("people")]
    decided = sorted(one.decided_s for one in (*spoken, *people))
    return Result(
        {
            "announcement_accuracy": mean(_right(one) for one in spoken),
            "announcement_accuracy_apart": mean(_right(one) for one in groups[APART]),
            "human_called_machine": mean(one.status is not None for one in people),
            "decision_s": decided[int(0.95 * (len(decided) - 1))],
        },
        [_row(group, judged) for group, judged in groups.items()],
        notes=(
            f"rendered announcements, read by {ears.name}; telephone condition; right: the right disposition",
            "decision_s: of the audio until it is known who or what speaks, without compute; 95th percentile "
            "over announcements, mailboxes and people",
            "by length: the usual rule, more than 1.5 s of speech is a machine",
        ),
    )


def judge(call: Call, ears: Recognizer, tells: Teller = by_table, *, sparing: bool = False) -> Judged:
    """Let the detector hear a call, as inference does, where decoders are in demand or not."""
    detector, voice, run_ = AnsweringDetector(tells), VoiceDetector(), SpeechRun()
    if call.answered:
        detector.answered()
    findings: list[Finding] = []
    readings, by_length, onset_ms, began = 0, None, None, time.process_time()
    for at in range(0, len(call.audio.pcm) - FRAME_BYTES + 1, FRAME_BYTES):
        frame = call.audio.pcm[at : at + FRAME_BYTES]
        voiced = voice.is_speech(frame)
        run_.push(voiced)
        if onset_ms is None and (voiced or np.abs(np.frombuffer(frame, "<i2")).max() > SOUND):
            onset_ms = at // FRAME_BYTES * FRAME_MS
        if by_length is None and (run_.greeted or run_.voiced_ms > SpeechTuning().greeting_ms):
            by_length = not run_.greeted
        wanted = detector.push(frame, voiced, sparing=sparing)
        if wanted is not None:
            stream = ears.open(LINE_RATE_HZ, Expectation(announcement=True))
            stream.feed(wanted.pcm)
            detector.words(stream.result(final=True).text, wanted)
            readings += 1
        findings += detector.findings()
    cpu_s = time.process_time() - began
    return Judged(call, tuple(findings), bool(by_length), onset_ms or 0, readings, cpu_s)


def _right(one: Judged) -> bool:
    if one.call.status is None or one.status is None:
        return one.call.status is one.status
    return disposition_of(one.status) is disposition_of(one.call.status)


def _row(group: str, judged: Sequence[Judged]) -> dict[str, Any]:
    decided = sorted(one.decided_s for one in judged)
    machine = judged[0].call.status is not None
    return {
        "group": group,
        "calls": len(judged),
        "right": mean(_right(one) for one in judged),
        "right status": mean(one.status is one.call.status for one in judged),
        "decided_s": median(decided),
        "decided_s p95": decided[int(0.95 * (len(decided) - 1))],
        "named_s": median(one.named_s for one in judged) if machine else None,
        "by length": mean(one.by_length is machine for one in judged),
        "readings": mean(one.readings for one in judged),
        "cpu_s": mean(one.cpu_s for one in judged),
    }


def _machines(name: str = "announcements", group: str = "") -> list[Call]:
    """Return the shipped announcements, said twice as networks do; a mailbox's once, with a beep."""
    demo = resources.demo_dir()
    calls = []
    for one in announcements.spoken(announcements.load(demo / f"{name}.yaml"), demo / name):
        if one.status is NumberStatus.MAILBOX:
            pcm = one.audio.pcm + bytes(4800) + signals.cycle("beep")
            calls.append(Call(group or "mailboxes", one.status, _line(Audio(pcm))))
        else:
            pcm = one.audio.pcm + _silence(GAP_S) + one.audio.pcm
            calls.append(Call(group or "announcements", one.status, _line(Audio(pcm))))
    return calls


def _tones() -> list[Call]:
    return [
        Call("tones before the answer", status, _line(Audio(signals.lasting(name, 8))), answered=False)
        for name, status in _TONES.items()
    ]


def _people(options: Options) -> list[Call]:
    """Return real speech of --data, sentences and words, and the lines of the simulated customers."""
    calls = []
    if options.data is not None:
        sounds = sorted(path for path in options.data.rglob("*") if path.suffix in _SOUNDS)
        random.Random(options.seed).shuffle(sounds)  # noqa: S311 - no secret
        heard = [(path, telephone.read(path)) for path in sounds[: 10 * (options.limit or SENTENCES)]]
        for group, fits in _KINDS:
            chosen = [Call(group, None, _line(audio)) for _, audio in heard if fits(audio.duration_s)]
            calls += chosen[:SENTENCES]
    for folder in sorted((resources.demo_dir() / "customers").glob("*")):
        if folder.name not in _NO_PEOPLE and (folder / "manifest.json").is_file():
            library = ClipLibrary(folder)
            calls += [Call("people, simulated", None, _line(library.audio(clip))) for clip in library.clips]
    return calls


_NO_PEOPLE = frozenset(("announcement", "switched_off", "vacant", "mailbox"))
_KINDS: tuple[tuple[str, Callable[[float], bool]], ...] = (
    ("people, words", lambda seconds: seconds < 1.6),
    ("people, sentences", lambda seconds: seconds >= 1.6),
)


def _limited(calls: Sequence[Call], options: Options) -> list[Call]:
    if not options.limit:
        return list(calls)
    kept: dict[str, list[Call]] = {}
    for call in calls:
        kept.setdefault(call.group, []).append(call)
    return [call for group in kept.values() for call in group[: options.limit]]


def _line(audio: Audio) -> Audio:
    """Return a sound as it comes over a telephone line, with the line before and after it."""
    return Audio(telephone.a_law(_silence(LEAD_S)) + telephone.telephone(audio).pcm + _silence(TAIL_S))


def _noisy(audio: Audio, above_db: float, dice: np.random.Generator) -> Audio:
    sound = np.frombuffer(audio.pcm, "<i2").astype(np.float64)
    level = np.sqrt(np.mean(sound[np.abs(sound) > 30] ** 2))
    noise = dice.standard_normal(len(sound)) * level * 10 ** (-above_db / 20)
    return Audio(telephone.a_law(np.clip(sound + noise, -32768, 32767).astype("<i2").tobytes()))


def _silence(seconds: float) -> bytes:
    return bytes(int(seconds * 1000) // FRAME_MS * FRAME_BYTES)
