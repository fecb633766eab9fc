"""Trains `wording` from a grammar of what machines and people say when a call is answered."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.feature_extraction import DictVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold

from voicebot.domain.answering import NumberStatus, disposition_of
from voicebot.domain.errors import DataError
from voicebot.registry import models
from voicebot.speech.answering.grammar import Grammar, Sentence, cut, misheard, sentence
from voicebot.speech.answering.wording import LABELS, NAME, PERSON, SURE, WordingModel, features
from voicebot.text.pinyin import syllables

CARD = "card.md"
FOLDS = 5
EACH = 150  # sentences of a line
PEOPLE = 2  # times as many of a line of theirs: there are fewer lines
TALKED = 12_000  # utterances of other talks
TALK = "talk"  # family of what people say in other talks
JUMBLE = "jumble"
JUMBLES = 4000
_RATES = (0.0, 0.0, 0.08, 0.15, 0.25, 0.4)  # of syllables misheard
_SEEN = 4  # lessons that have a feature, at least
_STRENGTH = 30.0  # LogisticRegression's C
_PERSON_WEIGHT = 2.0  # human first
_TALK_WEIGHT = 3.0  # it shows the width of what people say
MISHEARD = 0.15  # of syllables, in the second half of the figures
_LEAST_WEIGHT = 0.5  # a feature weighs a tenth of that in a call: five of six are dropped
_LEAST = 20  # lines that must be held out for a figure to mean anything


@dataclass(frozen=True, slots=True)
class Lesson:
    """What is heard, and what it means."""

    sounds: tuple[str, ...]
    status: NumberStatus | None
    family: str


def train(grammar: Grammar, talk: Sequence[str], out: Path, *, seed: int, data: str) -> models.Manifest:
    """Fit, judge on lines that were left out, and write <models>/answering/<version>.

    Args:
        grammar: what machines and people say when a call is answered.
        talk: what people say in other talks.
        out: folder to write.
        seed: of every random choice.
        data: where the talk comes from, in words.

    Raises:
        DataError: the grammar has too few lines to be judged by.
    """
    if len(grammar.people) < _LEAST or sum(map(len, grammar.machines.values())) < _LEAST:
        raise DataError(f"fewer than {_LEAST} lines of machines or of people", hint="write more wordings")
    learnt = lessons(grammar, talk, seed)
    figures = {
        "lines": float(len(lines(grammar))),
        "talk": float(len(talk)),
        "lessons": float(len(learnt)),
        **crossed(grammar, learnt, seed),
    }
    file = fit(learnt, seed, out.name).save(out)
    (out / CARD).write_text(_card(out.name, figures, seed, data), "utf-8")
    return models.save(
        out, models.Manifest(NAME, out.name, {file: "", CARD: ""}, metrics=figures, data={"talk": data})
    )


def read_talk(path: Path, most: int = TALKED, seed: int = 1) -> list[str]:
    """Return utterances of a file: a line each, or the turns of `train` in JSON of CrossWOZ's shape.

    Of more than `most`, a part at random. Raises DataError.
    """
    try:
        text = path.read_text("utf-8")
        if path.suffix == ".json":
            found = {str(said) for pair in json.loads(text)["train"] for _, said in pair["ctx"]}
        else:
            found = {line.strip() for line in text.splitlines() if line.strip()}
    except (OSError, ValueError, KeyError, TypeError) as broken:
        raise DataError(
            f"{path} holds no talk ({broken!r})", hint="a line of text for each utterance"
        ) from broken
    said = sorted(found)
    return said if len(said) <= most else random.Random(seed).sample(said, most)  # noqa: S311 - no secret


def lessons(grammar: Grammar, talk: Iterable[str], seed: int, each: int = EACH) -> list[Lesson]:
    """Make lessons of every line of a grammar, and of what people say in other talks."""
    dice = random.Random(seed)  # noqa: S311 - no secret
    made = list[Sentence]()
    for line, status in lines(grammar):
        made += [sentence(line, status, grammar, dice) for _ in range(each if status else PEOPLE * each)]
    for text in talk:
        made.append(Sentence(TALK, syllables(text), None))
    known = sorted({sound for one in made for sound in one.sounds})
    found = _jumbles(made, dice)
    for one in made:
        part = cut(one, dice)
        if part is not None and part[0]:
            heard = misheard(part[0], dice.choice(_RATES), known, dice)
            found.append(Lesson(tuple(heard), part[1], one.family))
    return found


def _jumbles(made: Sequence[Sentence], dice: random.Random) -> list[Lesson]:
    """Make a person's of shreds of both, so that a machine's single words make no machine."""
    machines = [one.sounds for one in made if one.status]
    talk = [one.sounds for one in made if one.family == TALK and one.sounds]
    found = []
    for _ in range(JUMBLES if machines and talk else 0):
        sounds: list[str] = []
        for _ in range(dice.randint(2, 5)):
            sounds += [*_shred(dice.choice(talk), 2, 6, dice), *_shred(dice.choice(machines), 1, 3, dice)]
        found.append(Lesson(tuple(sounds), None, JUMBLE))
    return found


def _shred(sounds: Sequence[str], least: int, most: int, dice: random.Random) -> Sequence[str]:
    size = dice.randint(least, most)
    start = dice.randrange(max(1, len(sounds) - size + 1))
    return sounds[start : start + size]


def lines(grammar: Grammar) -> list[tuple[str, NumberStatus | None]]:
    """Return the lines of a grammar with what they mean."""
    machines = [(line, status) for status, told_ in grammar.machines.items() for line in told_]
    return [*machines, *((line, None) for line in grammar.people)]


def fit(learnt: Sequence[Lesson], seed: int, version: str = "") -> WordingModel:
    """Fit the weights."""
    counts = Counter(name for lesson in learnt for name in features(lesson.sounds))
    rows = []
    for lesson in learnt:
        seen = features(lesson.sounds)
        rows.append({name: len(seen) ** -0.5 for name in seen if counts[name] >= _SEEN})
    columns = DictVectorizer(dtype=np.float32)
    table = columns.fit_transform(rows)
    labels = [LABELS.index(lesson.status.value if lesson.status else PERSON) for lesson in learnt]
    weights = [_weight(lesson) for lesson in learnt]
    fitted = LogisticRegression(C=_STRENGTH, max_iter=300, tol=1e-3, random_state=seed)
    fitted.fit(table, labels, sample_weight=weights)
    slopes = np.zeros((len(LABELS), table.shape[1]), np.float32)
    bias = np.full(len(LABELS), -20.0, np.float32)
    for row, label in enumerate(fitted.classes_):
        slopes[label], bias[label] = fitted.coef_[row], fitted.intercept_[row]
    names = columns.get_feature_names_out()
    by_feature = {
        str(name): slopes[:, column]
        for column, name in enumerate(names)
        if np.abs(slopes[:, column]).max() >= _LEAST_WEIGHT
    }
    return WordingModel(by_feature, bias, f"{NAME}-{version}")


def crossed(grammar: Grammar, learnt: Sequence[Lesson], seed: int) -> dict[str, float]:
    """Return shares over whole sentences of lines that were left out, and over talk that was left out."""
    dice = random.Random(seed + 1)  # noqa: S311 - no secret
    known = sorted({sound for lesson in learnt for sound in lesson.sounds})
    jumbled = [lesson for lesson in learnt if lesson.family == JUMBLE]
    talk = [number for number, lesson in enumerate(learnt) if lesson.family == TALK]
    names = [f"{TALK} {row}" if lesson.family == TALK else lesson.family for row, lesson in enumerate(learnt)]
    shares: dict[str, list[bool]] = {}
    for seen, held in GroupKFold(FOLDS, shuffle=True, random_state=seed).split(learnt, groups=names):
        model = fit([*(learnt[row] for row in seen if learnt[row].family != JUMBLE), *jumbled], seed)
        families = {learnt[row].family for row in held} - {TALK}
        for line, status in lines(grammar):
            for rate in (0.0, MISHEARD) if line in families else ():
                for _ in range(EACH // 10):
                    whole = sentence(line, status, grammar, dice).sounds
                    _judge(model, misheard(whole, rate, known, dice), status, rate, shares)
        for row in set(talk) & set(held.tolist()):
            said = model.judged(learnt[row].sounds)
            shares.setdefault("talk_called_machine", []).append(said.machine >= SURE)
    return {name: float(np.mean(hits)) for name, hits in sorted(shares.items())}


def _judge(
    model: WordingModel,
    said: Sequence[str],
    status: NumberStatus | None,
    rate: float,
    shares: dict[str, list[bool]],
) -> None:
    heard, suffix = model.judged(said), "_misheard" if rate else ""
    machine = heard.machine >= SURE
    if status is None:
        shares.setdefault(f"human_called_machine{suffix}", []).append(machine)
        return
    right = machine and disposition_of(heard.kind) is disposition_of(status)
    shares.setdefault(f"machine_known{suffix}", []).append(machine)
    shares.setdefault(f"disposition_right{suffix}", []).append(right)


def _weight(lesson: Lesson) -> float:
    if lesson.status is not None:
        return 1.0
    return _TALK_WEIGHT if lesson.family == TALK else _PERSON_WEIGHT


def _card(version: str, figures: Mapping[str, float], seed: int, data: str) -> str:
    told = [
        f"# {NAME} {version}",
        "",
        "Whether the words of whoever answers a call are a machine's (network, mailbox, assistant), and what "
        "they say of the number. Multinomial logistic regression over one to three toneless syllables.",
        "",
        "Learnt from sentences made by the grammar `speech/answering/wordings.yaml`, written from general "
        "knowledge, cut at random and with syllables misheard at random, and, as what people say, from talk: "
        f"{data}, and shreds of both. No recording and no recognised text is in it.",
        "",
        *(f"- {name}: {value:.3f}" for name, value in figures.items()),
        "",
        f"Seed {seed}, {FOLDS} folds by line of the grammar: figures are on whole sentences of lines never "
        f"seen, as written, and with {MISHEARD:.0%} of syllables misheard. A machine is told from {SURE} on. "
        "The lines share their heads (您拨打的用户 …): a network that words these anew is harder, so "
        "`voicebot bench tones` judges by sound and by announcements written apart.",
    ]
    return "\n".join(told) + "\n"
