"""The held-out dialogues and the bench that judges by them."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.unit.conversation import Conversation, consumer_loan, ranker
from voicebot.bench import dialogue
from voicebot.bench.dialogue import GoldDialogue, GoldTurn
from voicebot.bench.frame import Options
from voicebot.domain.errors import DataError
from voicebot.domain.speech import Alternative, Transcript
from voicebot.text.normalise import comparable

pytestmark = pytest.mark.unit

HELD_OUT = Path(__file__).parents[1] / "data" / "dialogues" / "consumer_loan.yaml"
BLIND = HELD_OUT.parent / "blind" / HELD_OUT.name


@pytest.mark.parametrize(("file", "least"), [(HELD_OUT, 150), (BLIND, 60)], ids=["held out", "blind"])
def test_judged_dialogues_fit_the_playbook_and_are_not_its_examples(file: Path, least: int) -> None:
    dialogues = dialogue.read(file, consumer_loan())
    assert sum(len(one.turns) > 1 for one in dialogues) >= least
    assert len({one.id for one in dialogues}) == len(dialogues)
    # Of short pieces more recur in some example the more examples there are (.28 of 2,117, .42 of 5,000,
    # .55 of 7,900), so a fixed number of examples is asked, and each line's closest single one.
    assert recurring(dialogues) < 0.35
    examples = [_pieces(line) for script in consumer_loan().scripts.values() for line in script.examples]
    said = [pieces for one in dialogues for turn in one.turns if len(pieces := _pieces(turn.say)) > 3]
    closest = [max(len(line & one) / len(line | one) for one in examples) for line in said]
    assert len(closest) > 2 * least
    assert sum(closest) / len(closest) < 0.22
    assert sum(share > 0.8 for share in closest) <= 0.01 * len(closest)


def recurring(dialogues: tuple[GoldDialogue, ...], examples: int = 2117) -> float:
    """Return the mean share of a judged line's character 3-grams that occur in so many examples."""
    lines = [line for script in consumer_loan().scripts.values() for line in script.examples]
    known = set().union(*map(_pieces, random.Random(1).sample(lines, examples)))
    judged = [pieces for one in dialogues for turn in one.turns if (pieces := _pieces(turn.say))]
    return sum(len(pieces & known) / len(pieces) for pieces in judged) / len(judged)


def _pieces(text: str) -> set[str]:
    plain = comparable(text)
    return {plain[start : start + 3] for start in range(len(plain) - 2)}


def test_the_bench_judges_words_slips_and_ablations() -> None:
    result = dialogue.run(Options(HELD_OUT, limit=25))
    assert [row["condition"] for row in result.rows][:2] == ["clean text", "homophone slips 10%"]
    assert len(result.rows) == 7
    assert 0 < result.summary["acceptable_text"] <= 1
    assert result.summary == dialogue.run(Options(HELD_OUT, limit=25)).summary


def test_a_dialogue_that_names_an_unknown_script_is_refused(tmp_path: Path) -> None:
    wrong = tmp_path / "consumer_loan.yaml"
    wrong.write_text("- {id: a, turns: [{say: 好, scripts: [nowhere]}]}\n", "utf-8")
    with pytest.raises(DataError, match="nowhere"):
        dialogue.read(wrong, consumer_loan())
    wrong.write_text("- {id: a, turns: [{say: 好, relation: shouts, scripts: [farewell]}]}\n", "utf-8")
    with pytest.raises(DataError, match="relation"):
        dialogue.read(wrong, consumer_loan())


@pytest.mark.parametrize(("confidence", "broken"), [(0.9, ["V7"]), (0.2, [])])
def test_asking_for_a_yes_again_breaks_v7_only_if_it_was_heard(confidence: float, broken: list[str]) -> None:
    call = Conversation()
    for said in ("可以，你说", "好的", "可以", "可以"):
        call.says(said)
    assert call.scripts[-1] == "qualify_confirm"
    before = call.state
    again = call.says("嗯嗯", confidence=0.2)
    assert (again.script_id, again.reasons[0][:3]) == ("qualify_confirm", "V13")
    turn = GoldTurn(say="是的", scripts=("closing_registered",))
    found = dialogue.violations("d", turn, again, before, call.playbook, confidence)
    assert [one.split()[0] for one in found] == broken


def test_a_line_is_judged_as_it_was_heard_with_what_may_have_been_said_instead() -> None:
    heard = Transcript("以后比打电话", confidence=0.5, alternatives=(Alternative("以后别打电话", 0.7),))
    turn = GoldTurn(say="以后别打电话", scripts=("do_not_call",))
    one = GoldDialogue(id="d", turns=(turn,))
    spoken = dialogue.Condition("heard", lambda *_: heard)
    (judged,) = dialogue.judge(one, consumer_loan(), ranker(), spoken, Conversation().policy)
    assert (judged.acceptable, judged.violations) == (True, ())
