"""A prompt is found, joined or spoken once, and never silent."""

from __future__ import annotations

import hashlib
import os
import re
import resource
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from structlog.testing import capture_logs

from voicebot.domain.audio import LINE_RATE_HZ, Audio
from voicebot.domain.call import PromptRef
from voicebot.domain.errors import DataError, SynthesisError
from voicebot.domain.script import Style
from voicebot.registry import resources
from voicebot.speech.synthesis import tempo
from voicebot.speech.synthesis.chain import active_level_dbov, finish, to_float
from voicebot.speech.synthesis.clips import Clip, ClipLibrary, clip_file, encode_flac, write_manifest
from voicebot.speech.synthesis.joins import clauses, cover, join
from voicebot.speech.synthesis.prompt_files import PromptFiles
from voicebot.speech.synthesis.prompts import PromptCache
from voicebot.speech.synthesis.rendering import ClipOrder, render_clips

pytestmark = pytest.mark.unit


def tone(text: str, seconds: float = 0.4, level: float = 0.3) -> Audio:
    """Return a tone whose pitch depends on the text."""
    pitch = 200 + int(hashlib.sha256(text.encode()).hexdigest()[:4], 16) % 800
    times = np.arange(int(seconds * LINE_RATE_HZ)) / LINE_RATE_HZ
    return finish(level * np.sin(2 * np.pi * pitch * times), LINE_RATE_HZ)


def pitch_hz(sound: NDArray[np.float64]) -> float:
    """Return the strongest frequency."""
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound)), 65536))
    return float(np.argmax(spectrum)) * LINE_RATE_HZ / 65536


class Voice:
    """A synthesizer that counts."""

    def __init__(
        self,
        name: str = "voice",
        *,
        robotic: bool = False,
        live: bool = True,
        absent: str = "",
        fails: bool = False,
    ):
        self.name = name
        self.robotic = robotic
        self.live = live
        self.absent = absent
        self.fails = fails
        self.spoken: list[tuple[str, Style]] = []

    def available(self) -> str:
        return self.absent

    def synthesize(self, text: str, style: Style) -> Audio:
        if self.fails:
            raise SynthesisError("broken weights")
        self.spoken.append((text, style))
        return tone(text)


def library(directory: Path, texts: Iterable[str], style: Style = Style.NEUTRAL) -> ClipLibrary:
    """Return a library that holds these texts."""
    directory.mkdir(parents=True, exist_ok=True)
    clips = []
    for text in texts:
        data = encode_flac(tone(text))
        file = clip_file(text, style, "v")
        (directory / file).write_bytes(data)
        digest = hashlib.sha256(data).hexdigest()
        clips.append(Clip(file, text, style.value, "v", "kokoro", "Apache-2.0", digest, 400))
    write_manifest(directory, clips)
    return ClipLibrary(directory)


def test_a_clip_is_used_before_any_engine_speaks(tmp_path: Path) -> None:
    voice = Voice()
    prompts = PromptCache(tmp_path / "cache", [library(tmp_path / "clips", ["您好。"])], [voice])

    ref = prompts.prepare("您好。", Style.NEUTRAL, protected=True)

    assert (ref.text, ref.engine, ref.duration_ms, ref.protected) == ("您好。", "clip:kokoro", 400, True)
    assert prompts.audio(ref.key).pcm == tone("您好。").pcm
    assert voice.spoken == []


