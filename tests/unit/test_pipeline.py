"""The main path: what becomes of one utterance, and of a stage that fails."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from tests.unit import parts
from voicebot import codec
from voicebot.domain.audio import Audio
from voicebot.domain.call import EndCause, TurnResult
from voicebot.domain.dialogue import Snapshot
from voicebot.domain.emotion import EmotionLabel
from voicebot.domain.errors import InferenceError, PlaybookError, SynthesisError
from voicebot.domain.speech import Transcript, Utterance, UtteranceKind
from voicebot.domain.understanding import Situation

pytestmark = pytest.mark.unit

AT = datetime(2026, 11, 23, 12, tzinfo=UTC)


def decide(snapshot: Snapshot, text: str, kind: UtteranceKind = UtteranceKind.SPEECH) -> TurnResult:
    utterance = Utterance(kind, 1.0, 3.5, Audio(parts.speech(2500)), heard_ms=800)
    return parts.pipeline().decide(snapshot, utterance, Transcript(text, confidence=0.9), 7, at=AT)


def after(result: TurnResult) -> Snapshot:
    return codec.decode(Snapshot, result.snapshot)


@pytest.fixture
def snapshot() -> Snapshot:
    return parts.pipeline().begin(parts.REQUEST)


def test_a_turn_holds_everything_known_about_the_utterance(snapshot: Snapshot) -> None:
    turn = decide(snapshot, "ab").turn
    assert (turn.call_id, turn.seq, turn.at, turn.heard_ms) == ("call-1", 0, AT, 800)
    assert turn.understanding.keywords == ("a", "b")
    assert turn.understanding.emotion.label is EmotionLabel.INTERESTED
    assert turn.understanding.situation is Situation.BUSY
    assert [candidate.script_id for candidate in turn.decision.candidates] == ["more", "hello"]
    assert turn.decision.model_version == "ranker-fake"
    assert turn.prompt_engine == "fake"


def test_every_step_is_timed(snapshot: Snapshot) -> None:
    timings = decide(snapshot, "a").turn.timings_ms
    steps = ("recognise", "emotion", "situation", "relation", "rank", "choose", "prompts")
    assert set(timings) == {f"{step}_ms" for step in (*steps, "decide")}


def test_deciding_again_changes_nothing(snapshot: Snapshot) -> None:
    first, again = decide(snapshot, "a"), decide(snapshot, "a")
    assert (first.snapshot, first.turn.decision, first.prompts) == (
        again.snapshot,
        again.turn.decision,
        again.prompts,
    )


def test_exploration_differs_from_turn_to_turn(snapshot: Snapshot) -> None:
    first = decide(snapshot, "a")
    assert decide(after(first), "a").turn.decision.reasons != first.turn.decision.reasons


def test_state_and_baseline_are_in_the_next_snapshot(snapshot: Snapshot) -> None:
    result = after(decide(snapshot, "ab"))
    assert (result.state.turn, result.baseline.turns) == (1, 1)
    assert result.state.history[-1].customer_text == "ab"


@pytest.mark.parametrize("kind", [UtteranceKind.ANSWERED, UtteranceKind.SILENCE, UtteranceKind.DTMF])
def test_without_speech_nothing_is_felt_and_the_baseline_stays(
    snapshot: Snapshot, kind: UtteranceKind
) -> None:
    result = decide(snapshot, "", kind)
    assert result.turn.understanding.emotion.label is EmotionLabel.CALM
    assert result.turn.understanding.situation is Situation.FREE
    assert after(result).baseline == snapshot.baseline
    assert len(result.turn.decision.candidates) == 2


def test_a_failing_analyser_leaves_the_words(snapshot: Snapshot) -> None:
    turn = decide(snapshot, "z").turn
    assert turn.understanding.emotion.reasons == ("the analyser failed",)
    assert turn.decision.script_id == "more"


def test_a_failing_ranker_leaves_the_rules(snapshot: Snapshot) -> None:
    turn = decide(snapshot, "y").turn
    assert turn.decision.candidates == ()
    assert turn.decision.script_id == "more"


def test_a_failing_recogniser_makes_the_bot_ask_back(snapshot: Snapshot) -> None:
    way = parts.pipeline()
    stream = way.listen(snapshot)
    stream.feed(b"\xff" * 1600)
    transcript = way.recognise(stream)
    assert (transcript.text, transcript.method) == ("", "failed")
    assert decide(snapshot, transcript.text).turn.decision.script_id == "pardon"


def test_a_script_that_can_not_be_spoken_is_an_error(snapshot: Snapshot) -> None:
    with pytest.raises(SynthesisError):
        decide(snapshot, "q")


def test_the_recogniser_is_told_what_is_expected_here(snapshot: Snapshot) -> None:
    recognizer = parts.Recognizer()
    way = parts.pipeline(recognizer)
    way.listen(snapshot)
    opened = decide(snapshot, "", UtteranceKind.ANSWERED)
    way.listen(after(opened))
    told = [stream.expected for stream in recognizer.streams]
    assert [one.answers for one in told] == [(), (("方便",),)]
    assert [one.keywords for one in told] == [("利率",)] * 2
    assert all("方便" in one.lines for one in told)


def test_a_call_with_an_unknown_playbook_is_refused() -> None:
    with pytest.raises(PlaybookError):
        parts.pipeline().begin(replace(parts.REQUEST, playbook_id="absent"))


@pytest.mark.parametrize("data", [b"{}", b"\x00", b"[1]"])
def test_a_broken_snapshot_is_refused(data: bytes) -> None:
    with pytest.raises(InferenceError, match="can not be read"):
        parts.pipeline().resume(parts.REQUEST, data)


def test_the_snapshot_of_another_call_is_refused(snapshot: Snapshot) -> None:
    other = replace(parts.REQUEST, call_id="call-2")
    with pytest.raises(InferenceError, match="call-1"):
        parts.pipeline().resume(other, codec.encode(snapshot))


def test_the_outcome_is_of_the_snapshot(snapshot: Snapshot) -> None:
    outcome = parts.pipeline().conclude(after(decide(snapshot, "ab")), EndCause.CUSTOMER_HUNG_UP)
    assert outcome.reasons == ("customer_hung_up", "ab")
