"""How customers change, told apart from chance."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from voicebot.domain.learning import Drift, DriftKind
from voicebot.learning.drift import FEWEST, Heard, compare

pytestmark = pytest.mark.unit

UNTIL = datetime(2026, 11, 22, tzinfo=UTC)
SPAN = (UNTIL - timedelta(days=7), UNTIL)
WORDS = ("利息", "额度", "不用", "多少", "可以", "什么")


def heard(
    count: int,
    seed: int,
    *,
    words: tuple[str, ...] = WORDS,
    emotion: str = "calm",
    confidence: float | None = None,
    unknown: bool = False,
) -> list[Heard]:
    chance = Random(seed)
    return [
        Heard(
            chance.choice(words),
            emotion,
            chance.uniform(0.6, 0.9) if confidence is None else confidence,
            unknown,
        )
        for _ in range(count)
    ]


def figures(now: list[Heard], before: list[Heard]) -> dict[DriftKind, Drift]:
    report = compare("loan", SPAN, now, before, lambda text: (text,))
    return {figure.kind: figure for figure in report.figures}


def test_the_same_customers_raise_no_alarm() -> None:
    found = figures(heard(400, 1), heard(1600, 2))
    assert set(found) == set(DriftKind)
    assert [one.kind for one in found.values() if one.alarm] == []


def test_new_words_are_told_by_name() -> None:
    found = figures(heard(300, 1, words=(*WORDS, "数字人民币")), heard(1600, 2))[DriftKind.VOCABULARY]
    assert (found.alarm, found.before) == (False, 0.0)  # one word in seven
    found = figures(heard(300, 1, words=("利息", "数字人民币")), heard(1600, 2))[DriftKind.VOCABULARY]
    assert found.alarm
    assert found.detail[0].startswith("数字人民币")


@pytest.mark.parametrize(
    ("kind", "changed"),
    [
        (DriftKind.EMOTION, heard(200, 3, emotion="annoyed")),
        (DriftKind.CONFIDENCE, heard(200, 3, confidence=0.5)),
        (DriftKind.OUT_OF_DOMAIN, heard(200, 3, unknown=True)),
    ],
)
def test_each_figure_raises_its_own_alarm(kind: DriftKind, changed: list[Heard]) -> None:
    found = figures(heard(200, 1) + changed, heard(1600, 2))
    assert [one.kind for one in found.values() if one.alarm] == [kind]


def test_better_recognition_is_no_alarm() -> None:
    assert not figures(heard(400, 1, confidence=0.99), heard(1600, 2))[DriftKind.CONFIDENCE].alarm


def test_few_utterances_tell_nothing() -> None:
    assert figures(heard(FEWEST - 1, 1), heard(1600, 2)) == {}