@pytest.mark.parametrize(("style", "tempo", "gain_db"), [(Style.SOFT, 0.92, -2.0), (Style.BRISK, 1.08, 0.0)])
def test_a_neutral_clip_is_spoken_in_the_style_it_lacks(
    tmp_path: Path, style: Style, tempo: float, gain_db: float
) -> None:
    voice = Voice()
    prompts = PromptCache(tmp_path / "cache", [library(tmp_path / "clips", ["您好。"])], [voice])

    neutral, ref = prompts.prepare("您好。", Style.NEUTRAL), prompts.prepare("您好。", style)

    assert ref.engine == f"clip:kokoro@{style.value}"
    assert ref.duration_ms == pytest.approx(neutral.duration_ms / tempo, rel=0.02)
    before, after = (to_float(prompts.audio(one.key)) for one in (neutral, ref))
    assert active_level_dbov(after, LINE_RATE_HZ) - active_level_dbov(before, LINE_RATE_HZ) == pytest.approx(
        gain_db, abs=0.5
    )
    assert pitch_hz(after) == pytest.approx(pitch_hz(before), rel=0.02), "the pitch stays"
    assert voice.spoken == []
    assert prompts.prepare("您好。", style) == ref
    assert prompts.counts["styled"] == 1, "made once"


def test_a_clip_in_the_style_wins_over_a_neutral_one(tmp_path: Path) -> None:
    clips = [
        library(tmp_path / "neutral", ["您好。"]),
        library(tmp_path / "soft", ["您好。"], Style.SOFT),
    ]

    assert PromptCache(tmp_path, clips, []).prepare("您好。", Style.SOFT).engine == "clip:kokoro"


def test_a_filled_slot_is_joined_from_clips(tmp_path: Path) -> None:
    parts = ["好的，", "明天下午三点，", "我们再给您来电，不打扰您了，再见。"]
    voice = Voice()
    prompts = PromptCache(tmp_path / "cache", [library(tmp_path / "clips", parts)], [voice])

    ref = prompts.prepare("".join(parts), Style.NEUTRAL)

    assert ref.engine == "joined:kokoro"
    assert ref.duration_ms > 3 * 300
    assert voice.spoken == []
    assert prompts.audio(ref.key).duration_s == pytest.approx(ref.duration_ms / 1000, abs=0.001)
    assert prompts.prepare("".join(parts), Style.NEUTRAL) == ref


def test_a_text_is_spoken_once_even_by_another_process(tmp_path: Path) -> None:
    first, second = Voice(), Voice()
    ref = PromptCache(tmp_path, [], [first]).prepare("明天见。", Style.SOFT)
    again = PromptCache(tmp_path, [], [second]).prepare("明天见。", Style.SOFT)

    assert (ref.key, ref.engine, again.engine) == (again.key, "rendered:voice", "voice")
    assert first.spoken == [("明天见。", Style.SOFT)]
    assert second.spoken == []


def test_style_engine_and_readings_make_different_prompts(tmp_path: Path) -> None:
    keys = {
        PromptCache(tmp_path, [], [Voice("a")]).prepare("还款。", Style.NEUTRAL).key,
        PromptCache(tmp_path, [], [Voice("a")]).prepare("还款。", Style.SOFT).key,
        PromptCache(tmp_path, [], [Voice("b")]).prepare("还款。", Style.NEUTRAL).key,
        PromptCache(tmp_path, [], [Voice("a")], {"还款": "huán kuǎn"}).prepare("还款。", Style.NEUTRAL).key,
    }
    assert len(keys) == 4


def test_a_damaged_file_in_the_cache_is_made_again(tmp_path: Path) -> None:
    voice = Voice()
    prompts = PromptCache(tmp_path, [], [voice])
    ref = prompts.prepare("您好。", Style.NEUTRAL)
    file = next(tmp_path.rglob("*.flac"))
    file.write_bytes(file.read_bytes()[:-100])

    with pytest.raises(SynthesisError, match=ref.key):
        prompts.audio(ref.key)
    assert prompts.prepare("您好。", Style.NEUTRAL) == ref
    assert prompts.audio(ref.key).pcm == tone("您好。").pcm
    assert len(voice.spoken) == 2


def test_a_damaged_clip_gives_way_to_an_engine(tmp_path: Path) -> None:
    clips = library(tmp_path / "clips", ["您好。"])
    (clips.directory / clips.clips[0].file).write_bytes(b"fLaC rubbish")
    prompts = PromptCache(tmp_path / "cache", [clips], [Voice("spare")])

    assert prompts.prepare("您好。", Style.NEUTRAL).engine == "rendered:spare"


