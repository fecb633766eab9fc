"""What the line's sound is measured as."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import signal

from voicebot.domain.audio import Audio
from voicebot.domain.speech import Prosody
from voicebot.emotion import prosody

pytestmark = pytest.mark.unit


def voice(f0_hz: float, seconds: float = 1.5, tilt: float = 1.0, rate_hz: int = 8000) -> Audio:
    """Return a buzzing voice with syllables, without anything below 300 Hz."""
    t = np.arange(int(seconds * rate_hz)) / rate_hz
    harmonics = [k for k in range(1, int(3400 / f0_hz)) if k * f0_hz > 300]
    sound = sum(np.sin(2 * np.pi * k * f0_hz * t) / k**tilt for k in harmonics)
    sound = sound * (0.55 + 0.45 * np.sin(2 * np.pi * 4 * t))
    return Audio((sound / np.abs(sound).max() * 8000).astype("<i2").tobytes(), rate_hz)


def hear(audio: Audio, syllables: int = 0) -> Prosody | None:
    return prosody.measure(prosody.frames_of(prosody.line_samples(audio)), syllables)


@pytest.mark.parametrize("f0_hz", [85, 110, 150, 220, 310, 400])
def test_pitch_is_found_though_the_line_cuts_the_fundamental(f0_hz: float) -> None:
    for tilt in (0.5, 1.0, 2.5):
        sound = hear(voice(f0_hz, tilt=tilt))
        assert sound is not None
        assert sound.f0_median_hz == pytest.approx(f0_hz, rel=0.03)


@pytest.mark.parametrize("rate_hz", [8000, 16000, 44100])
def test_the_rate_of_the_recording_does_not_matter(rate_hz: int) -> None:
    sound = hear(voice(150, rate_hz=rate_hz))
    assert sound is not None
    assert sound.f0_median_hz == pytest.approx(150, rel=0.03)
    assert sound.duration_s == pytest.approx(1.5, abs=0.06)


def test_a_louder_voice_differs_in_level_alone() -> None:
    soft = voice(150)
    pcm = np.frombuffer(soft.pcm, "<i2")
    a, b = hear(soft), hear(Audio((pcm * 2).astype("<i2").tobytes()))
    assert a is not None
    assert b is not None
    assert b.level_db - a.level_db == pytest.approx(6.02, abs=0.05)
    assert b.tilt_db == pytest.approx(a.tilt_db, abs=0.05)
    assert prosody.with_gain(a, 6.02).vector == pytest.approx(b.vector, abs=0.1)


def test_a_flatter_spectrum_has_less_tilt() -> None:
    flat, steep = hear(voice(150, tilt=0.5)), hear(voice(150, tilt=2.0))
    assert flat is not None
    assert steep is not None
    assert flat.tilt_db < steep.tilt_db - 3


@pytest.mark.parametrize(
    "pcm",
    [b"", b"\0", bytes(16000), bytes(100), (b"\x01\x00" * 8000)],
    ids=["none", "odd", "zeros", "short", "dc"],
)
def test_silence_has_no_prosody(pcm: bytes) -> None:
    assert hear(Audio(pcm)) is None


def test_noise_and_clipping_give_finite_values() -> None:
    random = np.random.default_rng(1)
    noise = (random.normal(0, 3000, 16000)).astype("<i2").tobytes()
    square = (np.sign(signal.sawtooth(np.arange(16000) * 0.1)) * 32767).astype("<i2").tobytes()
    for pcm in (noise, square):
        sound = hear(Audio(pcm))
        assert sound is not None
        assert np.isfinite(sound.vector).all()
        assert len(sound.vector) == len(prosody.NAMES)


def test_of_three_minutes_only_the_end_is_analysed() -> None:
    samples = prosody.line_samples(Audio(bytes(2 * 8000 * 180)))
    assert samples.size == prosody.MAX_S * 8000


def test_syllables_give_the_rate() -> None:
    sound = hear(voice(150), syllables=6)
    assert sound is not None
    assert 3 < sound.rate_syl_s < 7


def test_a_stretch_without_pitch_counts_as_pitched_like_the_baseline() -> None:
    noise = hear(Audio(np.random.default_rng(1).normal(0, 3000, 8000).astype("<i2").tobytes()))
    base = hear(voice(150))
    assert noise is not None
    assert base is not None
    if noise.f0_median_hz == 0:
        relative = dict(zip(prosody.NAMES, prosody.relative(noise, base.vector), strict=True))
        assert relative["f0_median_st"] == 0
        assert relative["level_db"] != 0
