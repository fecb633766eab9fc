"""The engines: what they lack is said, what they speak is whole."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from voicebot import bootstrap
from voicebot.dialogue import playbook as playbooks
from voicebot.domain.audio import LINE_RATE_HZ
from voicebot.domain.errors import ModelError, SynthesisError
from voicebot.domain.script import Style
from voicebot.registry import resources
from voicebot.speech.synthesis import kokoro
from voicebot.speech.synthesis.chain import ACTIVE_LEVEL_DBOV, active_level_dbov, to_float
from voicebot.speech.synthesis.clips import ClipLibrary
from voicebot.speech.synthesis.espeak import EspeakSynthesizer
from voicebot.speech.synthesis.joins import cover
from voicebot.speech.synthesis.kokoro import KokoroSynthesizer, syllables
from voicebot.speech.synthesis.prompts import PromptCache
from voicebot.speech.synthesis.pyttsx3_engine import Pyttsx3Synthesizer
from voicebot.speech.synthesis.rendering import playbook_orders
from voicebot.speech.synthesis.spoken import callback_times, names, slot_parts

pytestmark = pytest.mark.unit


def shipped() -> ClipLibrary:
    return ClipLibrary(resources.demo_dir() / "prompts" / "consumer_loan")


def test_a_reading_of_the_playbook_wins_over_the_dictionary() -> None:
    assert syllables("还款，女士", {}) == ["hai2 kuan3", "，", "nv3 shi4"]
    assert syllables("随时还款，女士", {"还款": "huán kuǎn"}) == [
        "sui2 shi2",
        "huan2 kuan3",
        "，",
        "nv3 shi4",
    ]


def test_kokoro_says_what_it_lacks(tmp_path: Path) -> None:
    voice = KokoroSynthesizer(tmp_path)
    assert voice.available()
    with pytest.raises(ModelError, match="Kokoro cannot speak"):
        voice.synthesize("您好。", Style.NEUTRAL)


def test_damaged_weights_are_noticed_before_they_speak(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # the G2P comes with an extra; the weights are checked without it
    monkeypatch.setattr(kokoro, "find_spec", lambda name: name)
    monkeypatch.setattr(kokoro, "phonemes", lambda text, readings: "a")
    (tmp_path / "voices").mkdir()
    (tmp_path / "model_quantized.onnx").write_bytes(b"rubbish")
    (tmp_path / "voices" / "zf_xiaoxiao.bin").write_bytes(bytes(1024 * 4))
    voice = KokoroSynthesizer(tmp_path)
    with pytest.raises(ModelError, match="sha256"):
        voice.synthesize("您好。", Style.NEUTRAL)
    assert "damaged" in voice.available(), "the next text goes to another engine at once"


def test_espeak_speaks_at_once() -> None:
    audio = EspeakSynthesizer().synthesize("您好，我是智能语音机器人。", Style.NEUTRAL)

    assert audio.rate_hz == LINE_RATE_HZ
    assert 2 < audio.duration_s < 6
    slow = EspeakSynthesizer().synthesize("您好，我是智能语音机器人。", Style.SOFT)
    assert slow.duration_s > audio.duration_s


@pytest.mark.parametrize("text", ["，。", "😀"])
def test_a_text_without_sound_is_an_error(text: str) -> None:
    with pytest.raises(SynthesisError):
        EspeakSynthesizer().synthesize(text, Style.NEUTRAL)


def test_every_text_of_the_shipped_playbook_has_its_clip(tmp_path: Path) -> None:
    book = playbooks.load(resources.playbooks_dir() / "consumer_loan.yaml")
    prompts = PromptCache(tmp_path, [shipped()], [])
    shipped_texts = {clip.text for clip in shipped().clips}

    for order in playbook_orders(book):
        assert shipped_texts >= {order.text}, "render it: voicebot prompts render --shipped --weights DIR"
        ref = prompts.prepare(order.text, order.style)
        assert ref.engine.startswith("clip:kokoro")
        assert prompts.audio(ref.key).duration_s == pytest.approx(ref.duration_ms / 1000, abs=0.01)


def test_callbacks_and_names_are_joined_from_clips(tmp_path: Path) -> None:
    book = playbooks.load(resources.playbooks_dir() / "consumer_loan.yaml")
    library = shipped()

    for text in (script.text for script in book.scripts.values() if "{" in script.text):
        for slot, values in (("{callback_time}", callback_times()), ("{customer}", names())):
            if slot in text:
                for value in values:
                    said = text.replace(slot, value)
                    assert cover(said, lambda part: library.find(part, Style.NEUTRAL) is not None), said
    assert slot_parts(book)


def test_shipped_clips_are_what_the_manifest_says() -> None:
    total = 0
    for manifest in resources.demo_dir().rglob("manifest.json"):
        library = ClipLibrary(manifest.parent)
        assert {clip.file for clip in library.clips} == {file.name for file in manifest.parent.glob("*.flac")}
        for clip in library.clips:
            assert "Apache-2.0" in clip.licence
            assert clip.engine.startswith("kokoro-1.0-int8/")
            assert library.audio(clip).duration_s > 0.2
            total += (manifest.parent / clip.file).stat().st_size
    assert 0 < total < 25_000_000


def test_the_apology_of_a_line_is_sound_for_the_line() -> None:
    audio = bootstrap.apology()

    assert audio.rate_hz == LINE_RATE_HZ
    assert 2 < audio.duration_s < 8
    assert active_level_dbov(to_float(audio), LINE_RATE_HZ) == pytest.approx(ACTIVE_LEVEL_DBOV, abs=1)


@pytest.fixture
def robot() -> Pyttsx3Synthesizer:
    return Pyttsx3Synthesizer()


def test_pyttsx3_speaks_again_after_its_process_was_killed(robot: Pyttsx3Synthesizer) -> None:
    try:
        first = robot.synthesize("您好，我是智能语音机器人。", Style.NEUTRAL)
        assert robot._child is not None
        robot._child.kill()
        second = robot.synthesize("您好，我是智能语音机器人。", Style.NEUTRAL)
    finally:
        robot.close()
    assert 2 < first.duration_s < 6
    assert second.duration_s == pytest.approx(first.duration_s, rel=0.1)


def test_pyttsx3_speaks_when_a_text_can_not_be_sent(
    robot: Pyttsx3Synthesizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when its process dies just before a text: the pipe breaks at the write."""
    deaf = subprocess.Popen(
        [sys.executable, "-c", "import os, time; os.close(0); print('deaf', flush=True); time.sleep(600)"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert deaf.stdout is not None
        assert deaf.stdout.readline() == "deaf\n"
        monkeypatch.setattr(robot, "_child", deaf)
        assert 2 < robot.synthesize("您好，我是智能语音机器人。", Style.NEUTRAL).duration_s < 6
        assert deaf.returncode is not None, "the deaf process was left running"
    finally:
        robot.close()
        deaf.kill()
        deaf.wait()


def test_pyttsx3_that_hangs_is_given_up(robot: Pyttsx3Synthesizer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(robot, "_timeout_s", 0.0)
    try:
        with pytest.raises(SynthesisError, match="times"):
            robot.synthesize("您好，我是智能语音机器人。", Style.NEUTRAL)
        assert robot._child is None
    finally:
        robot.close()
