"""Sound before decoding: where the voice is, where to cut, how results wait their turn."""

from __future__ import annotations

import subprocess
import sys
import threading
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicebot.speech.recognition import sound
from voicebot.speech.recognition.pool import DecoderPool, Urgency
from voicebot.speech.recognition.vosk import Doubler

pytestmark = pytest.mark.unit

RATE = sound.ENGINE_RATE_HZ


def tone(seconds: float, level: float = 0.1) -> sound.F32:
    time = np.arange(int(seconds * RATE)) / RATE
    return np.asarray(level * np.sin(2 * np.pi * 300 * time), np.float32)


def silence(seconds: float) -> sound.F32:
    return np.zeros(int(seconds * RATE), np.float32)


def test_the_voiced_span_is_found_between_silences() -> None:
    span = sound.voiced_span(np.concatenate((silence(0.5), tone(1.0), silence(0.7))))
    assert span == pytest.approx((0.5, 1.5), abs=0.03)


def test_speech_that_fills_the_stretch_is_voiced_throughout() -> None:
    assert sound.voiced_span(tone(1.0)) == pytest.approx((0.0, 1.0), abs=0.03)


@pytest.mark.parametrize("nothing", [silence(1.0), silence(0.0), tone(1.0, 0.0002)])
def test_silence_and_line_noise_hold_no_voice(nothing: sound.F32) -> None:
    assert sound.voiced_span(nothing) is None


def test_long_speech_is_cut_in_its_pauses() -> None:
    speech = np.concatenate((tone(10.0), silence(0.4), tone(11.0), silence(0.3), tone(5.0)))
    (first, second, third) = sound.cuts(speech, 12.0)
    assert first[0] == 0
    assert first[1] / RATE == pytest.approx(10.2, abs=0.2)
    assert second[1] / RATE == pytest.approx(21.55, abs=0.2)
    assert third[1] == speech.size


@given(st.integers(0, 40 * RATE), st.integers(0, 20 * RATE))
def test_more_speech_never_moves_a_cut(size: int, more: int) -> None:
    noise = np.random.default_rng(1).normal(0, 0.1, size + more).astype(np.float32)
    before, after = sound.cuts(noise[:size], 12.0), sound.cuts(noise, 12.0)
    assert after[: len(before) - 1] == before[:-1]
    assert all(one[1] == other[0] for one, other in pairwise(after))
    assert max(end - start for start, end in after) <= 12 * RATE


def test_words_are_spread_over_the_voiced_span_and_marked_estimated() -> None:
    words, timing = sound.spread(["不需要", "谢"], (1.0, 3.0), 0.5)
    assert timing == "estimated"
    assert [(word.text, word.start_s, word.end_s) for word in words] == [
        ("不需要", 1.0, 2.5),
        ("谢", 2.5, 3.0),
    ]


def test_a_rate_is_doubled_without_a_seam_and_without_images() -> None:
    time = np.arange(8000) / 8000
    pcm = (8000 * np.sin(2 * np.pi * 1000 * time)).astype("<i2").tobytes()
    whole, pieces = Doubler(), Doubler()
    doubled = whole(pcm)
    assert b"".join(pieces(pcm[at : at + 320]) for at in range(0, len(pcm), 320)) == doubled
    spectrum = np.abs(np.fft.rfft(np.frombuffer(doubled, "<i2")[1000:15000]))
    frequency = np.fft.rfftfreq(14000, 1 / 16000)
    image = spectrum[frequency > 5000].max()
    assert frequency[int(spectrum.argmax())] == pytest.approx(1000, abs=2)
    assert 20 * np.log10(image / spectrum.max()) < -50


def test_what_is_urgent_goes_first_and_what_is_cancelled_not_at_all() -> None:
    gate, done = threading.Event(), list[str]()
    pool = DecoderPool(["decoder"], "test")
    first = pool.submit(lambda _: gate.wait(5), Urgency.WORDS)
    beside = pool.submit(lambda _: done.append("beside"), Urgency.BESIDE)
    dropped = pool.submit(lambda _: done.append("dropped"), Urgency.BESIDE)
    ending = pool.submit(lambda _: done.append("ending"), Urgency.ENDING)
    words = pool.submit(lambda _: done.append("words"), Urgency.WORDS)
    assert pool.load == 3  # what goes beside counts for nothing
    assert dropped.cancel()
    gate.set()
    for future in (first, beside, ending, words):
        future.result(5)
    pool.close()
    assert done == ["words", "ending", "beside"]


def test_one_of_two_decoders_is_left_to_what_is_urgent() -> None:
    gate, done = threading.Event(), list[str]()
    pool = DecoderPool([1, 2], "test")
    beside = [pool.submit(lambda _: gate.wait(5), Urgency.BESIDE) for _ in range(3)]
    words = pool.submit(lambda _: done.append("words"), Urgency.WORDS)
    words.result(5)  # though three others came before it and none is done
    assert not any(future.done() for future in beside)
    gate.set()
    assert all(future.result(5) for future in beside)
    pool.close()
    assert done == ["words"]


def test_a_failing_decode_is_told_to_who_waits_and_the_worker_goes_on() -> None:
    pool = DecoderPool([1], "test")
    with pytest.raises(ZeroDivisionError):
        pool.submit(lambda number: number / 0, Urgency.WORDS).result(5)
    assert pool.submit(lambda number: number + 1, Urgency.WORDS).result(5) == 2
    pool.close()


def test_a_process_that_ends_waits_for_what_is_decoded_and_drops_what_waits(tmp_path: Path) -> None:
    done = tmp_path / "done"
    program = f"""
import pathlib, threading, time
from voicebot.speech.recognition.pool import DecoderPool, Urgency

begun = threading.Event()
def work(name):
    begun.set()
    time.sleep(0.5)
    with pathlib.Path({str(done)!r}).open("a") as file:
        file.write(name)

pool = DecoderPool([None], "test")
pool.submit(lambda _: work("first"), Urgency.WORDS)
pool.submit(lambda _: work("second"), Urgency.WORDS)
begun.wait()
"""
    ended = subprocess.run([sys.executable, "-c", program], timeout=60, check=False)
    assert ended.returncode == 0
    assert done.read_text() == "first"
