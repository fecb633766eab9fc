"""Pipecat and LiveKit Agents beside ours, as their users get them. A helper of `bench turns`.

Each runs in an environment of its own, named by its Python; what it says is recorded and judged like ours.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import wave
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import signal

import voicebot
from voicebot.domain.errors import DataError
from voicebot.speech.endpointing.cases import F32

RATE_HZ = 16_000
TIMEOUT_S = 3600
_QUIET_MS = 100  # shorter gaps lie between its own chunks
_FRAME = RATE_HZ * 20 // 1000

MODES: Mapping[str, tuple[tuple[str, str], ...]] = {
    "pipecat": (("default", "Pipecat, its defaults"), ("timeout", "Pipecat, silence timer")),
    "livekit": (("vad", "LiveKit Agents, silence"), ("mini", "LiveKit Agents, its turn model")),
}
INSTALL = {
    "pipecat": "python -m venv pipecat; pipecat/bin/pip install 'pipecat-ai[silero]==1.14.0'",
    "livekit": "python -m venv livekit; livekit/bin/pip install livekit-agents==1.8.9 livekit-plugins-silero",
}


@dataclass(frozen=True, slots=True)
class Sound:
    """What the customer does."""

    id: str
    samples: F32  # 8 kHz, -1..1
    end_ms: int  # last speech
    over: bool = False  # while it answers, not before


@dataclass(frozen=True, slots=True)
class Talk:
    """What a framework said to each sound, 20 ms a number: whether something was heard."""

    said: Mapping[str, NDArray[np.bool_]]
    cpu_s_per_s: float
    frame_late_ms: float  # 95th percentile of our own clock: more than some ms and the figures are ours


def hold(peer: str, mode: str, python: Path, sounds: Sequence[Sound], trigger: F32) -> Talk:
    """Play sounds to a framework in real time.

    Args:
        peer: pipecat or livekit.
        mode: of MODES.
        python: of the environment in which it is installed.
        sounds: in this order.
        trigger: an utterance that it answers, for sounds that come over its answer.

    Raises:
        DataError: it is not installed there, or fails.
    """
    if not python.is_file():
        raise DataError(f"{python} does not exist", hint=INSTALL[peer])
    with tempfile.TemporaryDirectory(prefix="voicebot-") as name:
        folder = Path(name)
        job = _write_job(folder, sounds, trigger)
        command = [str(python), "-m", f"voicebot.bench.peers.{peer}_talk", mode, str(job)]
        environment = {
            "PATH": os.defpath,
            "HOME": name,
            "PYTHONPATH": str(Path(voicebot.__file__).parent.parent),
        }
        try:
            done = subprocess.run(  # noqa: S603 - the Python that the user named
                command, env=environment, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
            )
        except subprocess.TimeoutExpired as late:
            raise DataError(f"{peer} took longer than {TIMEOUT_S} s") from late
        if done.returncode or not (folder / "talk.json").is_file():
            last = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise DataError(f"{peer} does not run with {python.name} ({last})", hint=INSTALL[peer])
        cost = json.loads((folder / "talk.json").read_text("utf-8"))
        said = {sound.id: heard(folder / f"{sound.id}.wav") for sound in sounds}
    return Talk(said, float(cost["cpu_s_per_s"]), float(cost["frame_late_ms_p95"]))


def answer_ms(talk: Talk, sound: Sound) -> tuple[float, bool]:
    """Return the answer's first frame after the speech's end (inf = never), and whether it spoke before."""
    said = talk.said[sound.id]
    at = sound.end_ms // 20
    after = np.flatnonzero(said[at:])
    return (float(after[0]) * 20 - sound.end_ms % 20 if after.size else np.inf), bool(said[:at].any())


def stop_ms(said: NDArray[np.bool_], onset_ms: int) -> tuple[int | None, bool]:
    """Return when it fell silent after a sound's onset (None = never), and whether it said all it had to."""
    quiet = _QUIET_MS // 20
    voiced = np.flatnonzero(said)
    if not voiced.size:
        return 0, False
    last = int(voiced[-1])
    gap = next((at for at in range(onset_ms // 20, last + 1) if not said[at : at + quiet].any()), last + 1)
    return gap * 20 - onset_ms, gap > last


def heard(path: Path) -> NDArray[np.bool_]:
    """Return for each 20 ms of a recording whether there is sound."""
    with wave.open(str(path)) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
    frames = samples[: samples.size // _FRAME * _FRAME].reshape(-1, _FRAME)
    return np.asarray(np.abs(frames.astype(np.int32)).max(axis=1, initial=0) > 0)


def _write_job(folder: Path, sounds: Sequence[Sound], trigger: F32) -> Path:
    told: list[dict[str, Any]] = []
    _write(folder / "trigger.wav", trigger)
    for number, sound in enumerate(sounds):
        file = folder / f"in-{number}.wav"
        _write(file, sound.samples)
        told.append({"id": sound.id, "file": str(file), "end_ms": sound.end_ms, "over": sound.over})
    job = folder / "job.json"
    job.write_text(
        json.dumps({"out": str(folder), "trigger": str(folder / "trigger.wav"), "sounds": told}), "utf-8"
    )
    return job


def _write(path: Path, samples: F32) -> None:
    wide = signal.resample_poly(samples, RATE_HZ // 8000, 1)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes(np.clip(np.round(wide * 32767), -32768, 32767).astype("<i2").tobytes())
