"""sherpa-onnx, its real path: models of the right shape, tones for words."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from voicebot.domain.errors import ModelError, RecognitionError
from voicebot.domain.speech import Expectation

pytest.importorskip("sherpa_onnx", reason="extra sherpa is not installed")
pytest.importorskip("onnx", reason="onnx builds the models of this test")

from tests.integration import tiny_sherpa
from voicebot.speech.recognition.sherpa import SherpaRecognizer

pytestmark = pytest.mark.integration

RATE_HZ = 8000


def tone(hertz: float, seconds: float, rate_hz: int = RATE_HZ) -> bytes:
    at = np.arange(int(seconds * rate_hz)) / rate_hz
    noise = np.random.default_rng(1).normal(0, 20, at.size)
    return bytes((8000 * np.sin(2 * np.pi * hertz * at) + noise).astype("<i2").tobytes())


SILENCE = bytes(RATE_HZ)
SAID = SILENCE + tone(400, 0.5) + SILENCE + tone(3200, 0.5)


@pytest.mark.parametrize("build", [tiny_sherpa.sense_voice, tiny_sherpa.paraformer, tiny_sherpa.zipformer])
def test_a_model_directory_is_opened_by_what_lies_in_it(
    build: Callable[[Path], Path], tmp_path: Path
) -> None:
    recognizer = SherpaRecognizer(build(tmp_path / "model"), workers=1)
    stream = recognizer.open(RATE_HZ, Expectation(answers=(("可以",),)))
    for at in range(0, len(SAID), 320):
        stream.feed(SAID[at : at + 320])
    heard = stream.result(final=True)
    recognizer.close()
    assert heard.text.strip("可以") == ""
    assert heard.text.startswith("可")
    assert heard.text.endswith("以")
    assert heard.compute_s > 0
    assert 0 < heard.confidence <= 1


@pytest.mark.parametrize("build", [tiny_sherpa.sense_voice, tiny_sherpa.zipformer])
def test_words_have_the_times_of_the_engine(build: Callable[[Path], Path], tmp_path: Path) -> None:
    recognizer = SherpaRecognizer(build(tmp_path / "model"), workers=1)
    stream = recognizer.open(RATE_HZ)
    stream.feed(SAID)
    heard = stream.result(final=True)
    recognizer.close()
    assert heard.timing == "native"
    first, second = heard.words[0], heard.words[-1]
    assert (first.text, second.text) == ("可", "以")
    assert first.start_s == pytest.approx(0.5, abs=0.25)
    assert second.start_s == pytest.approx(1.5, abs=0.25)
    assert all(word.start_s < word.end_s for word in heard.words)


@pytest.mark.parametrize("build", [tiny_sherpa.sense_voice, tiny_sherpa.zipformer])
def test_a_speculative_result_is_gone_on_with(build: Callable[[Path], Path], tmp_path: Path) -> None:
    recognizer = SherpaRecognizer(build(tmp_path / "model"), workers=1)
    stream = recognizer.open(RATE_HZ)
    stream.feed(SILENCE + tone(400, 0.5))
    guess = stream.result(final=False)
    stream.feed(SILENCE)
    assert stream.result(final=False) is guess
    stream.feed(tone(3200, 0.5))
    assert (guess.text, stream.result(final=True).text) == ("可", "可以")
    with pytest.raises(RecognitionError, match="over"):
        stream.result(final=True)
    recognizer.close()


def test_silence_says_nothing(tmp_path: Path) -> None:
    recognizer = SherpaRecognizer(tiny_sherpa.sense_voice(tmp_path / "model"), workers=1)
    stream = recognizer.open(RATE_HZ)
    stream.feed(bytes(16000))
    assert stream.result(final=True).text == ""
    recognizer.close()


def test_what_is_no_model_is_refused_before_the_engine_sees_it(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"tokens\.txt is missing"):
        SherpaRecognizer(tmp_path)
    (tmp_path / "tokens.txt").write_text("a 0\n")
    with pytest.raises(ModelError, match="holds neither"):
        SherpaRecognizer(tmp_path)
    (tmp_path / "model.onnx").write_bytes(b"no model")
    with pytest.raises(ModelError, match="no usable ONNX"):
        SherpaRecognizer(tmp_path)
    tiny_sherpa.zipformer(tmp_path / "other")
    (tmp_path / "model.onnx").write_bytes((tmp_path / "other" / "joiner-tiny.int8.onnx").read_bytes())
    with pytest.raises(ModelError, match="not exported for sherpa-onnx") as refused:
        SherpaRecognizer(tmp_path)
    assert "models pull" in refused.value.hint
