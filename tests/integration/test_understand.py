"""`voicebot understand`: any recording gives a clear result or a clear error, in bounded time and memory."""

from __future__ import annotations

import json
import time
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray
from typer.testing import CliRunner

from voicebot import bootstrap
from voicebot.call import picture
from voicebot.call import recording as calls
from voicebot.cli.main import app
from voicebot.domain.audio import Audio
from voicebot.domain.emotion import NEGATIVE, EmotionLabel
from voicebot.domain.errors import DataError
from voicebot.domain.speech import NOTHING_EXPECTED, Expectation, Transcript, Word
from voicebot.domain.understanding import Situation
from voicebot.settings import Settings
from voicebot.speech import recordings

pytestmark = pytest.mark.integration

F64 = NDArray[np.float64]


class Stream:
    """A recogniser that hears the next of its lines in every utterance."""

    def __init__(self, lines: list[str]) -> None:
        self.lines = lines
        self.seconds = 0.0

    def feed(self, pcm: bytes) -> None:
        self.seconds += len(pcm) / 16000

    def ending(self) -> None:
        pass

    def result(self, *, final: bool) -> Transcript:
        text = self.lines.pop(0) if self.lines else ""
        words = (Word(text, 0.3, self.seconds - 0.2, 0.9),) if text else ()
        return Transcript(text, words, confidence=0.9, engine="scripted")

    def withdraw(self) -> None: ...

    def abort(self) -> None:
        self.lines.clear()


class Scripted:
    """Opens streams over one list of lines."""

    name = "scripted"
    load = 0.0

    def __init__(self, *lines: str) -> None:
        self.lines = list(lines)

    def open(self, rate_hz: int, expected: Expectation = NOTHING_EXPECTED) -> Stream:
        assert rate_hz == 8000
        return Stream(self.lines)


def voice(seconds: float, f0_hz: float = 140.0, rate: int = 8000, level: float = 0.2) -> F64:
    t = np.arange(int(seconds * rate)) / rate
    phase = 2 * np.pi * np.cumsum(f0_hz * (1 + 0.06 * np.sin(2 * np.pi * 1.3 * t))) / rate
    sound = np.sum([np.sin(k * phase) / k for k in range(2, int(3000 / f0_hz))], axis=0)
    sound *= np.clip(np.sin(2 * np.pi * 4 * t), 0.05, 1)
    return np.asarray(sound / np.abs(sound).max() * level)


def quiet(seconds: float, rate: int = 8000) -> F64:
    return np.random.default_rng(1).normal(0, 1e-4, int(seconds * rate))


