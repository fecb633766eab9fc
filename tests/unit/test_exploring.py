"""Exploration in calls: only where it is harmless, in a bounded share, with every chance known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.conversation import Conversation, consumer_loan
from voicebot.dialogue.policy import RulePolicy
from voicebot.domain.dialogue import Candidate, Decision
from voicebot.domain.emotion import EmotionLabel
from voicebot.domain.errors import ModelError
from voicebot.domain.script import Playbook
from voicebot.ranker.exploration import MOST_EXPLORED
from voicebot.ranker.explorer import FILE, LOOK_EVERY_S, Bandit, BanditExplorer, Tried

pytestmark = pytest.mark.unit

ASKED = "这个利息是怎么算的呢"


class Always:
    """An explorer that takes the last of the shown."""

    def __init__(self) -> None:
        self.shown: list[list[tuple[str, float]]] = []

    def explore(
        self, playbook_id: str, shown: Sequence[tuple[str, float]], seed: int
    ) -> tuple[int, tuple[float, ...]]:
        self.shown.append(list(shown))
        return len(shown) - 1, (0.9, *[0.1 / (len(shown) - 1)] * (len(shown) - 1))


def answers(*acts: str, playbook: Playbook | None = None) -> list[str]:
    """Scripts of the loan playbook that answer questions, as good as one another."""
    book = playbook or consumer_loan()
    found = [key for key, script in book.scripts.items() if script.act == "answer" and not script.needs]
    return found[:3]


def decide(
    *,
    emotion: EmotionLabel = EmotionLabel.CALM,
    playbook: Playbook | None = None,
    candidates: Sequence[Candidate] | None = None,
    said: str = ASKED,
) -> tuple[Decision, Always]:
    call = Conversation(playbook=playbook)
    call.says("方便，你说吧")
    explorer = Always()
    call.policy = RulePolicy(explorer=explorer)
    given = candidates or [Candidate(key, 0.3) for key in answers()]
    return call.says(said, emotion, candidates=given), explorer


def test_another_good_candidate_may_be_said_and_its_chance_is_kept() -> None:
    decision, explorer = decide()
    assert [script for script, _ in explorer.shown[0]] == sorted(answers())
    assert sum(share for _, share in explorer.shown[0]) == pytest.approx(1)
    assert decision.script_id == explorer.shown[0][-1][0]
    assert decision.propensity == pytest.approx(0.05)
    assert [one.script_id for one in decision.shown] == [script for script, _ in explorer.shown[0]]
    assert "探索" in decision.reasons[1]


def test_a_candidate_that_fits_much_worse_is_never_said() -> None:
    first, second, third = answers()
    decision, explorer = decide(
        candidates=[Candidate(first, 0.6), Candidate(second, 0.2), Candidate(third, 0.2)]
    )
    assert (decision.script_id, decision.propensity, explorer.shown) == (first, 1.0, [])


def test_an_annoyed_customer_is_not_experimented_with() -> None:
    decision, explorer = decide(emotion=EmotionLabel.ANNOYED)
    assert (explorer.shown, decision.shown) == ([], ())


def test_a_protected_scene_is_not_explored() -> None:
    book = consumer_loan()
    shut = replace(book, scenes={key: replace(one, protected=True) for key, one in book.scenes.items()})
    decision, explorer = decide(playbook=shut)
    assert (explorer.shown, decision.shown) == ([], ())


def test_what_a_rule_decides_is_not_explored() -> None:
    decision, explorer = decide(said="你是不是机器人")
    assert (explorer.shown, decision.propensity) == ([], 1.0)


def test_the_share_holds_and_the_chances_are_those_of_what_happens() -> None:
    explorer = BanditExplorer(0.2, dict)
    shown = [("a", 0.5), ("b", 0.3), ("c", 0.2)]
    counts: Counter[int] = Counter()
    for seed in range(4000):
        index, chances = explorer.explore("loan", shown, seed)
        counts[index] += 1
        assert explorer.explore("loan", shown, seed) == (index, chances)
    assert sum(chances) == pytest.approx(1)
    assert 1 - chances[0] <= MOST_EXPLORED
    for place, chance in enumerate(chances):
        assert counts[place] / 4000 == pytest.approx(chance, abs=0.02)


def liked(bandit: Bandit, script: str) -> None:
    shown = (("a", 0.5), ("b", 0.3), ("c", 0.2))
    for name, _ in shown:
        bandit.learn([Tried(shown, name, 80.0 if name == script else 30.0, 1.0)] * 30)


def test_a_fitted_model_is_curious_about_what_was_liked_and_is_taken_up_when_it_is_there(
    tmp_path: Path,
) -> None:
    now, places = [0.0], dict[str, Path]()
    explorer = BanditExplorer(0.2, lambda: places, lambda: now[0])
    shown = [("a", 0.5), ("b", 0.3), ("c", 0.2)]
    before = explorer.explore("loan", shown, 1)[1]
    bandit = Bandit(("a", "b", "c"))
    liked(bandit, "c")
    bandit.save(tmp_path)
    places["loan"] = tmp_path
    assert explorer.explore("loan", shown, 1)[1] == before
    now[0] += LOOK_EVERY_S
    after = explorer.explore("loan", shown, 1)[1]
    assert after[2] > after[1]
    assert after[0] > 0.8
    assert explorer.explore("other", shown, 1)[1] == before


def test_a_damaged_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"rubbish")
    with pytest.raises(ModelError):
        Bandit.load(tmp_path)
    explorer = BanditExplorer(0.2, lambda: {"loan": tmp_path})
    assert explorer.explore("loan", [("a", 0.6), ("b", 0.4)], 1)[1] == pytest.approx((0.95, 0.05))


def test_decisions_about_which_nothing_is_believed_teach_nothing() -> None:
    bandit = Bandit(("a",))
    assert bandit.learn([Tried((("a", 1.0),), "a", 80, 0.0), Tried((("a", 1.0),), "x", 80, 1.0)]) == 0
