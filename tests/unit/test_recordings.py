"""Recordings of a human voice: good ones are taken, bad ones stay out with a reason."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from voicebot.dialogue import playbook as playbooks
from voicebot.domain.errors import DataError
from voicebot.domain.script import Playbook, Style
from voicebot.registry import resources
from voicebot.speech.synthesis.chain import active_level_dbov, to_float
from voicebot.speech.synthesis.clips import ClipLibrary
from voicebot.speech.synthesis.prompts import PromptCache
from voicebot.speech.synthesis.recordings import Imported, import_recordings

pytestmark = pytest.mark.unit
RATE_HZ = 16000


@pytest.fixture(scope="module")
def book() -> Playbook:
    return playbooks.load(resources.playbooks_dir() / "consumer_loan.yaml")


def speech(seconds: float, level: float = 0.3, noise: float = 0.0005) -> NDArray[np.float64]:
    """Return syllables: four bursts a second over a little noise, half a second of silence around them."""
    times = np.arange(int(seconds * RATE_HZ)) / RATE_HZ
    bursts = level * np.sin(2 * np.pi * 250 * times) * (np.sin(2 * np.pi * 4 * times) ** 2)
    around = np.zeros(RATE_HZ // 2)
    sound = np.concatenate([around, bursts, around])
    return sound + noise * np.random.default_rng(1).standard_normal(len(sound))


def bring(folder: Path, book: Playbook, files: dict[str, NDArray[np.float64]]) -> Imported:
    folder.mkdir(parents=True, exist_ok=True)
    for name, sound in files.items():
        soundfile.write(folder / name, sound, RATE_HZ)
    return import_recordings(folder, book, folder / "clips", voice="小林", licence="own recording")


def seconds_for(text: str) -> float:
    return 0.22 * len(text)


def test_files_are_matched_by_script_id_by_style_and_by_words(tmp_path: Path, book: Playbook) -> None:
    farewell = book.scripts[book.farewell]
    apology = book.scripts[book.apology]
    good = speech(seconds_for(farewell.text))
    words = apology.text.replace("，", "").replace("。", "").replace("？", "")

    done = bring(
        tmp_path,
        book,
        {
            f"{farewell.id}.wav": good,
            f"{farewell.id}.soft.flac": good,
            f"{words}.wav": speech(seconds_for(apology.text)),
        },
    )

    assert done.refused == {}
    assert {(clip.text, clip.style) for clip in done.clips} == {
        (farewell.text, "neutral"),
        (farewell.text, "soft"),
        (apology.text, "neutral"),
    }
    assert farewell.text not in done.missing
    library = ClipLibrary(tmp_path / "clips")
    prompts = PromptCache(tmp_path / "cache", [library], [])
    ref = prompts.prepare(farewell.text, Style.SOFT)
    assert ref.engine == "clip:recorded/小林"
    assert active_level_dbov(to_float(prompts.audio(ref.key)), 8000) == pytest.approx(-26, abs=0.5)


def test_a_second_import_keeps_the_first(tmp_path: Path, book: Playbook) -> None:
    first, second = book.scripts[book.farewell], book.scripts[book.apology]
    bring(tmp_path, book, {f"{first.id}.wav": speech(seconds_for(first.text))})
    (tmp_path / f"{first.id}.wav").unlink()
    bring(tmp_path, book, {f"{second.id}.wav": speech(seconds_for(second.text))})

    assert {clip.text for clip in ClipLibrary(tmp_path / "clips").clips} == {first.text, second.text}


def test_recordings_of_bad_sound_stay_out_with_the_reason(tmp_path: Path, book: Playbook) -> None:
    text = book.scripts[book.farewell].text
    good = speech(seconds_for(text))
    bad = {
        "too quiet": 0.001 * good,
        "overdriven": np.clip(good * 20, -1, 1),
        "noisy": speech(seconds_for(text), noise=0.1),
        "a pause": np.concatenate([good, np.zeros(2 * RATE_HZ), good]),
        "cannot be this text": speech(0.3),
    }
    for reason, sound in bad.items():
        done = bring(tmp_path / reason, book, {f"{book.farewell}.wav": sound})
        assert reason in done.refused[f"{book.farewell}.wav"]
        assert done.clips == ()
        assert ClipLibrary(tmp_path / reason / "clips").clips == ()


def test_files_that_nobody_knows_are_named(tmp_path: Path, book: Playbook) -> None:
    tmp_path.joinpath("half.wav").write_bytes(b"RIFF")
    tmp_path.joinpath(f"{book.farewell}.mp3").write_bytes(b"not sound")
    done = bring(tmp_path, book, {"nobody.wav": speech(1), f"{book.farewell}.angry.wav": speech(1)})

    assert "neither a script id" in done.refused["nobody.wav"]
    assert "no style" in done.refused[f"{book.farewell}.angry.wav"]
    assert "not a readable sound" in done.refused[f"{book.farewell}.mp3"]
    assert set(done.refused) == {
        "nobody.wav",
        "half.wav",
        f"{book.farewell}.mp3",
        f"{book.farewell}.angry.wav",
    }


def test_an_empty_folder_is_an_error(tmp_path: Path, book: Playbook) -> None:
    with pytest.raises(DataError, match="no recordings"):
        import_recordings(tmp_path, book, tmp_path / "clips", voice="v", licence="l")
