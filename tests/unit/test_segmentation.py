"""Where speech begins, pauses and ends, on frame time."""

from __future__ import annotations

from pathlib import Path

import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from voicebot.domain.audio import FRAME_BYTES, FRAME_MS, SILENT_FRAME
from voicebot.speech.segmentation.segmenter import Segmenter
from voicebot.speech.segmentation.vad import VoiceActivity, VoiceDetector, VoiceState

pytestmark = pytest.mark.unit

Q, START, SPEAK, STOP = VoiceState.QUIET, VoiceState.STARTING, VoiceState.SPEAKING, VoiceState.STOPPING


def states(verdicts: str) -> list[VoiceState]:
    """Push verdicts, x = voiced, and return the state after each."""
    voice = VoiceActivity()
    return [voice.push(verdict == "x") for verdict in verdicts]


@pytest.mark.parametrize(
    ("verdicts", "last"),
    [
        ("....", Q),
        ("x", START),
        ("xxxx", START),
        ("xxxxx", SPEAK),  # 100 ms of voice
        ("x..x..x.xx", SPEAK),  # gaps up to 60 ms do not undo a beginning
        ("xxxx....", Q),  # a click
        ("xxxxx.", STOP),
        ("xxxxx.x", SPEAK),  # within 100 ms one voiced frame is enough
        ("xxxxx......x", STOP),  # a flicker in a pause is no speech
        ("xxxxx......xx.", STOP),
        ("xxxxx......xxx", SPEAK),
        ("xxxxx" + "." * 200, STOP),  # only the reader closes a stretch
    ],
)
def test_voice_changes_state_only_on_enough_evidence(verdicts: str, last: VoiceState) -> None:
    assert states(verdicts)[-1] == last


def frame(number: int) -> bytes:
    """A frame that can be told from others."""
    return number.to_bytes(2, "little") * (FRAME_BYTES // 2)


def feed(segmenter: Segmenter, verdicts: str, first: int = 0) -> None:
    for index, verdict in enumerate(verdicts):
        segmenter.push(frame(first + index), verdict == "x")


def test_a_stretch_begins_300_ms_before_its_first_voiced_frame() -> None:
    segmenter = Segmenter()
    feed(segmenter, "." * 40 + "xxxxx")
    assert segmenter.active
    assert segmenter.start_ms == 40 * FRAME_MS
    assert segmenter.take() == b"".join(frame(number) for number in range(40 - 15, 45))


def test_the_look_back_reaches_over_a_hesitant_beginning() -> None:
    segmenter = Segmenter()
    feed(segmenter, "." * 40 + "x..x..x..x..x")
    assert segmenter.start_ms == 40 * FRAME_MS
    assert segmenter.take().startswith(frame(25))


def test_speech_from_the_first_frame_has_no_look_back() -> None:
    segmenter = Segmenter()
    feed(segmenter, "xxxxx")
    assert segmenter.start_ms == 0
    assert segmenter.take() == b"".join(frame(number) for number in range(5))


def test_silence_is_counted_from_the_last_voiced_frame_and_by_the_clock() -> None:
    segmenter = Segmenter()
    feed(segmenter, "." * 10 + "x" * 20)
    for _ in range(32):
        segmenter.push(SILENT_FRAME, voiced=False)  # what the bridge gives under DTX
    assert segmenter.silence_ms == 640
    assert segmenter.end_ms == 30 * FRAME_MS
    assert segmenter.speech_ms == 400


def test_a_flicker_does_not_restart_the_silence() -> None:
    segmenter = Segmenter()
    feed(segmenter, "xxxxxxxxxx" + "." * 10 + "x" + "." * 10)
    assert segmenter.silence_ms == 21 * FRAME_MS


def test_a_closed_stretch_is_over_and_the_next_one_has_its_own_times() -> None:
    segmenter = Segmenter()
    feed(segmenter, "x" * 10 + "." * 32)
    segmenter.close()
    assert not segmenter.active
    assert segmenter.silence_ms == segmenter.speech_ms == 0
    feed(segmenter, "." * 18 + "x" * 10)
    assert segmenter.start_ms == 60 * FRAME_MS
    assert segmenter.speech_ms == 200


@given(st.lists(st.booleans(), max_size=400))
def test_no_audio_is_lost_or_doubled_within_a_stretch(verdicts: list[bool]) -> None:
    segmenter = Segmenter()
    taken = b""
    for number, voiced in enumerate(verdicts):
        segmenter.push(frame(number), voiced)
        if number % 7 == 0:
            taken += segmenter.take()
    taken += segmenter.take()
    numbers = [int.from_bytes(taken[at : at + 2], "little") for at in range(0, len(taken), FRAME_BYTES)]
    if segmenter.active:
        first = max(segmenter.start_ms - 300, 0) // FRAME_MS
        assert numbers == list(range(first, len(verdicts)))
        assert segmenter.start_ms < segmenter.end_ms <= segmenter.now_ms
    else:
        assert numbers == []


@given(st.lists(st.booleans(), max_size=400))
def test_silence_and_end_always_agree(verdicts: list[bool]) -> None:
    segmenter = Segmenter()
    for number, voiced in enumerate(verdicts):
        segmenter.push(frame(number), voiced)
        if segmenter.active:
            assert segmenter.end_ms + segmenter.silence_ms == segmenter.now_ms
            assert segmenter.speaking == (segmenter.silence_ms == 0)


def test_real_speech_is_heard(test_data: Path) -> None:
    clip = sorted((test_data / "speech" / "aishell").rglob("*.flac"))[0]
    samples, rate = soundfile.read(clip, dtype="int16")
    speech = samples[:: rate // 8000].tobytes()  # plain decimation: enough for a detector
    detector = VoiceDetector()
    verdicts = [
        detector.is_speech(speech[at : at + FRAME_BYTES])
        for at in range(0, len(speech) - FRAME_BYTES, FRAME_BYTES)
    ]
    assert sum(verdicts) > len(verdicts) * 0.4


@pytest.mark.parametrize("sample", [0, 8, -8])
def test_the_silence_of_a_telephone_line_is_no_speech(sample: int) -> None:
    silence = sample.to_bytes(2, "little", signed=True) * (FRAME_BYTES // 2)
    detector = VoiceDetector()
    assert not any(detector.is_speech(silence) for _ in range(50))