def test_the_next_engine_speaks_when_the_best_is_absent_or_fails(tmp_path: Path) -> None:
    engines = [Voice("absent", absent="no weights"), Voice("broken", fails=True), Voice("last", robotic=True)]

    with capture_logs() as logs:
        prompts = PromptCache(tmp_path, [], engines)
        assert prompts.prepare("您好。", Style.NEUTRAL).engine == "rendered:last"
        prompts.prepare("再见。", Style.NEUTRAL)

    robotic = [entry for entry in logs if "robotic" in entry["event"]]
    assert len(robotic) == 1, "warned about once"
    assert not any("您好" in str(entry) for entry in logs), "no speech text in the log"


def test_without_any_engine_the_error_says_why(tmp_path: Path) -> None:
    prompts = PromptCache(tmp_path, [], [Voice("kokoro", absent="no weights in /x")])

    with pytest.raises(SynthesisError, match="kokoro: no weights in /x"):
        prompts.prepare("您好。", Style.NEUTRAL)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "empty"),
        ("  ", "empty"),
        ("好" * 2000, "2000 characters"),
        ("您好，Tom。", "'Tom'"),
        ("恭喜😀", "'😀'"),
        ("您好\x00，", "nobody can say"),
        ("利率3.6%", "'3.6%'"),
        ("您好，{customer}。", "'{customer}'"),
        ("，。", "punctuation"),
        ("안녕", "안녕"),
    ],
)
def test_an_impossible_text_is_a_clear_error_and_no_engine_hears_of_it(
    tmp_path: Path, text: str, why: str
) -> None:
    voice = Voice()
    with pytest.raises(SynthesisError, match=re.escape(why)) as error:
        PromptCache(tmp_path, [], [voice]).prepare(text, Style.NEUTRAL)
    assert error.value.hint
    assert voice.spoken == []


def test_a_full_disk_is_told_and_the_call_goes_on(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a directory")
    voice = Voice()
    prompts = PromptCache(blocked, [], [voice])

    with capture_logs() as logs:
        ref = prompts.prepare("您好。", Style.NEUTRAL)

    assert prompts.audio(ref.key).pcm == tone("您好。").pcm, "no silent prompt"
    assert any("cannot be kept" in entry["event"] for entry in logs)
    assert prompts.prepare("您好。", Style.NEUTRAL).key == ref.key
    assert len(voice.spoken) == 1


def test_a_disk_that_fills_up_while_a_prompt_is_written_costs_no_call(tmp_path: Path) -> None:
    voice = Voice()
    prompts = PromptCache(tmp_path, [], [voice])
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (512, hard))  # the disk takes no more than that of a file
    try:
        ref = prompts.prepare("您好。", Style.NEUTRAL)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    assert prompts.audio(ref.key).pcm == tone("您好。").pcm, "it is spoken from memory"
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [], "no half of a file is left"


def test_a_miss_in_a_call_is_spoken_by_a_quick_engine_and_marked(tmp_path: Path) -> None:
    slow, quick = Voice("kokoro", live=False), Voice("espeak", robotic=True)
    prompts = PromptCache(tmp_path, [], [slow, quick])

    assert prompts.prepare("您好。", Style.NEUTRAL).engine == "rendered:espeak"
    assert slow.spoken == []
    prompts.ahead("您好。")
    assert prompts.prepare("您好。", Style.NEUTRAL).engine == "kokoro", "the better voice, once it is there"
    assert prompts.counts["rendered"] == 2

    only = PromptCache(tmp_path / "other", [], [Voice("kokoro", live=False)])
    assert only.prepare("再见。", Style.NEUTRAL).engine == "rendered:kokoro", "late is better than silent"


