"""The trained ranker: members, fusion, and a model that survives its file."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from voicebot.bench import ranker as bench
from voicebot.bench.frame import Options
from voicebot.domain.errors import DataError, ModelError
from voicebot.ranker.encoder import NoEncoder
from voicebot.ranker.fusion import choose, fuse, ranks
from voicebot.ranker.kernel import KernelMembers
from voicebot.ranker.model import RankingModel, _folded, _unfolded
from voicebot.ranker.pairs import Context, Pair
from voicebot.ranker.training import Recipe, early_stop, fit, fit_members, folds, has_torch, train
from voicebot.registry import models

pytestmark = pytest.mark.unit

PLACES = ("酒店", "餐馆", "景点")
ASKED = {
    "电话": ("{}的电话是多少", "{}号码给我一下", "怎么打给{}"),
    "地址": ("{}在哪里", "{}地址告诉我", "去{}怎么走"),
    "评分": ("{}评分高吗", "{}打几分", "大家觉得{}怎么样"),
}
PAIRS = [
    Pair(
        Context(line.format(place), f"给您推荐这家{place}。", opening),
        f"{what}是[{place}{what}]。",
        f"{turn}-{n}",
    )
    for turn, place in enumerate(PLACES)
    for what, lines in ASKED.items()
    for n, line in enumerate(lines)
    for opening in ("推荐一个", "有好的吗")
]
BANK = sorted({pair.reply for pair in PAIRS})
QUICK = Recipe(duals=0)


@pytest.fixture(scope="module")
def model() -> RankingModel:
    return fit(PAIRS, NoEncoder(), QUICK)[0]


def test_the_right_script_is_found_for_wordings_that_were_never_seen(model: RankingModel) -> None:
    contexts = [
        Context(f"请问这个{place}的{what}", f"给您推荐这家{place}。") for place in PLACES for what in ASKED
    ]
    right = np.array([BANK.index(f"{what}是[{place}{what}]。") for place in PLACES for what in ASKED])
    assert (ranks(model.score(contexts, model.bank(BANK))["fused"], right) == 1).mean() >= 0.8


def test_the_turn_before_decides_where_the_utterance_leaves_it_open(model: RankingModel) -> None:
    contexts = [Context("电话是多少", f"给您推荐这家{place}。") for place in PLACES]
    best = model.score(contexts, model.bank(BANK))["fused"].argmax(axis=1)
    assert [BANK[row] for row in best] == [f"电话是[{place}电话]。" for place in PLACES]


def test_a_script_that_training_never_saw_can_win(model: RankingModel) -> None:
    scripts = ["电话给您，是[酒店电话]。", "地址在[餐馆地址]。", "评分有[景点评分]分。"]
    scores = model.score([Context("酒店的电话是多少", "给您推荐这家酒店。")], model.bank(scripts))["fused"]
    assert int(scores[0].argmax()) == 0


def test_the_same_seed_gives_the_same_model(model: RankingModel) -> None:
    again, _ = fit(PAIRS, NoEncoder(), QUICK)
    assert again.weights == model.weights
    assert again.temperature == model.temperature
    contexts = [pair.context for pair in PAIRS[:9]]
    one, two = (m.score(contexts, m.bank(BANK))["fused"] for m in (model, again))
    assert np.allclose(one, two, atol=1e-6)


def test_a_trained_model_is_the_same_after_its_file(tmp_path: Path) -> None:
    told: list[str] = []
    manifest = train(PAIRS, NoEncoder(), tmp_path / "1", QUICK, told.append)
    assert models.load(tmp_path / "1") == manifest
    assert set(manifest.metrics) == {"pairs", "cv_r_at_1", "cv_r_at_10", "cv_mrr"}
    assert "fold 3 of 3" in " ".join(told)
    loaded = RankingModel.load(tmp_path / "1", NoEncoder())
    fresh, _ = fit(PAIRS, NoEncoder(), QUICK)
    contexts = [pair.context for pair in PAIRS]
    one, two = (m.score(contexts, m.bank(BANK))["fused"] for m in (loaded, fresh))
    assert np.abs(one - two).max() < 0.02  # half precision
    assert (one.argmax(axis=1) == two.argmax(axis=1)).all()


@pytest.mark.parametrize("distinct", [4, 30])
def test_few_distinct_replies_are_kept_once_and_many_as_they_are(distinct: int, model: RankingModel) -> None:
    chance = np.random.default_rng(1)
    rows = chance.normal(size=(distinct, 12)).astype(np.float32)
    replies = rows[np.arange(60) % distinct]
    # a fitted map mixes replies
    maps = {"linear": (chance.normal(size=(60, 60)) @ replies).astype(np.float32)}
    kept = _folded(KernelMembers(model.kernel.past, model.kernel.topics, replies, maps))
    smaller = sum(array.size for array in kept.values()) < replies.size + maps["linear"].size
    assert smaller == (distinct < replies.shape[1])
    again, found = _unfolded(kept, ["linear"])
    assert np.array_equal(again, replies)
    assert np.allclose(found["linear"], maps["linear"], atol=1e-4)


def test_a_model_of_another_encoder_is_refused_with_what_to_do(tmp_path: Path) -> None:
    train(PAIRS, NoEncoder(), tmp_path / "1", QUICK, lambda _: None)
    other = NoEncoder()
    other.name = "other"
    with pytest.raises(ModelError, match="trained with encoder") as refused:
        RankingModel.load(tmp_path / "1", other)
    assert refused.value.hint


def test_a_broken_model_file_is_a_clear_error(tmp_path: Path) -> None:
    train(PAIRS, NoEncoder(), tmp_path / "1", QUICK, lambda _: None)
    (tmp_path / "1" / "arrays.npz").write_bytes(b"PK nonsense")
    with pytest.raises(ModelError):
        models.load(tmp_path / "1")
    with pytest.raises(ModelError, match="can not be read"):
        RankingModel.load(tmp_path / "1", NoEncoder())


def test_too_few_pairs_are_refused() -> None:
    with pytest.raises(DataError, match="5 pairs"):
        fit(PAIRS[:5], NoEncoder(), QUICK)


def test_fusion_gives_weight_to_the_member_that_is_right() -> None:
    right = np.arange(30) % 5
    random = np.random.default_rng(1)
    good = random.normal(size=(30, 5))
    good[np.arange(30), right] += 3
    members = {"good": good, "noise": random.normal(size=(30, 5))}
    weights = choose([(members, right)])
    assert weights["good"] > weights["noise"]
    assert (ranks(fuse(members, weights), right) == 1).mean() > 0.8


def test_ties_count_half() -> None:
    assert list(ranks(np.array([[1.0, 1.0, 0.0], [0.0, 2.0, 1.0]]), np.array([0, 2]))) == [1.5, 2.0]


torch_only = pytest.mark.skipif(
    not has_torch(), reason="the dual encoder is trained with torch: pip install 'voicebot[train]'"
)


@torch_only
def test_the_dual_encoder_stops_once_held_out_pairs_are_ranked_no_better() -> None:
    recipe = replace(QUICK, duals=1, dimensions=16, epochs=40, batch=32, patience=2)
    told: list[str] = []
    found = early_stop(*folds(PAIRS, recipe)[0], NoEncoder(), recipe, told.append)
    assert 0 < found.stop < 40
    assert told == [f"dual encoders: {found.stop} of 40 epochs are enough"]


@torch_only
def test_the_dual_encoder_learns_and_scores_without_torch() -> None:
    learnt, _ = fit(PAIRS, NoEncoder(), replace(QUICK, duals=1, dimensions=32, epochs=60, batch=32))
    members = learnt.score([pair.context for pair in PAIRS], learnt.bank(BANK))
    right = np.array([BANK.index(pair.reply) for pair in PAIRS])
    assert (ranks(members["dual"], right) == 1).mean() >= 0.9


def test_the_bench_judges_any_file_of_its_shape(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "open_encoder", lambda _: NoEncoder())
    monkeypatch.setattr(bench, "SIZES", (20, 1000))
    rows = [
        {
            "did": pair.conversation,
            "ctx": [["C", pair.context.before], ["A", pair.context.agent], ["C", pair.context.said]],
            "reply": pair.reply,
            "act": [["Inform", pair.reply[:2], ""]],
        }
        for pair in PAIRS
    ]
    file = tmp_path / "pairs.json"
    dev = [{**row, "rand": [text for text in BANK if text != row["reply"]]} for row in rows[::7]]
    file.write_text(json.dumps({"train": rows, "dev": dev, "bank": BANK}), "utf-8")
    result = bench.run(Options(file, extra={"duals": "0"}))
    assert set(result.summary) == {"r_at_1", "r_at_10", "mrr", "act_at_1", "cpu_ms_1000_scripts"}
    systems = {row["system"]: row for row in result.rows}
    assert systems["ours"]["r_at_1"] > systems["random"]["r_at_1"]
    assert {"shortest reply", "BM25", "char TF-IDF", "kNN over past pairs", "ours, reply is new"} <= set(
        systems
    )


def test_the_bench_refuses_a_file_of_another_shape(tmp_path: Path) -> None:
    file = tmp_path / "other.json"
    file.write_text('{"rows": []}', "utf-8")
    with pytest.raises(DataError, match=r"other\.json"):
        bench.run(Options(file))


def test_a_choice_that_was_wrong_moves_its_script_down() -> None:
    wrong = "评分是[酒店评分]。"
    taught = [*PAIRS, *(Pair(Context(f"{n}号房吵不吵"), wrong, f"w{n}", weight=-1.0) for n in range(6))]
    praised = [replace(pair, weight=1.0) if pair.weight < 0 else pair for pair in taught]
    asked = [Context("房吵不吵")]
    place = BANK.index(wrong)
    low, high = (
        (m := fit_members(pairs, NoEncoder(), QUICK)).score(asked, m.bank(BANK))["radial"][0][place]
        for pairs in (taught, praised)
    )
    assert low < 0 < high


def test_wrong_choices_are_never_held_out() -> None:
    pairs = [*PAIRS, Pair(Context("房吵不吵"), PAIRS[0].reply, "w", weight=-1.0)]
    assert all(pair.weight > 0 for _, held in folds(pairs, QUICK) for pair in held)
