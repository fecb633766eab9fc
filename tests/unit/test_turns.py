"""The turn machine: scripted calls on virtual time."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicebot.call.rewind import resume_ms
from voicebot.call.turns import (
    Answer,
    Commit,
    Decide,
    Finish,
    Flush,
    Output,
    Play,
    Send,
    Stretch,
    TurnMachine,
    TurnTuning,
)
from voicebot.domain.audio import FRAME_BYTES, FRAME_MS, fade_in
from voicebot.domain.call import Progress
from voicebot.domain.script import Action
from voicebot.domain.speech import UtteranceKind

pytestmark = pytest.mark.unit

OPENING_MS, ENDPOINT_MS, PAUSE_MS, HOLD_MS, WORDS_MS = 300, 640, 200, 160, 900


def pcm(ms: int) -> bytes:
    return b"\1\2" * (ms * 8)


def pcm_of(output: tuple[int, Output]) -> bytes:
    assert isinstance(output[1], Play)
    return output[1].pcm


def prompt(ms: int, *, protected: bool = False) -> tuple[Stretch, ...]:
    return (Stretch(pcm(ms), protected),) if ms else ()


class Call:
    """A call on virtual time. Answers every question after `late_ms`, if told to."""

    def __init__(self, *, prompt_ms: int = 1000, protected: bool = False, late_ms: int | None = 0) -> None:
        self.machine = TurnMachine(TurnTuning(endpoint_ms=ENDPOINT_MS))
        self.log: list[tuple[int, Output]] = []
        self.next = Answer(0, prompt(prompt_ms, protected=protected))
        self.late_ms = late_ms
        self._due: list[tuple[int, int]] = []
        self._note(self.machine.begin())

    def _note(self, outputs: Iterable[Output]) -> None:
        for output in outputs:
            self.log.append((self.machine.now_ms, output))
            if isinstance(output, Decide) and self.late_ms is not None:
                self._due.append((self.machine.now_ms + self.late_ms, output.generation))

    def _answer_what_is_due(self) -> None:
        for due in [due for due in self._due if due[0] <= self.machine.now_ms]:
            self._due.remove(due)
            self.answer(due[1])

    def answer(self, generation: int) -> None:
        """Let the decision on a generation arrive."""
        answer = Answer(generation, self.next.stretches, self.next.action, self.next.patience_ms)
        self._note(self.machine.ready(answer))

    def run(self, ms: int, *, voice: bool = False) -> Call:
        """Let time pass, in speech or in silence."""
        for _ in range(ms // FRAME_MS):
            self._answer_what_is_due()
            self._note(self.machine.frame(b"\0" * FRAME_BYTES, voice))
        return self

    def say(self, ms: int) -> Call:
        return self.run(ms, voice=True)

    def quiet(self, ms: int) -> Call:
        return self.run(ms)

    def opened(self) -> Call:
        """Go to the end of the opening."""
        while not self.machine.speaking:
            self.run(FRAME_MS)
        while self.machine.speaking:
            self.run(FRAME_MS)
        self.log.clear()
        return self

    def opened_with(self, generation: int) -> Call:
        """The same where answers come by hand."""
        self.answer(generation)
        return self.opened()

    def hear(self, generation: int, text: str, *, score: float = 0.5, backchannel: bool = False) -> None:
        """Let inference tell what it has heard so far."""
        told = Progress(generation, score, text, backchannel, words_known=True)
        self._note(self.machine.progress(told))

    def key(self, digit: str) -> Call:
        self._note(self.machine.dtmf(digit))
        return self

    def of(self, kind: type[Output]) -> list[tuple[int, Output]]:
        return [(at, output) for at, output in self.log if isinstance(output, kind)]

    def decides(self, kind: UtteranceKind = UtteranceKind.SPEECH) -> list[Decide]:
        return [o for _, o in self.log if isinstance(o, Decide) and o.utterance.kind is kind]

    def commits(self) -> list[Commit]:
        return [o for _, o in self.log if isinstance(o, Commit)]

    def sent(self) -> dict[int, int]:
        """Milliseconds of speech passed on, by generation."""
        total: dict[int, int] = {}
        for _, output in self.log:
            if isinstance(output, Send):
                total[output.generation] = total.get(output.generation, 0) + len(output.pcm) // 16
        return total


def test_the_opening_is_asked_for_before_the_answer_and_said_right_after_it() -> None:
    call = Call()
    assert [o.utterance.kind for o in call.decides(UtteranceKind.ANSWERED)] == [UtteranceKind.ANSWERED]
    call.answer(1)
    assert call.of(Play) == []
    call.quiet(400)
    assert [at for at, _ in call.of(Play)] == [OPENING_MS]


def test_a_late_opening_is_said_when_it_comes() -> None:
    call = Call(late_ms=None).quiet(1000)
    assert call.of(Play) == []
    call.answer(1)
    assert [at for at, _ in call.of(Play)] == [1000]


def test_the_customers_first_hello_does_not_kill_the_opening() -> None:
    call = Call(late_ms=800).quiet(100).say(400).quiet(400)
    assert [commit.generation for commit in call.commits()] == [1]
    assert call.decides() == []


def test_a_decision_is_asked_for_at_the_pause_and_committed_at_the_endpoint() -> None:
    call = Call().opened().quiet(500).say(800).quiet(1000)
    asked_at = call.of(Decide)[0][0]
    played_at = call.of(Play)[0][0]
    spoken_until = call.decides()[0].utterance.end_s * 1000
    assert asked_at - spoken_until == PAUSE_MS
    assert played_at - spoken_until == ENDPOINT_MS
    (commit,) = call.commits()
    assert (commit.endpoint_ms, commit.wait_ms) == (ENDPOINT_MS, FRAME_MS)


def test_the_decision_gets_all_speech_with_its_look_back_and_the_pause() -> None:
    call = Call().opened().quiet(500).say(800).quiet(1000)
    assert call.sent() == {2: 300 + 800 + PAUSE_MS}
    utterance = call.decides()[0].utterance
    assert round((utterance.end_s - utterance.start_s) * 1000) == 800


def test_if_speech_goes_on_the_first_decision_is_neither_spoken_nor_committed() -> None:
    call = Call().opened().quiet(500).say(600).quiet(400).say(600).quiet(1000)
    assert [decide.generation for decide in call.decides()] == [2, 3]
    assert [commit.generation for commit in call.commits()] == [3]
    assert len(call.of(Play)) == 1
    first, second = call.decides()
    assert second.utterance.start_s == first.utterance.start_s
    assert second.utterance.end_s > first.utterance.end_s


def test_speech_that_goes_on_is_sent_once_under_the_newer_generation() -> None:
    call = Call().opened().quiet(500).say(600).quiet(400).say(600).quiet(1000)
    assert call.sent() == {2: 300 + 600 + PAUSE_MS, 3: 200 + 600 + PAUSE_MS}


def test_a_late_decision_is_committed_when_it_comes_and_the_wait_is_known() -> None:
    call = Call(late_ms=1000).opened().quiet(500).say(800).quiet(1500)
    (commit,) = call.commits()
    assert commit.endpoint_ms == ENDPOINT_MS
    assert commit.wait_ms == PAUSE_MS + 1000 - ENDPOINT_MS + FRAME_MS


def test_speech_after_the_endpoint_but_before_the_decision_goes_on_with_the_utterance() -> None:
    call = Call(late_ms=2000).opened().quiet(500).say(600).quiet(800).say(600).quiet(3500)
    assert [commit.generation for commit in call.commits()] == [3]


def test_a_decision_that_comes_after_its_death_is_ignored() -> None:
    call = Call(late_ms=None).opened_with(1).quiet(500).say(600).quiet(300).say(600)
    call.answer(2)
    call.quiet(1000)
    assert call.commits() == []
    call.answer(3)
    assert [commit.generation for commit in call.commits()] == [3]


def test_real_speech_over_a_prompt_stops_it_and_what_was_heard_is_known() -> None:
    call = Call(prompt_ms=5000).quiet(1300).say(800).quiet(1000)
    ((flushed_at, _),) = call.of(Flush)
    assert flushed_at == 1300 + HOLD_MS
    decide = call.decides()[0]
    assert decide.utterance.barged_in
    assert decide.utterance.heard_ms == 1300 + HOLD_MS - OPENING_MS
    assert call.sent()[2] == 300 + 800 + PAUSE_MS


def test_the_heard_part_is_told_with_every_generation_until_one_is_committed() -> None:
    call = Call(prompt_ms=5000).quiet(1300).say(600).quiet(400).say(400).quiet(1000)
    assert [decide.utterance.heard_ms for decide in call.decides()] == [1160, 1160]
    call.quiet(5000).say(600).quiet(300)
    assert call.decides()[-1].utterance.heard_ms is None
    assert not call.decides()[-1].utterance.barged_in


@pytest.mark.parametrize("voice_ms", [40, 120, 140])
def test_a_click_over_a_prompt_is_not_even_noticed(voice_ms: int) -> None:
    call = Call(prompt_ms=5000).quiet(1300).say(voice_ms).quiet(1500)
    assert call.of(Flush) == []
    assert call.decides() == []
    assert call.sent() == {}


@pytest.mark.parametrize("voice_ms", [160, 240, 320, 780])
def test_a_prompt_that_a_short_sound_held_goes_on_if_it_was_no_word(voice_ms: int) -> None:
    call = Call(prompt_ms=8000).quiet(1300).say(voice_ms).quiet(WORDS_MS + 100)
    assert [at for at, _ in call.of(Flush)] == [1300 + HOLD_MS]
    first, again = call.of(Play)
    assert again[0] == 1300 + voice_ms + WORDS_MS
    assert pcm_of(again) == fade_in(pcm_of(first)[-len(pcm_of(again)) :])
    call.quiet(9000)
    assert len(call.commits()) == 1


@pytest.mark.parametrize(("text", "backchannel"), [("嗯", True), ("", False)])
def test_a_backchannel_or_noise_lets_the_prompt_go_on_at_once(text: str, backchannel: bool) -> None:
    call = Call(prompt_ms=8000).quiet(1300).say(240).quiet(300)
    (asked,) = call.decides()
    call.hear(asked.generation, text, backchannel=backchannel)
    assert len(call.of(Play)) == 2
    call.quiet(9000)
    assert len(call.commits()) == 1


def test_a_short_no_over_a_prompt_interrupts_it() -> None:
    call = Call(prompt_ms=8000).quiet(1300).say(300).quiet(300)
    (asked,) = call.decides()
    call.hear(asked.generation, "不要", score=0.9)
    call.quiet(1000)
    assert len(call.of(Flush)) == 1
    assert [commit.generation for commit in call.commits()] == [1, asked.generation]
    assert asked.utterance.barged_in
    assert asked.utterance.heard_ms == 1300 + HOLD_MS - OPENING_MS


def test_after_one_false_stop_a_prompt_is_only_stopped_by_words_or_by_speech_that_lasts() -> None:
    call = Call(prompt_ms=20_000).quiet(1300).say(240).quiet(300)
    call.hear(call.decides()[0].generation, "嗯", backchannel=True)
    call.quiet(1000).say(240).quiet(300)
    assert len(call.of(Flush)) == 1
    call.hear(call.decides()[1].generation, "我不需要", score=0.9)
    assert len(call.of(Flush)) == 2


def test_a_likely_end_is_answered_sooner_and_an_unlikely_one_later_than_by_silence_alone() -> None:
    for score, wait in ((0.9, TurnTuning().short_ms), (0.1, TurnTuning().long_ms)):
        call = Call().opened().quiet(500).say(800).quiet(220)
        call.hear(call.decides()[0].generation, "好的", score=score)
        call.quiet(1000)
        assert call.commits()[0].endpoint_ms == wait


def test_a_score_of_a_dead_generation_changes_nothing() -> None:
    call = Call().opened().quiet(500).say(600).quiet(240).say(400).quiet(220)
    call.hear(2, "好的", score=0.99)
    call.quiet(1000)
    assert call.commits()[0].endpoint_ms == ENDPOINT_MS


def test_what_the_bot_itself_says_does_not_stop_it() -> None:
    rng = random.Random(1)
    said = b"".join(
        struct.pack("<h", level) * 160 for _ in range(250) for level in [rng.choice((200, 1000, 4000, 9000))]
    )
    machine = TurnMachine()
    machine.begin()
    machine.ready(Answer(1, (Stretch(said),)))
    delayed = [bytes(FRAME_BYTES)] * (OPENING_MS // FRAME_MS + 10)
    for at in range(0, len(said), FRAME_BYTES):
        quieter = struct.unpack("<h", said[at : at + 2])[0] // 4
        delayed.append(struct.pack("<h", quieter) * 160)
    echoes = enumerate(delayed)
    out = [o for index, frame in echoes for o in machine.frame(frame, index > 75)]
    assert not any(isinstance(output, Flush) for output in out)


def test_a_prompt_goes_on_at_the_phrase_that_was_cut() -> None:
    phrase, gap = b"\x00\x20" * 160 * 50, bytes(FRAME_BYTES * 5)
    prompt_pcm = phrase + gap + phrase
    assert resume_ms(prompt_pcm, 1600) == 1100
    assert resume_ms(prompt_pcm, 600) == 0


def test_a_short_answer_at_the_very_end_of_a_prompt_counts() -> None:
    call = Call(prompt_ms=2000).quiet(OPENING_MS + 1900).say(240).quiet(1000)
    assert len(call.decides()) == 1
    assert len(call.commits()) == 2
    assert call.of(Flush) == []


def test_a_protected_prompt_is_never_interrupted_but_what_was_said_is_answered_after_it() -> None:
    call = Call(prompt_ms=4000, protected=True).quiet(1000).say(800).quiet(4000)
    assert call.of(Flush) == []
    opening, answer = call.of(Play)
    assert answer[0] == opening[0] + 4000
    assert call.decides()[0].utterance.heard_ms is None


def test_only_the_protected_part_of_a_prompt_is_protected() -> None:
    call = Call()
    call.next = Answer(0, (Stretch(pcm(2000), protected=True), Stretch(pcm(3000))))
    call.quiet(1500).say(2000).quiet(1000)
    ((flushed_at, _),) = call.of(Flush)
    assert flushed_at == OPENING_MS + 2000
    assert call.decides()[0].utterance.heard_ms == 2000


def test_silence_is_counted_from_the_end_of_the_prompt() -> None:
    call = Call(prompt_ms=2000)
    call.next = Answer(0, prompt(2000), patience_ms=3000)
    call.quiet(OPENING_MS + 2000 + 3000 - FRAME_MS)
    assert call.decides(UtteranceKind.SILENCE) == []
    call.quiet(2 * FRAME_MS)
    (decide,) = call.decides(UtteranceKind.SILENCE)
    assert decide.utterance.end_s - decide.utterance.start_s == pytest.approx(3.0)


def test_every_turn_brings_its_own_patience() -> None:
    call = Call(prompt_ms=1000)
    call.next = Answer(0, prompt(1000), patience_ms=2000)
    call.opened()
    call.next = Answer(0, prompt(1000), patience_ms=4000)
    call.quiet(2100)
    assert len(call.decides(UtteranceKind.SILENCE)) == 1
    call.quiet(1000 + 3800)
    assert len(call.decides(UtteranceKind.SILENCE)) == 1
    call.quiet(400)
    assert len(call.decides(UtteranceKind.SILENCE)) == 2


def test_speech_in_time_is_no_silence() -> None:
    call = Call().opened().quiet(5900).say(400).quiet(1000)
    assert call.decides(UtteranceKind.SILENCE) == []
    assert len(call.commits()) == 1


def test_speech_kills_a_silence_decision_that_is_not_there_yet() -> None:
    call = Call(late_ms=500).opened().quiet(6100).say(600).quiet(2000)
    assert len(call.decides(UtteranceKind.SILENCE)) == 1
    assert [commit.generation for commit in call.commits()] == [call.decides()[0].generation]


def test_after_the_last_prompt_the_call_is_finished_with_a_tail() -> None:
    call = Call().opened()
    call.next = Answer(0, prompt(2000), action=Action.HANG_UP)
    call.say(600).quiet(5000)
    played_at = call.of(Play)[0][0]
    assert call.of(Finish) == [(played_at + 2000 + TurnTuning().tail_ms, Finish(Action.HANG_UP))]


def test_a_goodbye_over_the_last_prompt_changes_nothing() -> None:
    call = Call().opened()
    call.next = Answer(0, prompt(3000), action=Action.HANG_UP)
    call.say(600).quiet(1200).say(800).quiet(4000)
    assert len(call.commits()) == 1
    assert len(call.of(Finish)) == 1
    assert call.of(Flush) == []


def test_a_decision_without_a_prompt_still_finishes() -> None:
    call = Call().opened()
    call.next = Answer(0, (), action=Action.TRANSFER)
    call.say(600).quiet(1500)
    assert [output for _, output in call.of(Finish)] == [Finish(Action.TRANSFER)]


def test_after_a_failed_transfer_the_customer_is_spoken_to_at_once() -> None:
    call = Call().opened()
    call.next = Answer(0, prompt(500), action=Action.TRANSFER)
    call.say(600).quiet(3000)
    call.next = Answer(0, prompt(500))
    call._note(call.machine.resume())
    call.quiet(100)
    assert len(call.of(Play)) == 2


def test_a_key_stops_the_prompt_and_is_answered() -> None:
    call = Call(prompt_ms=5000).quiet(1000).key("1").quiet(100)
    assert len(call.of(Flush)) == 1
    (decide,) = call.decides(UtteranceKind.DTMF)
    assert decide.utterance.dtmf == "1"
    assert len(call.commits()) == 2


def test_keys_in_a_row_are_one_number() -> None:
    call = Call(late_ms=300).opened().key("1").quiet(100).key("2").quiet(500)
    assert call.decides(UtteranceKind.DTMF)[-1].utterance.dtmf == "12"
    assert len(call.commits()) == 1


def test_noise_that_never_pauses_is_answered_after_thirty_seconds() -> None:
    call = Call(late_ms=200).opened().say(31_000)
    assert len(call.commits()) == 1
    utterance = call.decides()[0].utterance
    assert utterance.end_s - utterance.start_s == pytest.approx(30, abs=0.2)


def test_a_stopped_conversation_is_silent() -> None:
    call = Call(prompt_ms=5000).quiet(1000)
    call._note(call.machine.stop())
    call.say(1000).quiet(8000)
    assert len(call.of(Flush)) == 1
    assert call.decides() == call.decides(UtteranceKind.SILENCE) == []


steps = st.lists(st.tuples(st.booleans(), st.integers(1, 120)), max_size=25)


@given(steps, st.integers(0, 1500), st.integers(0, 3000), st.booleans())
def test_whatever_the_customer_does_turns_stay_in_order(
    steps: list[tuple[bool, int]], late_ms: int, prompt_ms: int, protected: bool
) -> None:
    call = Call(prompt_ms=prompt_ms, protected=protected, late_ms=late_ms)
    for voice, frames in steps:
        call.run(frames * FRAME_MS, voice=voice)
    commits = [commit.generation for commit in call.commits()]
    asked = [output.generation for _, output in call.of(Decide) if isinstance(output, Decide)]
    assert asked == list(range(1, len(asked) + 1))
    assert commits == sorted(set(commits))
    assert set(commits) <= set(asked)
    if prompt_ms:
        assert len(call.of(Play)) - len(commits) == call.machine.false_stops
    if protected:
        assert call.of(Flush) == []
    # A generation is committed only as the newest one asked for at that moment.
    newest = 0
    for _, output in call.log:
        if isinstance(output, Decide):
            newest = output.generation
        if isinstance(output, Commit):
            assert output.generation == newest


@given(steps)
def test_speech_is_passed_on_completely_before_its_decision(steps: list[tuple[bool, int]]) -> None:
    call = Call(prompt_ms=0)
    for voice, frames in steps:
        call.run(frames * FRAME_MS, voice=voice)
    sent = 0.0
    for _, output in call.log:
        if isinstance(output, Send):
            sent += len(output.pcm) / 16
        if isinstance(output, Decide) and output.utterance.kind is UtteranceKind.SPEECH:
            spoken = (output.utterance.end_s - output.utterance.start_s) * 1000
            assert spoken + PAUSE_MS <= sent + 0.5
            assert sent <= spoken + PAUSE_MS + 300 + 0.5
        if isinstance(output, Commit):
            sent = 0.0
