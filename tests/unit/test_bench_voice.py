"""The voice bench: what it counts as lost, and how it judges a voice."""

from __future__ import annotations

import numpy as np
import pytest

from voicebot.bench import voice
from voicebot.domain.audio import LINE_RATE_HZ, Audio
from voicebot.domain.errors import SynthesisError
from voicebot.domain.script import Style
from voicebot.domain.speech import NOTHING_EXPECTED, Expectation, Transcript
from voicebot.speech.synthesis.chain import finish

pytestmark = pytest.mark.unit


class Ears:
    """A recogniser that always hears the same."""

    name = "ears"
    load = 0.0

    def __init__(self, text: str) -> None:
        self.text = text

    def open(self, rate_hz: int, expected: Expectation = NOTHING_EXPECTED) -> Ears:
        assert rate_hz == LINE_RATE_HZ
        return self

    def feed(self, pcm: bytes) -> None:
        assert len(pcm) > 2 * len(voice.SILENCE)

    def ending(self) -> None:
        pass

    def result(self, *, final: bool) -> Transcript:
        return Transcript(self.text)

    def withdraw(self) -> None: ...

    def abort(self) -> None:
        pass


def tone(text: str, style: Style = Style.NEUTRAL) -> Audio:
    return finish(0.3 * np.sin(np.arange(2000 * len(text)) * 0.5), LINE_RATE_HZ)


def test_a_voice_is_judged_by_what_is_understood() -> None:
    row = voice._judge(tone, ["您好您好", "再见再见"], Ears("您好您好"), voice.BOTH)

    assert row["texts"] == 2
    assert row["cer_clean"] == row["cer_telephone"] == 0.5
    assert row["level_dbov"] == pytest.approx(-26, abs=0.5)
    assert row["rtf"] > 0
    assert row["per_minute"] > 0


class Flaky:
    """In place of pyttsx3: fails, or speaks too little, every so often."""

    process_id = None

    def __init__(self) -> None:
        self.count = 0

    def synthesize(self, text: str, style: Style) -> Audio:
        self.count += 1
        if self.count == 10:
            raise SynthesisError("gone")
        return tone(text[:2] if self.count == 20 else text)

    def close(self) -> None:
        pass


def test_errors_and_short_speech_count_as_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(voice, "Pyttsx3Synthesizer", Flaky)
    assert voice.pyttsx3_lost(requests=30, seed=1) == (2, 0, 30)


def test_pyttsx3_loses_nothing_while_its_process_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(voice, "KILL_EVERY_S", 1.0)
    lost, kills, requests = voice.pyttsx3_lost(requests=200, seed=1)
    assert (lost, requests) == (0, 200)
    assert kills > 0