def test_what_was_rendered_ahead_is_said_in_every_style_without_an_engine(tmp_path: Path) -> None:
    slow, quick = Voice("kokoro", live=False), Voice("espeak", robotic=True)
    prompts = PromptCache(tmp_path, [], [slow, quick])
    prompts.ahead("王先生，您好。")

    soft = prompts.prepare("王先生，您好。", Style.SOFT)

    assert soft.engine == "kokoro@soft"
    assert prompts.prepare("王先生，您好。", Style.SOFT) == soft
    assert (len(slow.spoken), quick.spoken) == (1, [])


class Index:
    """A prompt index that remembers what it was told."""

    def __init__(self) -> None:
        self.here: dict[str, int] = {}
        self.uses: list[str] = []

    def kept(self, key: str, engine: str, style: str, duration_ms: int, size_bytes: int) -> None:
        self.here[key] = size_bytes

    def used(self, key: str) -> None:
        self.uses.append(key)

    def dropped(self, keys: Sequence[str]) -> None:
        for key in keys:
            del self.here[key]


def test_the_prompts_unused_for_longest_make_room(tmp_path: Path) -> None:
    index = Index()
    files = PromptFiles(tmp_path, index)
    for number, key in enumerate(("aa1", "bb2", "cc3")):
        files.write(PromptRef(key, key, 0, "v"), tone(key), Style.NEUTRAL)
        os.utime(tmp_path / key[:2] / f"{key}.json", (number, number))
    size = sum(entry[1] for entry in files.entries())
    files.read("aa1")  # used now, so bb2 is the oldest

    dropped = files.shrink(size - 1, now=time.time())

    assert dropped == 1
    assert set(index.here) == {"aa1", "cc3"}
    assert files.read("bb2") is None
    assert files.shrink(0, now=time.time()) == 1, "what was used within the hour stays"
    assert [entry[0] for entry in files.entries()] == ["aa1"]
    assert index.uses == ["aa1"]


def test_what_is_ready_needs_no_engine(tmp_path: Path) -> None:
    voice = Voice()
    clips = library(tmp_path / "clips", ["好的，", "再见。"])
    prompts = PromptCache(tmp_path / "cache", [clips], [voice])

    assert prompts.ready("再见。", Style.SOFT) == "clip:kokoro"
    assert prompts.ready("好的，再见。") == "joined:kokoro"
    assert prompts.ready("明天见。") == ""
    prompts.prepare("明天见。", Style.NEUTRAL)
    assert prompts.ready("明天见。") == "voice"
    assert len(voice.spoken) == 1


def test_an_unknown_key_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SynthesisError, match="no prompt"):
        PromptCache(tmp_path, [], []).audio("00ff")


def test_every_prompt_lies_at_the_same_level_without_silence_around_it() -> None:
    times = np.arange(24000) / 24000
    speech = np.concatenate([np.zeros(12000), 0.9 * np.sin(2 * np.pi * 300 * times), np.zeros(24000)])

    audio = finish(speech, 24000)

    assert audio.rate_hz == LINE_RATE_HZ
    assert audio.duration_s == pytest.approx(1.06, abs=0.03)
    assert active_level_dbov(to_float(audio), LINE_RATE_HZ) == pytest.approx(-26, abs=0.5)
    samples = np.frombuffer(audio.pcm, "<i2")
    assert abs(int(samples[0])) < 10
    assert abs(int(samples[-1])) < 10


@pytest.mark.parametrize("sound", [np.zeros(8000), np.zeros(0), np.full(8000, np.nan)])
def test_silence_from_an_engine_is_an_error(sound: np.ndarray[tuple[int], np.dtype[np.float64]]) -> None:
    with pytest.raises(SynthesisError, match="silence"):
        finish(sound, 8000)


def test_clauses_keep_their_marks() -> None:
    assert clauses("好的，明天见。") == ["好的，", "明天见。"]
    assert cover("好的，明天见。", {"好的，", "明天见。"}.__contains__) == ["好的，", "明天见。"]
    assert cover("好的，明天见。", {"好的，", "明天见。", "好的，明天见。"}.__contains__) == [
        "好的，明天见。"
    ]
    assert cover("好的，明天见。", {"好的，"}.__contains__) is None


