"""The relation classifier: what the shipped model tells, how it is trained, what it does without its file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.conversation import Conversation, consumer_loan, ranker
from voicebot.bench.dialogue import GoldDialogue, GoldTurn
from voicebot.bench.lessons import halves, judged, lines
from voicebot.dialogue.relation_model import LABELS, RelationModel
from voicebot.dialogue.relation_training import Lesson, train
from voicebot.domain.dialogue import Relation
from voicebot.domain.errors import DataError, ModelError
from voicebot.registry.resources import models_dir

pytestmark = pytest.mark.unit


def test_the_shipped_model_tells_questions_from_objections_and_answers() -> None:
    model = RelationModel.load([models_dir()])
    call = Conversation()
    told = {
        text: model.relate(text, call.state, call.playbook, ())
        for text in ("利息到底怎么算", "我不相信你们", "可以")
    }
    assert list(told.values()) == [Relation.ASKS, Relation.OBJECTS, Relation.ANSWERS]


def test_what_takes_back_an_agreement_contradicts_whatever_the_model_thinks() -> None:
    call = Conversation()
    call.says("可以")
    call.says("有")
    model = RelationModel({}, [9.0 if label is Relation.ASKS else 0.0 for label in LABELS], "relation-0")
    assert model.relate("算了，不需要", call.state, call.playbook, ()) is Relation.CONTRADICTS
    assert model.relate("想装修一下", call.state, call.playbook, ()) is Relation.ASKS


def test_a_trained_model_survives_its_file_and_learns_what_it_was_taught(tmp_path: Path) -> None:
    lessons = [
        Lesson({f"end {mark}": 1.0, f"noise {n % 3}": 1.0}, relation, f"c{n}", judged=True)
        for n in range(40)
        for mark, relation in (("吗", Relation.ASKS), ("要", Relation.OBJECTS))
    ]
    manifest = train(lessons, tmp_path / "relation" / "1", trust=0.3, seed=1)
    assert manifest.metrics["cv_accuracy"] == 1.0
    chances = RelationModel.load([tmp_path]).chances({"end 吗": 1.0})
    assert LABELS[chances.index(max(chances))] is Relation.ASKS


def test_too_few_judged_turns_and_a_missing_model_are_said(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="judged turns"):
        train([], tmp_path / "relation" / "1", trust=0.3, seed=1)
    with pytest.raises(ModelError):
        RelationModel.load([tmp_path])


def test_lessons_come_from_judged_turns_and_from_lines_that_the_ranker_does_not_know() -> None:
    turns = (GoldTurn(say="可以", scripts=("pitch_main",)), GoldTurn(silence=True, scripts=("same",)))
    found = list(judged([GoldDialogue(id="x", turns=turns)], consumer_loan(), ranker()))
    assert [(lesson.relation, lesson.judged) for lesson in found] == [(Relation.ANSWERS, True)]
    known, asked = halves(consumer_loan(), 0)
    both = [set(one.scripts["q_rate"].examples) for one in (known, asked)]
    assert both[0].isdisjoint(both[1])
    assert both[0] | both[1] == set(consumer_loan().scripts["q_rate"].examples)
    scripts = {key: asked.scripts[key] for key in ("opening_greet", "q_rate", "obj_rate_high")}
    few = list(lines(replace(asked, scripts=scripts), ranker(), 1, known))
    assert {lesson.relation for lesson in few} == {Relation.ASKS, Relation.OBJECTS}
    assert not any(lesson.judged for lesson in few)
