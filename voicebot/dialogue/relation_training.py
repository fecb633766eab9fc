"""Trains the relation classifier from judged turns and from example lines whose script tells it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.feature_extraction import DictVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold

from voicebot.dialogue.relation_model import LABELS, NAME, RelationModel
from voicebot.domain.dialogue import Relation
from voicebot.domain.errors import DataError
from voicebot.registry import models

CARD = "card.md"
FOLDS = 5
LEAST = 60  # judged turns
_STRENGTHS = (0.03, 0.1, 0.3, 1.0)  # of LogisticRegression's C
_SEEN_TWICE = 2
NEVER = -20.0  # bias of a relation that no lesson shows

# What an example line of a script of this act does; other acts' lines depend on what was said before.
BY_ACT: Mapping[str, Relation] = {
    **dict.fromkeys(("answer", "company", "robot", "number_source", "identify", "repeat"), Relation.ASKS),
    **dict.fromkeys(
        ("objection", "retain", "accept_refusal", "apologise", "do_not_call", "complaint", "handover"),
        Relation.OBJECTS,
    ),
    **dict.fromkeys(("offer_callback", "driving", "meeting", "wrong_person"), Relation.OBJECTS),
    **dict.fromkeys(("confirm_time", "qualify", "ask", "other_person"), Relation.ANSWERS),
    "off_topic": Relation.CHANGES_TOPIC,
}


@dataclass(frozen=True, slots=True)
class Lesson:
    """One utterance in its place, with its relation."""

    seen: Mapping[str, float]
    relation: Relation
    conversation: str  # cross-validation never splits one
    judged: bool  # by a person; else told by the script of an example line


def train(lessons: Sequence[Lesson], out: Path, *, trust: float, seed: int) -> models.Manifest:
    """Fit and write <models>/relation/<version>. Raises DataError if too few turns are judged.

    Args:
        lessons: what to learn from.
        out: folder to write.
        trust: weight of a lesson that no person judged, 0-1.
        seed: of every random choice.
    """
    judged = sum(lesson.judged for lesson in lessons)
    if judged < LEAST:
        raise DataError(f"{judged} judged turns", hint=f"the relation model wants {LEAST} or more")
    found = {strength: _crossed(lessons, strength, trust, seed) for strength in _STRENGTHS}
    strength = max(found, key=lambda one: found[one])
    model = _fit(lessons, strength, trust, seed, out.name)
    figures = {
        "judged_turns": float(judged),
        "example_lines": float(len(lessons) - judged),
        "cv_accuracy": found[strength],
        "cv_most_frequent": max(
            Counter(lesson.relation for lesson in lessons if lesson.judged).values()
        ) / judged,
        "strength": strength,
    }  # fmt: skip
    file = model.save(out)
    (out / CARD).write_text(_card(out.name, figures, seed), "utf-8")
    return models.save(out, models.Manifest(NAME, out.name, {file: "", CARD: ""}, metrics=figures))


def _crossed(lessons: Sequence[Lesson], strength: float, trust: float, seed: int) -> float:
    """Return the accuracy on judged turns of conversations that were left out."""
    groups = [lesson.conversation for lesson in lessons]
    hits = []
    for seen, held in GroupKFold(FOLDS, shuffle=True, random_state=seed).split(lessons, groups=groups):
        model = _fit([lessons[row] for row in seen], strength, trust, seed, "")
        for lesson in (lessons[row] for row in held):
            if lesson.judged:
                chances = model.chances(lesson.seen)
                hits.append(LABELS[int(np.argmax(chances))] is lesson.relation)
    return float(np.mean(hits))


def _fit(lessons: Sequence[Lesson], strength: float, trust: float, seed: int, version: str) -> RelationModel:
    counts = Counter(name for lesson in lessons for name in lesson.seen)
    kept = [
        {name: value for name, value in lesson.seen.items() if counts[name] >= _SEEN_TWICE}
        for lesson in lessons
    ]
    columns = DictVectorizer()
    rows = columns.fit_transform(kept)
    weights = [1.0 if lesson.judged else trust for lesson in lessons]
    fitted = LogisticRegression(C=strength, max_iter=2000, random_state=seed)
    fitted.fit(rows, [lesson.relation.value for lesson in lessons], sample_weight=weights)
    slopes, shifts = fitted.coef_, fitted.intercept_
    if len(slopes) == 1:  # of two relations only one is fitted
        slopes, shifts = np.vstack((-slopes, slopes)), np.concatenate((-shifts, shifts))
    place = {label: row for row, label in enumerate(fitted.classes_)}
    table = [slopes[place[label]] if label in place else [0.0] * rows.shape[1] for label in LABELS]
    bias = [float(shifts[place[label]]) if label in place else NEVER for label in LABELS]
    names = columns.get_feature_names_out()
    by_feature = {
        str(name): [round(float(line[column]), 4) for line in table] for column, name in enumerate(names)
    }
    return RelationModel(by_feature, [round(one, 4) for one in bias], f"{NAME}-{version}")


def _card(version: str, figures: Mapping[str, float], seed: int) -> str:
    lines = [
        f"# {NAME} {version}",
        "",
        "How an utterance relates to the ones before. Multinomial logistic regression over the rules of "
        "`dialogue.relation`, what was asked, the candidates' dialogue acts, and one or two hanzi.",
        "",
        *(f"- {name}: {value:.3f}" for name, value in figures.items()),
        f"- seed {seed}, {FOLDS} folds by conversation; figures on turns that a person judged",
        "",
        "Learnt from written dialogues, not from recorded calls.",
    ]
    return "\n".join(lines) + "\n"
