"""The bench of turn-taking: its own arithmetic, on cases whose answer is known."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from voicebot.bench import barge_in, endpoint_report, peer_talk, turn_sample
from voicebot.bench.endpoint_curve import NOTICE_MS, Pauses, Policy, Scores
from voicebot.bench.peers.talk import Speaker, tone
from voicebot.bench.turn_sample import Played
from voicebot.call.speculation import SpeculationTuning
from voicebot.domain.audio import FRAME_MS
from voicebot.domain.errors import DataError
from voicebot.speech.endpointing import cases
from voicebot.speech.endpointing.hearing import Heard

pytestmark = pytest.mark.unit


def heard(number: int, *, final: bool) -> Heard:
    """A case whose silence is counted without fault, and whose text is there 300 ms after the speech."""
    case = cases.Case(str(number), final, np.zeros(0, np.float32), 1000, 2.0, "", judged=True)
    silence = np.arange(FRAME_MS, 1600, FRAME_MS)
    return Heard(case, silence, 200, np.zeros(512, np.float32), (), "", 50, 100, 0.085)


def pauses() -> Pauses:
    return Pauses([heard(number, final=number % 2 == 0) for number in range(40)])


def test_plain_silence_is_cut_by_exactly_the_gaps_that_are_longer() -> None:
    judged = pauses()
    for wait, share in ((240, 1.0), (400, 0.5), (700, 0.2), (1000, 0.0)):
        answer = judged.answer_ms(None, Policy(0.0, wait, wait))
        assert judged.cut(answer) == pytest.approx(share)
        assert judged.delays(answer) == (max(wait, 300) + FRAME_MS,) * 2


def test_the_least_silence_that_keeps_to_the_rate_is_chosen() -> None:
    (policy,) = pauses().choose(None, [0.05])
    assert policy.long_ms == 800 + NOTICE_MS - FRAME_MS


def test_a_score_that_knows_answers_as_soon_as_the_text_is_there_and_never_cuts() -> None:
    judged = pauses()
    knowing = Scores("knows", judged.final.astype(float), judged.encoded_ms)
    (policy,) = judged.choose(knowing, [0.05])
    answer = judged.answer_ms(knowing, policy)
    assert judged.cut(answer) == 0.0
    assert judged.delays(answer)[0] == 300 + FRAME_MS


def test_a_score_that_comes_late_delays_the_answer() -> None:
    judged = pauses()
    late = Scores("late", judged.final.astype(float), np.full(40, 700.0))
    assert judged.delays(judged.answer_ms(late, Policy(0.5, 200, 1000)))[0] == 700 + FRAME_MS


def talk(ms: int) -> cases.F32:
    """Something that the detector takes for speech: a buzz with its harmonics, after 100 ms of silence."""
    at = np.arange(ms * 8) / 8000
    wave = np.asarray(sum(np.sin(2 * np.pi * 140 * number * at) / number for number in range(3, 20)))
    wave = wave * (0.6 + 0.4 * np.sin(2 * np.pi * 4 * at))
    return np.concatenate([np.zeros(800), 0.08 * wave]).astype(np.float32)


def says(text: str, *, mere: bool) -> Callable[[bytes], tuple[str, bool, float]]:
    return lambda _: (text, mere, 250.0)


@pytest.mark.parametrize(("text", "mere", "finished"), [("不要", False, False), ("嗯", True, True)])
def test_what_is_sent_over_a_short_sound_depends_on_its_words(text: str, mere: bool, finished: bool) -> None:
    prompt = (np.ones(8000 * 6) * 1000).astype("<i2").tobytes()
    (sent,) = barge_in._play([prompt], [talk(400)], says(text, mere=mere))
    assert sent.finished is finished
    assert sent.broken
    assert sent.silent_after_ms is not None
    assert 100 <= sent.silent_after_ms <= 320


def test_the_silence_of_a_customer_leaves_a_prompt_alone() -> None:
    prompt = (np.ones(8000 * 4) * 1000).astype("<i2").tobytes()
    (sent,) = barge_in._play([prompt], [np.zeros(8000, np.float32)], says("", mere=False))
    assert sent.finished
    assert not sent.broken


def test_waiting_with_unlikely_ends_saves_their_decoding_and_full_load_saves_all() -> None:
    judged = pauses()
    knowing = Scores("knows", judged.final.astype(float), judged.encoded_ms)
    policy = Policy(0.5, 600, 1160)
    ungated = endpoint_report.waste(judged, knowing, policy, SpeculationTuning(likely=0))
    gated = endpoint_report.waste(judged, knowing, policy)
    # half of the cases go on; at 300 and 500 ms nothing but the encoder has run, at 800 ms all of it
    assert ungated == pytest.approx(0.5)
    assert gated == pytest.approx((0.8 * 0.5 + 0.2) / (0.8 * 0.5 + 0.2 + 1))
    assert endpoint_report.waste(judged, knowing, policy, loaded=True) == 0.0


def test_a_spliced_pause_lies_in_running_speech_and_keeps_what_was_said_before() -> None:
    clip = cases.Clip("buzz", np.concatenate([talk(2000), np.full(8000, 1e-4, np.float32)]), "一二三四")
    spliced = cases.splice([clip], seed=1)
    assert [case.final for case in spliced] == [True, False]
    pause = spliced[1]
    assert 500 <= pause.end_ms <= 1700
    assert pause.samples[: pause.end_ms * 8 - 80] == pytest.approx(clip.samples[: pause.end_ms * 8 - 80])
    assert np.abs(pause.samples[pause.end_ms * 8 + 800 :]).max() < 0.01
    assert "一二三四".startswith(pause.text)


def played(*, final: bool, answer_ms: float, early: bool = False) -> Played:
    return Played(heard(1, final=final).case, answer_ms, early)


def test_delay_is_read_on_ends_that_were_not_cut_and_cut_offs_on_pauses() -> None:
    row = turn_sample.judge(
        [
            played(final=True, answer_ms=600),
            played(final=True, answer_ms=np.inf),
            played(final=True, answer_ms=20, early=True),
            played(final=False, answer_ms=400),
            played(final=False, answer_ms=np.inf),
        ],
        floor_ms=3000,
    )
    assert (row["delay_ms_median"], row["answered_mid_speech"]) == (1800, 1)
    assert row["cut_offs"] == pytest.approx((0.3 + 0.2) / 2)


def test_a_framework_that_falls_silent_is_told_from_one_that_says_all_it_has() -> None:
    said = np.ones(100, bool)
    said[80:] = False
    assert peer_talk.stop_ms(said, 200) == (1400, True)
    said[20:60] = False
    assert peer_talk.stop_ms(said, 200) == (200, False)


def test_what_a_framework_says_is_emptied_frame_by_frame_and_held_while_it_pauses() -> None:
    speaker, ended = Speaker(), list[int]()
    speaker.on_empty = lambda: ended.append(speaker.played_ms)
    speaker.put(tone(40))
    speaker.held = True
    assert not any(speaker.next_frame())
    speaker.held = False
    assert [any(speaker.next_frame()) for _ in range(3)] == [True, True, False]
    assert ended == [40]


def test_an_absent_framework_is_a_clear_error_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(DataError) as raised:
        peer_talk.hold("pipecat", "default", tmp_path / "python", [], np.zeros(0, np.float32))
    assert "pip install" in raised.value.hint
