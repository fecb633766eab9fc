"""Models change their place, and calls go on with the new one from the next turn."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from voicebot.domain.dialogue import Candidate, DialogueState
from voicebot.domain.emotion import CALM, Emotion, EmotionLabel
from voicebot.domain.errors import ModelError
from voicebot.domain.script import Playbook
from voicebot.domain.speech import Transcript
from voicebot.domain.understanding import Understanding
from voicebot.learning.retrain import split
from voicebot.ranker.fresh import LOOK_EVERY_S, FreshRanker
from voicebot.registry import models, promotion
from voicebot.registry.models import Manifest
from voicebot.store.samples import StoredSample

pytestmark = pytest.mark.unit

UNDERSTOOD = Understanding(Transcript("好"), (), None, Emotion(EmotionLabel.CALM, CALM))
STATE = DialogueState("loan", "1", "opening")
BOOK = Playbook("loan", "1", "", "", "", {}, {}, "", "", (), (), "", "", "", "", "")


class Named:
    """A ranker that says who it is."""

    def __init__(self, version: str) -> None:
        self.version = version

    def rank(
        self,
        understanding: Understanding,
        state: DialogueState,
        playbook: Playbook,
        allowed: Sequence[str],
        k: int = 5,
    ) -> tuple[Candidate, ...]:
        return (Candidate(self.version, 1.0),)


def model(place: Path) -> Path:
    place.mkdir(parents=True)
    (place / "weights").write_text("w")
    models.save(place, Manifest("ranker", place.name, {"weights": ""}))
    return place


def test_a_promoted_ranker_is_taken_up_at_the_next_turn_and_a_broken_one_is_not() -> None:
    now, names = [0.0], ["1"]

    def load() -> Named:
        if names[-1] == "broken":
            raise ModelError
        return Named(names[-1])

    ranker = FreshRanker(lambda: names[-1], load, lambda: now[0])

    def turn() -> tuple[str, str]:
        chosen = ranker.rank(UNDERSTOOD, STATE, BOOK, ["x"])[0].script_id
        ranker.settle()
        return chosen, ranker.version

    assert turn() == ("1", "1")
    for name in ("2", "broken"):
        names.append(name)
        assert turn()[0] == ranker.version  # what a turn began with is what it is credited to
        now[0] += LOOK_EVERY_S
        turn()
        assert turn() == ("2", "2")


def test_a_candidate_becomes_live_and_is_taken_back(tmp_path: Path) -> None:
    roots = (tmp_path / "models", tmp_path / "shipped")
    model(tmp_path / "shipped" / "ranker" / "1")
    place = promotion.candidate_place(tmp_path, roots, "ranker")
    assert place.name == "2"
    model(place)
    assert promotion.candidates(tmp_path) == [place]
    assert models.find(roots, "ranker").name == "1"
    promotion.promote(tmp_path, "ranker", "2")
    assert models.find(roots, "ranker").name == "2"
    assert promotion.roll_back(tmp_path, "ranker").parent == tmp_path / "retired" / "ranker"
    assert models.find(roots, "ranker").name == "1"
    assert promotion.candidate_place(tmp_path, roots, "ranker").name == "3"
    with pytest.raises(ModelError, match="trained here"):
        promotion.roll_back(tmp_path, "ranker")


def test_a_damaged_candidate_is_not_promoted(tmp_path: Path) -> None:
    place = model(tmp_path / "candidates" / "ranker" / "2")
    (place / "weights").write_text("other")
    with pytest.raises(ModelError):
        promotion.promote(tmp_path, "ranker", "2")
    with pytest.raises(ModelError, match="no candidate"):
        promotion.promote(tmp_path, "ranker", "9")


def test_the_newest_conversations_are_held_out_whole() -> None:
    at = datetime(2026, 11, 25, tzinfo=UTC)
    samples = [
        StoredSample(
            f"call{call}",
            seq,
            "x",
            at + timedelta(hours=call),
            "loan",
            "好",
            "",
            "",
            "s",
            (),
            {},
            80,
            1,
            "grade",
        )
        for call in range(10)
        for seq in (1, 2)
    ]
    older, newest = split(samples)
    assert {one.call_id for one in newest} == {"call8", "call9"}
    assert len(older) == 16
