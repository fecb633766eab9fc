"""The trained ranker as it is served: trained from a playbook, judged, saved, loaded, fallen back from."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.unit.conversation import consumer_loan
from voicebot.domain.dialogue import Candidate, DialogueState, Exchange
from voicebot.domain.emotion import CALM, Emotion, EmotionLabel
from voicebot.domain.errors import DataError, ModelError
from voicebot.domain.sample import Sample
from voicebot.domain.script import Playbook
from voicebot.domain.speech import Transcript
from voicebot.domain.understanding import Understanding
from voicebot.ranker import history, playbook_training, trained
from voicebot.ranker.encoder import E5, NoEncoder
from voicebot.ranker.examples import ExampleRanker
from voicebot.ranker.history import SampleFile, examples
from voicebot.ranker.pairs import Context, Pair
from voicebot.ranker.playbook_training import judge
from voicebot.ranker.trained import TrainedRanker, context, open_ranker
from voicebot.ranker.training import Recipe, fit
from voicebot.ranker.versions import BLEND
from voicebot.registry import models

pytestmark = pytest.mark.unit

QUICK = Recipe(duals=0)


@pytest.fixture(scope="module")
def book() -> Playbook:
    """Return the loan playbook with its 9 scripts that have the most examples, to be quick."""
    whole = consumer_loan()
    most = sorted(whole.scripts, key=lambda key: -len(whole.scripts[key].examples))[:9]
    return replace(whole, scripts={key: whole.scripts[key] for key in most})


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory, book: Playbook) -> Path:
    """Return a root of models with a ranker trained on it, whether or not it is worth serving."""
    root = tmp_path_factory.mktemp("models")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(playbook_training, "judge", lambda judged: replace(judge(judged), wins=True))
        playbook_training.train(book, [], NoEncoder(), root / "ranker" / "1", QUICK, lambda _: None)
    return root


def heard(text: str) -> Understanding:
    return Understanding(Transcript(text), (), None, Emotion(EmotionLabel.CALM, CALM))


def rank(ranker: object, text: str, book: Playbook, allowed: Sequence[str], k: int) -> tuple[Candidate, ...]:
    assert isinstance(ranker, TrainedRanker | ExampleRanker)
    return ranker.rank(heard(text), DialogueState(book.id, book.version, "pitch"), book, allowed, k)


def test_the_trained_ranker_is_served_from_disk_and_shares_probability_among_the_allowed(
    root: Path, book: Playbook
) -> None:
    ranker = TrainedRanker.load(root / "ranker" / "1")
    allowed = list(book.scripts)[3:12]
    found = rank(ranker, "利息大概多少", book, allowed, 99)
    assert ranker.version == "ranker-1+examples-1"
    assert {candidate.script_id for candidate in found} == set(allowed)
    assert sum(candidate.probability for candidate in found) == pytest.approx(1)
    assert {"knn", "ridge", "model fused"} <= set(found[0].member_scores)
    assert found == rank(ranker, "利息大概多少", book, allowed, 99)


def test_training_says_how_both_rankers_did_on_the_same_held_out_lines(root: Path) -> None:
    metrics = models.load(root / "ranker" / "1").metrics
    assert metrics["cv_pairs"] == metrics["examples"]
    assert metrics["cv_r_at_1"] > 0.5 < metrics["cv_r_at_1_examples_alone"]
    assert "examples_alone" in (root / "ranker" / "1" / "card.md").read_text("utf-8")


def test_another_playbook_and_an_empty_utterance_are_ranked_by_the_examples_alone(
    root: Path, book: Playbook
) -> None:
    ranker = TrainedRanker.load(root / "ranker" / "1")
    alone = ExampleRanker()
    other = replace(book, id="other")
    assert rank(ranker, "利息多少", other, list(book.scripts), 5) == rank(
        alone, "利息多少", other, list(book.scripts), 5
    )
    assert rank(ranker, "……", book, list(book.scripts), 5) == rank(alone, "……", book, list(book.scripts), 5)


def test_what_nothing_answers_is_less_sure_than_what_an_example_says(root: Path, book: Playbook) -> None:
    ranker = TrainedRanker.load(root / "ranker" / "1")
    line = next(iter(book.scripts.values())).examples[0]
    strange = rank(ranker, "红烧肉怎样做才香", book, list(book.scripts), 5)[0]
    assert strange.probability < 0.5 < rank(ranker, line, book, list(book.scripts), 5)[0].probability


def test_a_missing_or_broken_model_falls_back_to_the_examples_and_says_why(
    root: Path, tmp_path: Path
) -> None:
    ranker, why = open_ranker([tmp_path])
    assert isinstance(ranker, ExampleRanker)
    assert "no ranker" in why
    copy = tmp_path / "ranker" / "1"
    copy.mkdir(parents=True)
    for file in (root / "ranker" / "1").iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    (copy / BLEND).write_text("{}", "utf-8")
    assert "corrupt" in open_ranker([tmp_path])[1]


def test_without_the_encoder_a_trained_model_serves_with_it_the_examples_by_meaning(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def absent(name: str = E5, kept: Path | None = None) -> NoEncoder:
        if name:
            raise ModelError("no encoder here")
        return NoEncoder()

    monkeypatch.setattr(trained, "open_encoder", absent)
    assert isinstance(open_ranker([root])[0], TrainedRanker)
    monkeypatch.setattr(trained, "open_encoder", lambda name=E5, kept=None: NoEncoder())
    ranker, why = open_ranker([root])
    assert isinstance(ranker, ExampleRanker)
    assert "without the sentence encoder" in why


def test_nothing_is_written_where_the_model_does_not_win(
    tmp_path: Path, book: Playbook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(playbook_training, "SHARES", (0.0,))
    manifest, verdict = playbook_training.train(book, [], NoEncoder(), tmp_path / "1", QUICK, lambda _: None)
    assert (manifest, verdict.wins, verdict.figures["cv_gain"]) == (None, False, 0.0)
    assert not (tmp_path / "1").exists()


def test_a_model_wins_only_if_it_is_right_where_the_examples_are_not() -> None:
    random = np.random.default_rng(1)

    def fold(skill: float) -> playbook_training.Fold:
        right = random.integers(0, 8, 200)
        known = random.normal(size=(200, 8))
        known[np.arange(200), right] += 1
        model = random.normal(size=(200, 8))
        model[np.arange(200), right] += skill
        strange = known.copy()
        strange[np.arange(200), right] = 0
        return playbook_training.Fold(known, {"linear": model}, np.ones((200, 1)), right, strange)

    assert judge([fold(2.0) for _ in range(3)]).wins
    assert not judge([fold(0.0) for _ in range(3)]).wins


def test_a_playbook_with_few_examples_is_refused_with_what_to_do(tmp_path: Path, book: Playbook) -> None:
    two = list(book.scripts.values())[:2]
    few = replace(book, scripts={one.id: replace(one, examples=one.examples[:20]) for one in two})
    with pytest.raises(DataError, match="example lines") as refused:
        playbook_training.train(few, [], NoEncoder(), tmp_path / "1", QUICK, lambda _: None)
    assert refused.value.hint


def test_scene_emotion_and_keywords_decide_where_the_words_leave_it_open() -> None:
    def pair(scene: str, annoyed: float, reply: str, number: int) -> Pair:
        emotion = {"annoyed": annoyed, "calm": 1 - annoyed}
        return Pair(Context("我不知道啊", scene=scene, emotion=emotion), reply, f"{reply}{number}")

    pairs = [pair("pitch", 0.0, "我再给您讲讲利息。", n) for n in range(12)]
    pairs += [pair("closing", 1.0, "那就不打扰您了。", n) for n in range(12)]
    model, _ = fit(pairs, NoEncoder(), QUICK)
    bank = model.bank(["我再给您讲讲利息。", "那就不打扰您了。"])
    moments = [pair("pitch", 0.1, "", 0).context, pair("closing", 0.9, "", 0).context]
    assert list(model.score(moments, bank)["linear"].argmax(axis=1)) == [0, 1]


def test_the_model_sees_the_turns_before_the_scene_the_emotion_and_the_keywords() -> None:
    state = DialogueState(
        "loan", "1", "pitch", history=(Exchange("您好", "a", "一"), Exchange("嗯", "b", "二"))
    )
    moment = context(replace(heard("利息呢"), keywords=("利息",)), state)
    assert moment.turns == ("利息呢", "二", "嗯")
    assert moment.signs == {"scene pitch": 1.0, "keyword 利息": 1.0, "emotion calm": 1.0}


def test_samples_join_above_the_threshold_with_all_that_is_known(tmp_path: Path, book: Playbook) -> None:
    script = next(iter(book.scripts))
    file = tmp_path / "samples.jsonl"
    good = {
        "said": "多少",
        "script": script,
        "agent": "您好",
        "scene": "pitch",
        "emotion": {"calm": 1},
        "score": 80,
    }
    lines = [good, {**good, "score": 60}, {**good, "playbook": "other"}, {"said": "嗯", "script": script}]
    file.write_text("\n".join(json.dumps(line) for line in lines) + "\n\n", "utf-8")
    (first, second), gone = history.pairs(SampleFile(file).samples(book.id), book)
    assert gone == 0
    assert first.context == Context("多少", "您好", scene="pitch", emotion={"calm": 1.0})
    assert first.reply == second.reply == book.scripts[script].text
    assert len(SampleFile(file, threshold=50).samples(book.id)) == 3


def test_samples_of_scripts_that_are_gone_are_counted_and_left_out(book: Playbook) -> None:
    kept = Sample("多少", next(iter(book.scripts)), weight=-0.5)
    pairs, gone = history.pairs([kept, Sample("多少", "nowhere")], book)
    assert gone == 1
    assert [pair.weight for pair in pairs] == [-0.5]


@pytest.mark.parametrize(
    "line",
    [
        "not json",
        "[]",
        '{"said": "多少"}',
        '{"said": "", "script": "x"}',
        '{"said": "多少", "script": "x", "weight": 2}',
        '{"said": "多少", "script": "nowhere", "score": "high"}',
    ],
)
def test_a_wrong_sample_names_its_line(tmp_path: Path, book: Playbook, line: str) -> None:
    file = tmp_path / "samples.jsonl"
    file.write_text(f"\n{line}\n", "utf-8")
    with pytest.raises(DataError, match="line 2") as refused:
        SampleFile(file).samples(book.id)
    assert refused.value.hint


def test_example_lines_bear_no_scene_for_it_would_tell_the_answer(book: Playbook) -> None:
    pairs = examples(book)
    assert len(pairs) == sum(len(script.examples) for script in book.scripts.values())
    assert not any(pair.context.scene for pair in pairs)
