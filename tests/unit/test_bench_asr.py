"""The bench of recognition counts answers as a caller would feel them."""

from __future__ import annotations

from pathlib import Path

import pytest

from voicebot.bench import answer_list
from voicebot.bench.asr import Heard, _answers, _clips
from voicebot.domain.errors import DataError
from voicebot.domain.speech import Transcript

pytestmark = pytest.mark.unit


def heard(said: str, text: str, confidence: float = 0.9) -> Heard:
    return Heard(said, Transcript(text, confidence=confidence), 1.0, 0.1, 0.1)


def test_answers_are_right_wrong_or_asked_back() -> None:
    counted = _answers(
        [
            heard("可以", "好的。"),  # another word of the same meaning
            heard("不要", "可以"),
            heard("不用", "可以", 0.3),  # too unsure to be taken
            heard("明天", "明天的"),
            heard("教堂", "行"),
            heard("芝麻", "吃吗"),
        ]
    )
    assert counted == {
        "right_%": 25.0,
        "wrong_%": 25.0,
        "asked_back_%": 50.0,
        "off_list_accepted_%": 50.0,
        "no_as_yes": 1,
    }


def test_the_list_holds_a_hundred_answers_and_no_two_meanings_share_one() -> None:
    phrases = [phrase for group in answer_list.MEANINGS.values() for phrase in group]
    assert len(phrases) >= 100
    assert len(set(phrases)) == len(phrases)


def test_a_table_without_its_columns_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "transcripts.tsv").write_text("name\ttext\na\tb\n", "utf-8")
    with pytest.raises(DataError, match=r"transcripts\.tsv"):
        _clips(tmp_path, 1, 0)
