"""Recordings from outside: any file of sound becomes line audio, in bounded time and memory."""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd
from pathlib import Path
from typing import Literal

import numpy as np
import soundfile
from numpy.typing import NDArray

from voicebot.domain.audio import FRAME_BYTES, FRAME_MS, LINE_RATE_HZ, Audio
from voicebot.domain.errors import DataError
from voicebot.speech.segmentation.segmenter import Segmenter
from voicebot.speech.segmentation.vad import VoiceDetector

Channel = Literal["mix", "left", "right"]

LONGEST_S = 180.0
CLIPPED_FROM = 0.01  # of the samples at full scale
_RATES_HZ = (4000, 192_000)
_END_MS = 700  # of silence end an utterance
_LONGEST_MS = 20_000  # of one utterance
_BEFORE_MS, _AFTER_MS = 300, 200  # of the sound around the speech that belong to it
_FULL_SCALE = 0.999
_TONE_WINDOW = 512  # 64 ms: lines 16 Hz apart
TONE_SHARE = 0.985  # of the energy in two lines; of 307 recordings of speech none reached 0.97

F32 = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording as line audio."""

    audio: Audio  # mono, 8 kHz
    rate_hz: int  # of the file
    channels: int  # of the file
    length_s: float  # of the file, of which the first 180 s are read
    clipped: float  # share of samples at full scale


@dataclass(frozen=True, slots=True)
class Stretch:
    """One utterance of a recording, with a little of the sound around it."""

    start_s: float  # in the recording
    end_s: float
    audio: Audio


def read(path: Path, channel: Channel = "mix") -> Recording:
    """Read WAV, FLAC, OGG or MP3. Raises DataError saying what is wrong with the file.

    Args:
        path: of the recording; of a longer one the first 180 s are read.
        channel: of a stereo recording; our own hold the customer on the left.
    """
    try:
        with soundfile.SoundFile(path) as file:
            rate, channels, frames = file.samplerate, file.channels, file.frames
            if not _RATES_HZ[0] <= rate <= _RATES_HZ[1]:
                raise DataError(f"{path} has {rate} samples a second", hint="record at 8 to 48 kHz")
            wanted = min(frames, int(LONGEST_S * rate))
            samples, clipped = _mono(file, wanted, channel)
    except (OSError, soundfile.LibsndfileError, RuntimeError) as broken:
        raise DataError(
            f"{path} can not be read as a recording ({broken})",
            hint="give a WAV, FLAC, OGG or MP3 file; convert others, for example with ffmpeg",
        ) from broken
    if samples.size < rate * FRAME_MS / 1000:
        raise DataError(f"{path} holds no sound", hint="record again; the file is empty")
    if rate != LINE_RATE_HZ:
        from scipy import signal  # a second of import: only where a rate is changed

        shared = gcd(rate, LINE_RATE_HZ)
        samples = signal.resample_poly(samples, LINE_RATE_HZ // shared, rate // shared)
    pcm = np.clip(samples * 32768, -32768, 32767).astype("<i2").tobytes()
    return Recording(Audio(pcm), rate, channels, frames / rate, clipped)


def stretches(audio: Audio) -> list[Stretch]:
    """Return the utterances of 8 kHz audio: cut at 700 ms of silence, at the latest after 20 s.

    Ring-back, busy and other tones of the network are left out: a recogniser reads 好的 in them.
    """
    detector, segmenter = VoiceDetector(), Segmenter()
    found = []
    for at in range(0, len(audio.pcm) - FRAME_BYTES + 1, FRAME_BYTES):
        frame = audio.pcm[at : at + FRAME_BYTES]
        segmenter.push(frame, detector.is_speech(frame))
        segmenter.take()
        long = segmenter.now_ms - segmenter.start_ms >= _LONGEST_MS
        if segmenter.active and (segmenter.silence_ms >= _END_MS or long):
            found.append(_stretch(audio, segmenter))
            segmenter.close()
    if segmenter.active:
        found.append(_stretch(audio, segmenter))
    return [stretch for stretch in found if tonality(stretch.audio) < TONE_SHARE]


def tonality(audio: Audio) -> float:
    """Return the share of energy above 300 Hz in the two strongest lines of the whole stretch, 0-1.

    Network tones are one or two sines (ITU-T E.180), so theirs is near 1; a voice spreads its lines.
    """
    samples = np.frombuffer(audio.pcm[: len(audio.pcm) // 2 * 2], "<i2").astype(np.float32)
    rows = samples[: samples.size // _TONE_WINDOW * _TONE_WINDOW].reshape(-1, _TONE_WINDOW)
    power = (np.abs(np.fft.rfft(rows * np.hanning(_TONE_WINDOW), axis=1)) ** 2).sum(axis=0)
    power = power[_TONE_WINDOW * 300 // audio.rate_hz :]
    total = float(power.sum())
    if total == 0:
        return 0.0
    for _ in range(2):
        line = int(power.argmax())
        power[max(0, line - 2) : line + 3] = 0.0  # a Hann window spreads a sine over some bins
    return 1 - float(power.sum()) / total


def _stretch(audio: Audio, segmenter: Segmenter) -> Stretch:
    start = max(0, segmenter.start_ms - _BEFORE_MS)
    end = segmenter.end_ms + _AFTER_MS
    per_ms = LINE_RATE_HZ // 1000 * 2
    pcm = audio.pcm[start * per_ms : end * per_ms]
    return Stretch(start / 1000, start / 1000 + len(pcm) / 1000 / per_ms, Audio(pcm))


def _mono(file: soundfile.SoundFile, wanted: int, channel: Channel) -> tuple[F32, float]:
    """Read second by second, so that many channels at a high rate never lie in memory together."""
    parts: list[F32] = []
    full = left = 0
    while (left := wanted - sum(part.size for part in parts)) > 0:
        block = file.read(min(left, file.samplerate), dtype="float32", always_2d=True)
        if not len(block):
            break
        full += int((np.abs(block) >= _FULL_SCALE).any(axis=1).sum())
        if channel == "mix":
            parts.append(block.mean(axis=1))
        else:
            parts.append(block[:, 0 if channel == "left" else -1].copy())
    samples = np.concatenate(parts) if parts else np.zeros(0, np.float32)
    return samples, full / max(1, samples.size)
