"""Customers who speak, hum, cough or echo while a prompt plays: what the line sends then. For `bench turns`.

A call in memory on virtual time: the line worker's own turn machine, detector and playout, the recogniser's
own words, told as late as they cost CPU. All figures are read from the audio that was sent.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voicebot.bench import telephone
from voicebot.call.turns import Answer, Decide, Flush, Output, Play, Send, Stretch, TurnMachine, TurnTuning
from voicebot.domain.audio import FRAME_BYTES, FRAME_MS, SILENT_FRAME, Audio
from voicebot.domain.call import Progress
from voicebot.domain.speech import UtteranceKind
from voicebot.speech.endpointing.cases import BLOCK, BLOCK_MS, speech
from voicebot.speech.segmentation.vad import VoiceDetector
from voicebot.telephony.playout import Playout

F32 = NDArray[np.float32]
Hear = Callable[[bytes], tuple[str, bool, float]]  # speech -> words, whether a mere 嗯, milliseconds

SPEAKS_MS = 1500  # into the prompt
PREROLL_MS = 100  # of a clip's own background before its speech
_AFTER_MS = 2500
_LEVEL = 0.05  # -26 dBov
_ECHO_LATE_MS = 160


@dataclass(frozen=True, slots=True)
class Sent:
    """What the bot sent while something came in."""

    silent_after_ms: int | None  # from the sound's onset; None = it never fell silent
    finished: bool  # the prompt was said to its end, held or not
    broken: bool  # it was silent in between


@dataclass(frozen=True, slots=True)
class Trial:
    """Sounds of one kind that come over a prompt."""

    name: str
    sounds: tuple[F32, ...]  # 8 kHz, -1..1
    onset_ms: int = PREROLL_MS  # of what matters in each


INTERRUPTIONS, BACKCHANNELS, BURSTS = "real interruptions", "对 好 是 喂 行", "noise bursts of 60-300 ms"


def trials(talk: Sequence[F32], words: Sequence[F32], seed: int) -> list[Trial]:
    """Return what comes over prompts.

    Args:
        talk: real utterances, 8 kHz.
        words: 对, 好 and the like, 8 kHz; may be none.
        seed: of noise.
    """
    random = np.random.default_rng(seed)
    found = [Trial(INTERRUPTIONS, tuple(talk))]
    for snr in (20, 10):
        noisy = tuple(_with_noise(one, snr, random) for one in talk)
        found.append(Trial(f"{INTERRUPTIONS}, noise at {snr} dB", noisy))
    if words:
        found.append(Trial(BACKCHANNELS, tuple(words)))
    bursts = [_burst(length, level, random) for length in (60, 120, 200, 300) for level in (0.02, 0.05, 0.1)]
    found.append(Trial(BURSTS, tuple(bursts), 0))
    for snr in (20, 10):
        steady = tuple(_noise(4000, _LEVEL * 10 ** (-snr / 20), random) for _ in range(12))
        found.append(Trial(f"steady noise {snr} dB below speech", steady, 0))
    return found


def judge(
    prompts: Sequence[bytes], kinds: Sequence[Trial], hear: Hear
) -> tuple[list[dict[str, Any]], dict[str, float]]:
    """Return rows and figures.

    Args:
        prompts: what the bot says, 8 kHz, long enough to be interrupted.
        kinds: what comes over them; each sound over every prompt.
        hear: the recogniser.
    """
    played = [
        (trial.name, _play(prompts, trial.sounds * _times(trial, prompts), hear, trial.onset_ms))
        for trial in kinds
    ]
    for loss in (20, 30):
        played += [(f"echo of the prompt, -{loss} dB", _echoes([*prompts] * 3, loss, hear))]
    rows = [_row(name, sent) for name, sent in played]
    found = dict(played)
    noises = [one for name, sent in played for one in sent if name.startswith(("noise", "steady", "echo"))]
    figures = {
        "barge_in_stop_ms_median": float(rows[0]["stop_ms_median"]),
        "barge_in_missed": float(rows[0]["prompt_finished"]),
        "false_barge_in_on_noise": 1 - float(np.mean([one.finished for one in noises])),
        "broken_by_noise": float(np.mean([one.broken for one in noises])),
    }
    if words := found.get(BACKCHANNELS):
        figures["backchannel_survival"] = float(np.mean([one.finished for one in words]))
        figures["backchannel_unbroken"] = float(np.mean([not one.broken for one in words]))
    return rows, figures


def _times(trial: Trial, prompts: Sequence[bytes]) -> int:
    """Return how often the few short sounds are said, so that each falls on every prompt."""
    return len(prompts) if trial.name in (BACKCHANNELS, BURSTS) else 1


def _play(
    prompts: Sequence[bytes], sounds: Sequence[F32], hear: Hear, onset_ms: int = PREROLL_MS
) -> list[Sent]:
    return [
        _call(prompts[index % len(prompts)], _line(sound), hear, onset_ms)
        for index, sound in enumerate(sounds)
    ]


def _echoes(prompts: Sequence[bytes], loss_db: int, hear: Hear) -> list[Sent]:
    return [_call(prompt, b"", hear, 0, 10 ** (-loss_db / 20)) for prompt in prompts]


def _call(prompt: bytes, sound: bytes, hear: Hear, onset_ms: int, echo: float = 0.0) -> Sent:
    """Play one prompt while a sound comes in, and look at what was sent."""
    machine, detector, playout = TurnMachine(TurnTuning()), VoiceDetector(), Playout()
    # its own pauses must not look like the bot falling silent
    prompt = (
        np.where(np.frombuffer(prompt, "<i2") == 0, 1, np.frombuffer(prompt, "<i2")).astype("<i2").tobytes()
    )
    machine.begin()
    due: list[tuple[int, Progress]] = []
    spoken = bytearray()
    sent: list[bytes] = []

    def act(outputs: list[Output]) -> None:
        for output in outputs:
            match output:
                case Play(pcm):
                    playout.play(pcm)
                case Flush():
                    playout.flush()
                case Send(_, pcm):
                    spoken.extend(pcm)
                case Decide(generation, utterance) if utterance.kind is UtteranceKind.SPEECH:
                    text, mere, late_ms = hear(bytes(spoken))
                    told = Progress(generation, 0.5, text, mere, round(late_ms), words_known=True)
                    due.append((machine.now_ms + round(late_ms), told))
                case _:
                    pass

    act(machine.ready(Answer(1, (Stretch(prompt),))))
    begin = machine.tuning.opening_ms + SPEAKS_MS
    heard = SILENT_FRAME * (begin // FRAME_MS) + sound
    length = len(prompt) // FRAME_BYTES * FRAME_MS + begin + _AFTER_MS
    for at in range(length // FRAME_MS):
        for told in [told for when, told in due if when <= machine.now_ms]:
            due[:] = [one for one in due if one[1] is not told]
            act(machine.progress(told))
        frame = heard[at * FRAME_BYTES : (at + 1) * FRAME_BYTES].ljust(FRAME_BYTES, b"\0")
        late = at - _ECHO_LATE_MS // FRAME_MS
        if echo and late >= 0:
            frame = _scaled(sent[late], echo)
        act(machine.frame(frame, detector.is_speech(frame)))
        sent.append(playout.next_frame())
    return _judge(sent, begin + onset_ms, len(prompt), machine)


def _judge(sent: Sequence[bytes], onset_ms: int, size: int, machine: TurnMachine) -> Sent:
    voiced = [frame != SILENT_FRAME for frame in sent]
    last = len(voiced) - 1 - voiced[::-1].index(True)
    finished = sum(voiced) >= size // FRAME_BYTES - 1
    gap = next((at for at in range(onset_ms // FRAME_MS, last + 2) if not any(voiced[at : at + 5])), last + 1)
    silent = max(0, gap * FRAME_MS - onset_ms)
    return Sent(
        None if finished and gap > last else silent, finished, machine.false_stops > 0 or not finished
    )


def _row(name: str, sent: Sequence[Sent]) -> dict[str, Any]:
    stops = [one.silent_after_ms for one in sent if not one.finished and one.silent_after_ms is not None]
    return {
        "system": f"over a prompt: {name}",
        "n": len(sent),
        "stop_ms_median": float(np.median(stops)) if stops else None,
        "stop_ms_p95": float(np.percentile(stops, 95)) if stops else None,
        "prompt_finished": float(np.mean([one.finished for one in sent])),
        "prompt_unbroken": float(np.mean([not one.broken for one in sent])),
    }


def _line(samples: F32) -> bytes:
    pcm = np.clip(np.round(samples * 32768), -32768, 32767).astype("<i2").tobytes()
    return telephone.a_law(pcm)


def levelled(audio: Audio, level: float = _LEVEL) -> F32:
    """Return a clip in telephone condition, trimmed to its speech, at an active level of -26 dBov."""
    line = telephone.telephone(audio)
    samples = np.frombuffer(line.pcm, "<i2").astype(np.float32) / np.float32(32768)
    spans, before = speech(samples), PREROLL_MS * BLOCK // BLOCK_MS
    if not spans:
        return samples
    trimmed = samples[max(0, spans[0][0] * BLOCK - before) : (spans[-1][1] + 10) * BLOCK]
    trimmed = np.pad(trimmed, (max(0, before - spans[0][0] * BLOCK), 0))
    active = np.concatenate([samples[start * BLOCK : end * BLOCK] for start, end in spans])
    return np.asarray(trimmed * np.float32(level / (float(np.sqrt(np.mean(active**2))) + 1e-9)), np.float32)


def _with_noise(samples: F32, snr_db: int, random: np.random.Generator) -> F32:
    noise = _noise(samples.size * 1000 // 8000 + 1, _LEVEL * 10 ** (-snr_db / 20), random)
    return np.asarray(samples + noise[: samples.size], np.float32)


def _noise(length_ms: int, level: float, random: np.random.Generator) -> F32:
    return (level * random.standard_normal(length_ms * 8)).astype(np.float32)


def _burst(length_ms: int, level: float, random: np.random.Generator) -> F32:
    return np.concatenate([_noise(length_ms, level, random), _noise(1500, 0.0005, random)])


def _scaled(frame: bytes, gain: float) -> bytes:
    samples = np.frombuffer(frame, "<i2").astype(np.float64) * gain
    return telephone.a_law(np.round(samples).astype("<i2").tobytes())