def save(path: Path, samples: F64, rate: int = 8000) -> Path:
    soundfile.write(path, samples, rate, subtype="PCM_16")
    return path


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Scripted:
    recognizer = Scripted()
    monkeypatch.setenv("VOICEBOT_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(bootstrap, "recognizer", lambda settings: recognizer)
    return recognizer


def understand(*arguments: object) -> str:
    done = CliRunner().invoke(app, ["understand", *map(str, arguments)], catch_exceptions=False)
    assert done.exit_code == 0
    return done.stdout


def test_a_recording_is_understood_utterance_by_utterance(scripted: Scripted, tmp_path: Path) -> None:
    scripted.lines += ["喂，你好", "利息多少", "现在有事，不要说了"]
    pause = quiet(1.2)
    sound = np.concatenate([pause, voice(1.2), pause, voice(1.5), pause, voice(1.6), pause])
    told = json.loads(understand(save(tmp_path / "a.wav", sound), "--json"))
    first, _, last = told["utterances"]
    assert first["start_s"] == pytest.approx(0.9, abs=0.15)
    assert first["end_s"] == pytest.approx(2.6, abs=0.3)
    understood = [one["understanding"] for one in told["utterances"]]
    assert [one["transcript"]["text"] for one in understood] == ["喂，你好", "利息多少", "现在有事，不要说了"]
    assert all(one["emotion"]["second"] for one in understood)
    assert understood[2]["situation"] == Situation.BUSY
    assert understood[2]["keywords"][:2] == ["现在有事", "不要说了"]
    assert understood[2]["emotion"]["label"] == EmotionLabel.CALM
    assert understood[2]["emotion"]["weights"] == [0.4, 0.6]
    assert understood[2]["prosody"]["f0_median_hz"] == pytest.approx(140, rel=0.1)
    assert last["end_s"] <= sound.size / 8000 + 0.1


def test_what_a_person_reads_says_what_was_said_and_how(scripted: Scripted, tmp_path: Path) -> None:
    scripted.lines += ["利息多少", "不要说了"]
    sound = np.concatenate([voice(1.2), quiet(1.2), voice(1.2)])
    shown = understand(save(tmp_path / "a.wav", sound))
    for wanted in ("利息多少", "不要说了", "音高", "第一 ×", "第二 ×", "情境", "情感走势", "平静"):
        assert wanted in shown


def test_forty_four_kilohertz_stereo_is_heard_like_a_telephone(scripted: Scripted, tmp_path: Path) -> None:
    scripted.lines += ["利息多少"]
    left = np.concatenate([quiet(0.5, 44100), voice(1.5, rate=44100), quiet(1, 44100)])
    file = save(tmp_path / "a.wav", np.stack([left, np.zeros_like(left)], axis=1), 44100)
    (one,) = json.loads(understand(file, "--channel", "left", "--json"))["utterances"]
    assert one["understanding"]["prosody"]["f0_median_hz"] == pytest.approx(140, rel=0.1)
    told = json.loads(understand(file, "--channel", "right", "--json"))
    assert told["utterances"] == []
    assert told["remarks"] == ["没有听到说话声"]


def ring_back(seconds: float) -> F64:
    t = np.arange(int(seconds * 8000)) / 8000
    return np.asarray(0.2 * np.sin(2 * np.pi * 450 * t) * (t % 5 < 1))


@pytest.mark.parametrize("hertz", [(450,), (425,), (350, 440), (440, 480)], ids=str)
def test_tones_of_the_network_are_no_speech(hertz: tuple[int, ...]) -> None:
    t = np.arange(16000) / 8000
    line = np.random.default_rng(1).normal(0, 0.002, t.size)
    tone = line + sum(0.1 * np.sin(2 * np.pi * one * t) for one in hertz) * (t < 1.2)
    assert recordings.stretches(Audio((tone * 32767).astype("<i2").tobytes())) == []


def test_no_spoken_word_is_taken_for_a_tone(test_data: Path) -> None:
    files = sorted((test_data / "speech" / "words").glob("*.wav"))
    shares = [recordings.tonality(recordings.read(file).audio) for file in files]
    assert files
    assert max(shares) < recordings.TONE_SHARE - 0.01


def music(seconds: float) -> F64:
    t = np.arange(int(seconds * 8000)) / 8000
    notes = 2 ** (np.floor(t * 2) % 5 / 12)
    return np.asarray(sum(0.1 * np.sin(2 * np.pi * 330 * k * np.cumsum(notes) / 8000) for k in (1, 2, 3)))


STRANGE = {
    "silent": np.zeros(8000 * 3),
    "ring-back": ring_back(12),
    "music": music(10),
    "clipped": np.clip(voice(3, level=20), -1, 1),
    "noise": np.random.default_rng(1).normal(0, 0.1, 8000 * 4),
    "a click": np.eye(1, 4000, 2000).ravel(),
}


@pytest.mark.parametrize("name", STRANGE)
def test_strange_sound_gives_a_clear_result(scripted: Scripted, tmp_path: Path, name: str) -> None:
    file = save(tmp_path / "a.wav", STRANGE[name])
    told = json.loads(understand(file, "--json", "--plot", tmp_path / "a.svg"))
    labels = {one["understanding"]["emotion"]["label"] for one in told["utterances"]}
    assert not labels & set(NEGATIVE)
    assert told["remarks"]
    ElementTree.parse(tmp_path / "a.svg")


def test_clipping_is_told(scripted: Scripted, tmp_path: Path) -> None:
    scripted.lines += ["利息多少"]
    assert "削波" in understand(save(tmp_path / "a.wav", STRANGE["clipped"]))


def test_of_five_minutes_three_are_understood_in_bounded_time(scripted: Scripted, tmp_path: Path) -> None:
    scripted.lines += ["利息多少"] * 100
    minute = np.concatenate([np.tile(np.concatenate([voice(3), quiet(1)]), 6), voice(36)])
    file = save(tmp_path / "a.wav", np.tile(minute, 5))
    began = time.process_time()
    told = json.loads(understand(file, "--json", "--plot", tmp_path / "a.svg"))
    assert time.process_time() - began < 30  # generous: unbounded work would take minutes
    assert told["utterances"][-1]["end_s"] <= 180
    assert max(one["end_s"] - one["start_s"] for one in told["utterances"]) <= 21
    assert "只分析前 180 s" in told["remarks"][0]


@pytest.mark.parametrize("content", [b"", b"RIFF", "不是录音".encode() * 100])
def test_what_is_no_recording_is_a_clear_error(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "a.wav"
    file.write_bytes(content)
    with pytest.raises(DataError, match=r"a\.wav") as error:
        recordings.read(file)
    assert error.value.hint


def test_an_absent_or_empty_recording_is_a_clear_error(tmp_path: Path) -> None:
    for file in (tmp_path / "none.wav", save(tmp_path / "empty.wav", np.zeros(0))):
        with pytest.raises(DataError, match=file.name):
            recordings.read(file)


def test_the_picture_shows_words_and_emotion_over_time(tmp_path: Path) -> None:
    audio = recordings.read(save(tmp_path / "a.wav", np.concatenate([voice(2), quiet(1)]))).audio
    settings = Settings(home=tmp_path)
    heard = calls.understand(
        audio, Scripted("利息<多少>&"), bootstrap.analyzer(settings), bootstrap.situations()
    )
    drawn = picture.svg("客户 <1>.wav", audio, heard)
    said = "".join(ElementTree.fromstring(drawn).itertext())
    for wanted in ("客户 <1>.wav", "利息<多少>&", "波形", "音高", "情感", "厌烦", "平静"):
        assert wanted in said


def test_a_picture_of_nothing_can_be_drawn() -> None:
    ElementTree.fromstring(picture.svg("", Audio(b""), []))


def test_a_png_shows_hanzi(tmp_path: Path) -> None:
    audio = Audio(bytes(16000))
    pictures = []
    for number, title in enumerate(("厌烦", "平静", "\ue000\ue001")):
        picture.save(tmp_path / f"{number}.png", picture.svg(title, audio, []))
        pictures.append((tmp_path / f"{number}.png").read_bytes())
    assert pictures[0].startswith(b"\x89PNG")
    assert len(set(pictures)) == 3  # missing glyphs would all look the same


def test_a_picture_of_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no kind of picture"):
        picture.save(tmp_path / "a.jpg", "<svg/>")
