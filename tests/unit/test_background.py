"""Noise around the customer, heard in real read speech mixed with noise at known ratios."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray
from scipy import signal

from voicebot.dialogue.background import BackgroundSituationReader, margin_db
from voicebot.dialogue.situation import WordSituationReader
from voicebot.domain.audio import Audio
from voicebot.domain.speech import Transcript
from voicebot.domain.understanding import Situation

pytestmark = pytest.mark.unit

F64 = NDArray[np.float64]
BAND = signal.butter(4, (300, 3400), "bandpass", fs=8000, output="sos")


@pytest.fixture(scope="module")
def speech(test_data: Path) -> list[F64]:
    clips = sorted((test_data / "speech" / "aishell").glob("*.flac"))[5::25]
    return [
        np.asarray(signal.sosfilt(BAND, signal.resample_poly(soundfile.read(clip)[0], 1, 2)))
        for clip in clips
    ]


def noise_of(kind: str, size: int, speech: list[F64], random: np.random.Generator) -> F64:
    if kind == "crowd":
        voices = [np.roll(np.resize(one, size), random.integers(size)) for one in speech[:6]]
        return np.asarray(np.sum(voices, axis=0))
    spectrum = np.fft.rfft(random.normal(0, 1, size))
    if kind == "street":  # falls by 3 dB an octave
        spectrum /= np.sqrt(np.maximum(np.fft.rfftfreq(size, 1 / 8000), 1))
    return np.asarray(signal.sosfilt(BAND, np.fft.irfft(spectrum, size)))


def heard(speech: list[F64], kind: str = "", snr_db: float = 0.0) -> list[Situation]:
    random = np.random.default_rng(3)
    reader = BackgroundSituationReader(WordSituationReader())
    found = []
    for clip in speech:
        sound = clip
        if kind:
            noise = noise_of(kind, clip.size, speech, random)
            loud = clip[np.abs(clip) > 0.02 * np.abs(clip).max()]
            sound = clip + noise * np.sqrt(np.mean(loud**2) / np.mean(noise**2) / 10 ** (snr_db / 10))
        pcm = np.clip(sound * 0.3 * 32768, -32768, 32767).astype("<i2").tobytes()
        found.append(reader.read(Transcript("利息多少"), Audio(pcm), Situation.FREE))
    return found


def test_quiet_rooms_are_not_noisy(speech: list[F64]) -> None:
    assert Situation.NOISY not in heard(speech)
    for kind in ("fan", "street", "crowd"):
        assert heard(speech, kind, 20).count(Situation.NOISY) <= len(speech) * 0.05


@pytest.mark.parametrize(("kind", "snr_db"), [("fan", 3), ("street", 3), ("crowd", -3)])
def test_noise_almost_as_loud_as_the_voice_is_noisy(speech: list[F64], kind: str, snr_db: float) -> None:
    assert heard(speech, kind, snr_db).count(Situation.NOISY) >= len(speech) * 0.9


def test_the_words_count_before_the_noise() -> None:
    reader = BackgroundSituationReader(WordSituationReader())
    noise = Audio(np.random.default_rng(1).normal(0, 3000, 16000).astype("<i2").tobytes())
    assert reader.read(Transcript("我在开车"), noise, Situation.FREE) is Situation.DRIVING
    assert reader.read(Transcript("你说吧"), noise, Situation.DRIVING) is Situation.NOISY
    assert reader.read(Transcript("嗯"), noise, Situation.DRIVING) is Situation.DRIVING
    assert reader.read(Transcript("嗯"), noise, Situation.NOISY) is Situation.NOISY
    assert reader.read(Transcript("嗯"), None, Situation.NOISY) is Situation.FREE


@pytest.mark.parametrize("pcm", [b"", b"\1", bytes(16000), b"\1\0" * 100])
def test_silence_and_clicks_have_no_background(pcm: bytes) -> None:
    assert margin_db(Audio(pcm)) is None
