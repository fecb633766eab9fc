"""Sound that is no Mandarin consents to nothing: other languages, dialect, music; the real recogniser."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import signal

from voicebot.bench.telephone import telephone
from voicebot.dialogue.progress import CONSENT_CONFIDENCE
from voicebot.domain.audio import Audio
from voicebot.domain.speech import Expectation
from voicebot.speech.recognition import weights
from voicebot.speech.recognition.whisper import WhisperRecognizer
from voicebot.speech.synthesis import espeak

pytestmark = pytest.mark.integration

CONSENT = ("可以", "好的", "是的", "方便")
REFUSAL = ("不需要", "不用了")
LONGEST_S = 60.0  # of CPU, generous: unbounded work would take minutes


@pytest.fixture(scope="module")
def whisper(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WhisperRecognizer]:
    model = weights.assemble(tmp_path_factory.mktemp("models") / "whisper-base")
    recognizer = WhisperRecognizer(model, workers=1, timeout_s=250.0)
    yield recognizer
    recognizer.close()


def spoken(voice: bytes, text: str) -> NDArray[np.float64]:
    library = espeak._library
    with library.lock:
        if library._dll is None:
            library._open()
        try:
            assert library._dll.espeak_SetVoiceByName(voice) == 0
            pcm, rate_hz = library.speak(text, 165)
        finally:
            library._dll.espeak_SetVoiceByName(espeak.VOICE)
    return np.asarray(signal.resample_poly(np.frombuffer(pcm, "<i2") / 32768, 8000, rate_hz))


def music(seconds: float, chord: tuple[float, ...]) -> NDArray[np.float64]:
    random = np.random.default_rng(3)
    note = np.arange(8000 // 3) / 8000
    played = []
    for _ in range(int(seconds * 3)):
        pitch_hz = 262 * 2 ** (random.choice([0, 2, 4, 7, 9, 12]) / 12)
        tones = [np.sin(2 * np.pi * pitch_hz * part * k * note) / k for part in chord for k in range(1, 7)]
        played.append(np.exp(-3 * note) * np.sum(tones, axis=0))
    return np.concatenate(played)


SOUNDS = {
    "English, a refusal": lambda: spoken(b"en", "no thank you"),
    "English, a sentence": lambda: spoken(b"en", "I do not speak Chinese, please call later."),
    "Cantonese, a refusal": lambda: spoken(b"yue", "唔使喇唔該"),
    "Cantonese, a sentence": lambda: spoken(b"yue", "我而家唔得閒，唔好講喇"),
    "a melody": lambda: music(3, (1,)),
    "chords": lambda: music(10, (1, 1.25, 1.5)),
}


@pytest.mark.parametrize("name", SOUNDS)
def test_what_is_no_mandarin_binds_nobody(whisper: WhisperRecognizer, name: str) -> None:
    samples = SOUNDS[name]()
    background = np.random.default_rng(1).normal(0, 1e-3, samples.size + 4800)
    background[2400:-2400] += samples / np.abs(samples).max() * 0.3
    audio = telephone(Audio((background * 32767).astype("<i2").tobytes(), 8000))
    stream = whisper.open(8000, Expectation(answers=(CONSENT, REFUSAL)))
    stream.feed(audio.pcm)
    heard = stream.result(final=True)
    consents = any(text in heard.text for text in CONSENT)
    assert not consents or heard.confidence < CONSENT_CONFIDENCE, heard.text
    assert heard.compute_s < LONGEST_S
