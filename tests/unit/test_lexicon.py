"""The lexicon: what a manager edits, and what it finds in a text."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from voicebot.domain.emotion import EmotionLabel
from voicebot.domain.errors import DataError, ModelError
from voicebot.emotion import fusion, lexicon
from voicebot.emotion.lexicon import COLUMNS, Lexicon
from voicebot.registry import models, resources

pytestmark = pytest.mark.unit

PROBE = Path(__file__).parent.parent / "data" / "emotion_probe.tsv"
HEADER = ",".join(COLUMNS)
GOOD = "不要说了,phrase,0,0.4,0,0.6,0,0.9,,,me"


@pytest.fixture(scope="module")
def shipped() -> Lexicon:
    return lexicon.load(models.find((resources.models_dir(),), lexicon.NAME))


def probe() -> list[dict[str, str]]:
    lines = [line for line in PROBE.read_text("utf-8").splitlines() if not line.startswith("#")]
    return list(csv.DictReader(lines, delimiter="\t"))


def found(words: Lexicon, text: str) -> list[str]:
    return [match.phrase for match in words.matches(text)]


def test_the_lexicon_covers_ninety_percent_of_replies_written_before_it(shipped: Lexicon) -> None:
    replies = probe()
    covered = [row for row in replies if shipped.matches(row["text"])]
    assert len(replies) >= 150
    assert len(covered) / len(replies) >= 0.9


def test_it_holds_at_least_400_phrases(shipped: Lexicon) -> None:
    assert sum(entry.kind == "phrase" for entry in shipped.entries.values()) >= 400


def test_the_longest_phrase_wins(shipped: Lexicon) -> None:
    assert found(shipped, "你不要说了") == ["不要说了"]
    assert found(shipped, "是不是骗子") != ["骗子"]


def test_single_characters_count_only_as_words(shipped: Lexicon) -> None:
    assert "行" not in found(shipped, "你是银行的吗")
    assert "烦" not in found(shipped, "麻烦你")
    assert found(shipped, "烦") == ["烦"]


def test_a_negator_turns_a_phrase(shipped: Lexicon) -> None:
    plain, turned = shipped.matches("生气")[0], shipped.matches("我没生气")[0]
    assert fusion.negative(plain.distribution) > 0.9
    assert turned.negated
    assert turned.distribution.top() == EmotionLabel.CALM


def test_punctuation_ends_a_negation(shipped: Lexicon) -> None:
    assert not shipped.matches("不，生气")[0].negated


def test_a_refusal_said_twice_stays_a_refusal(shipped: Lexicon) -> None:
    assert not any(match.negated for match in shipped.matches("不不需要"))


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        ("不要说了,phrase,0,0.4,0,0.9,0,0.9,,,me", "sum to 1.3"),
        ("不要说了,phrase,0,0.4,0,x,0,0.9,,,me", "annoyed is 'x', not a number"),
        ("不要说了,phrase,0,nan,0,0.6,0,0.9,,,me", "calm is nan"),
        ("不要说了,word,0,0.4,0,0.6,0,0.9,,,me", "kind is 'word'"),
        ("不要说了,phrase,0,0.4,0,0.6,0,9,,,me", "intensity is 9"),
        ("不要说了,phrase,0,0.4,0,0.6,0,0.9,cross,,me", "negated is 'cross'"),
        ("不要说了,phrase,0,0.4,0,0.6,0,0.9,,,", "source is empty"),
        (" ,phrase,0,0.4,0,0.6,0,0.9,,,me", "phrase is empty"),
        (GOOD.replace("0.6", "0.60"), "stands in line 2 already"),
    ],
)
def test_a_bad_line_is_named(row: str, complaint: str) -> None:
    with pytest.raises(DataError) as error:
        lexicon.parse(f"{HEADER}\n{GOOD}\n{row}\n", "my.csv")
    assert "my.csv: line 3" in str(error.value)
    assert complaint in str(error.value)
    assert error.value.hint


def test_missing_columns_and_empty_files_are_named() -> None:
    with pytest.raises(DataError, match="columns missing: kind"):
        lexicon.parse("phrase\n不要\n", "my.csv")
    with pytest.raises(DataError, match="no phrases"):
        lexicon.parse(HEADER + "\n", "my.csv")


def test_a_bad_file_is_not_published(tmp_path: Path) -> None:
    source = tmp_path / "edited.csv"
    source.write_text(f"{HEADER}\n{GOOD},1\n", "utf-8")
    with pytest.raises(DataError, match="line 2"):
        lexicon.publish(source, tmp_path / "2")
    assert not (tmp_path / "2").exists()


def test_an_edited_file_is_published_as_a_new_version(tmp_path: Path) -> None:
    source = tmp_path / "edited.csv"
    source.write_text("\ufeff" + f"{HEADER}\n{GOOD}\n", "utf-8")  # as a spreadsheet saves it
    lexicon.publish(source, tmp_path / "lexicon" / "2")
    words = lexicon.load(models.find((tmp_path,), "lexicon"))
    assert words.version == "lexicon-2"
    assert found(words, "不要说了") == ["不要说了"]


def test_a_tampered_file_is_refused(tmp_path: Path) -> None:
    source = tmp_path / "edited.csv"
    source.write_text(f"{HEADER}\n{GOOD}\n", "utf-8")
    lexicon.publish(source, tmp_path / "2")
    (tmp_path / "2" / lexicon.PHRASES).write_text("x", "utf-8")
    with pytest.raises(ModelError, match="corrupt"):
        lexicon.load(tmp_path / "2")


def test_a_relative_s_telephone_is_no_abuse(shipped: Lexicon) -> None:
    assert "妈的" not in found(shipped, "我妈的手机她不在家")
    assert "妈的" in found(shipped, "妈的又来")
