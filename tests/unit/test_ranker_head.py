"""The ranker's head: from what was said to the scripts that it was trained on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from voicebot.ranker import training
from voicebot.ranker.encoder import NoEncoder
from voicebot.ranker.head import Head
from voicebot.ranker.model import RankingModel
from voicebot.ranker.pairs import Context, Pair
from voicebot.ranker.training import Recipe, fit_members
from voicebot.ranker.views import Lens

pytestmark = pytest.mark.unit

RATE, AMOUNT, BYE = "年化利率百分之七点二", "最高二十万", "再见"
SAID = {
    RATE: ("利息多少", "利率是多少啊", "年化多少", "利息怎么算", "利息高吗", "一年利息要多少"),
    AMOUNT: ("能借多少钱", "额度多少", "最多能借多少", "能贷几万", "最高多少额度", "能借几万"),
    BYE: ("再见", "拜拜", "好的再见", "挂了啊", "那拜拜", "先挂了"),
}
PAIRS = [Pair(Context(line), reply) for reply, lines in SAID.items() for line in lines]


def fitted(pairs: Sequence[Pair]) -> tuple[Lens, Head | None]:
    lens = Lens.fit(pairs, NoEncoder())
    trust = np.array([pair.weight for pair in pairs])
    return lens, Head.fit(
        lens.contexts([pair.context for pair in pairs]), [pair.reply for pair in pairs], trust
    )


@pytest.mark.parametrize(
    ("said", "script"), [("利息要多少啊", RATE), ("最多能借几万", AMOUNT), ("好拜拜", BYE)]
)
def test_a_wording_that_was_never_seen_finds_its_script(said: str, script: str) -> None:
    lens, head = fitted(PAIRS)
    assert head is not None
    bank = [BYE, RATE, AMOUNT]
    (scores,) = head.score(lens.contexts([Context(said)]), head.place(bank))
    assert bank[int(scores.argmax())] == script


@pytest.mark.parametrize(
    ("misheard", "script"), [("立习躲扫", RATE), ("嫩接挤碗", AMOUNT), ("醉搞鹅渡", AMOUNT)]
)
def test_words_of_which_only_the_sound_is_right_find_their_script(misheard: str, script: str) -> None:
    lens, head = fitted(PAIRS)
    assert head is not None
    assert not lens.context_terms.known(misheard)
    bank = [BYE, RATE, AMOUNT]
    (scores,) = head.score(lens.contexts([Context(misheard)]), head.place(bank))
    assert bank[int(scores.argmax())] == script


def test_a_script_that_it_does_not_know_is_neither_first_nor_last() -> None:
    lens, head = fitted(PAIRS)
    assert head is not None
    bank = ["新的话术", RATE, AMOUNT, BYE]
    (scores,) = head.score(lens.contexts([Context("利息多少")]), head.place(bank))
    assert scores[1:].min() < scores[0] < scores[1:].max()


def test_two_scripts_are_enough() -> None:
    lens, head = fitted([pair for pair in PAIRS if pair.reply != BYE])
    assert head is not None
    (scores,) = head.score(lens.contexts([Context("额度有多少")]), head.place([RATE, AMOUNT]))
    assert scores[1] > scores[0]


def test_wrong_choices_teach_the_head_nothing() -> None:
    wrong = [Pair(Context(line), BYE, weight=-1.0) for line in SAID[RATE]]
    lens, head = fitted([*PAIRS, *wrong])
    assert head is not None
    (scores,) = head.score(lens.contexts([Context("利息多少")]), head.place([RATE, BYE]))
    assert scores[0] > scores[1]


def test_one_judged_moment_of_a_call_outweighs_a_few_written_lines() -> None:
    line = "利息能不能再便宜点"
    written = [*PAIRS, *(Pair(Context(f"{line}{end}"), RATE) for end in ("啊", "呢", "呀"))]

    def best(pairs: Sequence[Pair]) -> str:
        model = fit_members(pairs, NoEncoder(), Recipe(duals=0))
        scores = model.score([Context(line, agent="您看好吗")], model.bank([RATE, AMOUNT]))["head"][0]
        return (RATE, AMOUNT)[int(scores.argmax())]

    assert best(written) == RATE
    assert best([*written, Pair(Context(line, agent="您看好吗"), AMOUNT, conversation="c")]) == AMOUNT


def test_replies_that_hardly_come_again_get_no_head() -> None:
    _, head = fitted([Pair(Context(f"第{number}句话"), f"第{number}个回答") for number in range(40)])
    assert head is None
    model = fit_members(
        [Pair(Context(f"第{n}句话"), f"第{n}个回答") for n in range(40)], NoEncoder(), Recipe(duals=0)
    )
    assert "head" not in model.weights


def test_a_model_has_the_same_head_after_its_file(tmp_path: Path) -> None:
    model = fit_members(PAIRS, NoEncoder(), Recipe(duals=0))
    model.save(tmp_path)
    again = RankingModel.load(tmp_path, NoEncoder())
    moment, texts = [Context("利息要多少")], [*SAID, "新的话术"]
    before = model.score(moment, model.bank(texts))["head"]
    assert np.allclose(again.score(moment, again.bank(texts))["head"], before, atol=0.01)
    assert np.ptp(before) > 1


def test_of_very_many_pairs_the_kernel_weighs_those_of_conversations_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(training, "MOST_PAST", 10)
    talks = [Pair(Context("嗯", agent="您看好吗"), RATE, conversation=str(number)) for number in range(4)]
    pairs = [*PAIRS, *talks]
    kept = [pairs[row] for row in training._past(pairs)]
    assert len(kept) == 10
    assert all(pair in kept for pair in talks)
    assert {pair.reply for pair in kept if pair not in talks} == set(SAID)
    model = fit_members(pairs, NoEncoder(), Recipe(duals=0))
    assert len(model.kernel.replies) == 10