def steps(audio: Audio) -> NDArray[np.int64]:
    """Return the steps between samples."""
    return np.abs(np.diff(np.frombuffer(audio.pcm, "<i2").astype(np.int64)))


def test_a_join_does_not_click() -> None:
    quiet, loud = tone("a", level=0.1), tone("b", level=0.8)

    joined = join([("好的，", quiet), ("再见。", loud)])

    assert steps(joined).max() <= max(steps(part).max() for part in (quiet, loud)) * 1.2
    assert joined.duration_s > quiet.duration_s + loud.duration_s - 0.1 + 0.15
    samples = np.frombuffer(joined.pcm, "<i2")
    middle = samples[len(to_float(quiet)) : len(to_float(quiet)) + 400]
    assert 0 < np.abs(middle).max() < 150, "the pause is quiet, not dead"


@pytest.mark.parametrize("style", list(Style))
def test_no_border_of_shipped_parts_clicks(tmp_path: Path, style: Style) -> None:
    shipped = ClipLibrary(resources.demo_dir() / "prompts" / "consumer_loan")
    prompts = PromptCache(tmp_path, [shipped], [])
    first, last = (next(c for c in shipped.clips if c.kind == "part" and c.text.endswith(e)) for e in "，。")

    ref = prompts.prepare(first.text + last.text, style)

    sound = prompts.audio(ref.key)
    border = round(first.duration_ms / tempo.TEMPO[style] / 1000 * LINE_RATE_HZ)
    around = steps(sound)[border - 400 : border + 2000]
    assert ref.engine.startswith("joined:")
    inside = max(steps(shipped.audio(part)).max() for part in (first, last))
    assert around.max() <= inside * 1.3, "no step at the border is larger than those of the speech itself"
    assert steps(sound).max() <= inside * 1.5


def test_rendering_again_renders_only_what_changed(tmp_path: Path) -> None:
    def render(
        voice: Voice, *orders: ClipOrder, readings: dict[str, str] | None = None
    ) -> tuple[int, int, int]:
        report = render_clips(
            orders, voice, tmp_path, voice="v", licence="Apache-2.0", readings=readings or {}
        )
        return len(report.rendered), report.kept, report.dropped

    first, second = ClipOrder("您好。"), ClipOrder("还款。")
    assert render(Voice(), first, second) == (2, 0, 0)
    assert render(Voice(), first, second) == (0, 2, 0)
    assert render(Voice(), first, second, readings={"还款": "huán kuǎn"}) == (1, 1, 0)
    assert render(Voice("newer"), first) == (1, 0, 1)
    assert [clip.text for clip in ClipLibrary(tmp_path).clips] == ["您好。"]
    assert len(list(tmp_path.glob("*.flac"))) == 1


def test_a_broken_manifest_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text("{")
    with pytest.raises(DataError, match="manifest"):
        ClipLibrary(tmp_path)


def test_what_spoke_is_counted(tmp_path: Path) -> None:
    clips = library(tmp_path / "clips", ["好的，", "再见。"])
    prompts = PromptCache(tmp_path / "cache", [clips], [Voice("robot", robotic=True)])

    for text in ("再见。", "好的，再见。", "好的，再见。", "明天见。", "明天见。"):
        prompts.prepare(text, Style.NEUTRAL)

    assert prompts.counts == {"clip": 1, "joined": 1, "cached": 2, "rendered": 1, "robotic": 1}


def test_a_robotic_voice_renders_nothing_ahead_for_customers(tmp_path: Path) -> None:
    robot = Voice("robot", robotic=True)
    prompts = PromptCache(tmp_path, [], [robot])
    with pytest.raises(SynthesisError):
        prompts.ahead("明天见。")
    assert robot.spoken == []

    human = Voice("human")
    both = PromptCache(tmp_path, [], [human, robot])
    both.ahead("明天见。")
    assert both.ready("明天见。") == "human"
