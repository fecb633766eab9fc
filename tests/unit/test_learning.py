"""Learning's pure cores: one score a decision, implicit signals, bounded exploration, honest estimates."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicebot.console.pages.learning import verdict_of
from voicebot.console.words import said
from voicebot.domain.call import Disposition, EndCause
from voicebot.domain.emotion import EmotionLabel
from voicebot.domain.intervals import settled
from voicebot.domain.people import FeedbackOrigin, SuggestionUse
from voicebot.domain.script import Action
from voicebot.learning.estimators import Logged, bootstrap_difference, estimates
from voicebot.learning.gather import hidden, samples_of
from voicebot.learning.implicit import Step, signals
from voicebot.learning.promote import compare
from voicebot.learning.scores import THRESHOLD, Judgement, Verdict, sample_weight, verdict
from voicebot.ranker.exploration import MOST_EXPLORED, LinearModel, choose, thompson
from voicebot.store.feedback import Feedback
from voicebot.store.samples import FinishedCall, JudgedTurn

pytestmark = pytest.mark.unit

AT = datetime(2026, 11, 25, tzinfo=UTC)
GRADE, CLICK, IMPLICIT = FeedbackOrigin.GRADE, FeedbackOrigin.SUGGESTION, FeedbackOrigin.IMPLICIT


def judged(
    origin: FeedbackOrigin,
    score: float,
    actor: str = "li",
    minutes: int = 0,
    weight: float = 1.0,
    better: str = "",
) -> Judgement:
    return Judgement(origin, actor, AT + timedelta(minutes=minutes), score, weight, better)


def test_a_persons_grade_outweighs_everything_else() -> None:
    found = verdict([judged(IMPLICIT, 80), judged(CLICK, 80), judged(GRADE, 20, better="busy_offer")])
    assert found == Verdict(20, 1.0, GRADE, "busy_offer")


def test_of_one_person_the_newest_counts_and_several_are_averaged() -> None:
    found = verdict([judged(GRADE, 80), judged(GRADE, 20, minutes=5), judged(GRADE, 80, "wang")])
    assert found is not None
    assert found.score == 50


def test_nothing_said_is_no_verdict() -> None:
    assert verdict([]) is None


@pytest.mark.parametrize(("score", "weight"), [(80, 1.0), (70, 0.5), (60, 0.0), (50, -0.5), (20, -1.0)])
def test_a_sample_weighs_by_its_distance_from_the_threshold(score: float, weight: float) -> None:
    assert sample_weight(Verdict(score, 1.0, GRADE, "")) == weight
    assert sample_weight(Verdict(score, 0.3, IMPLICIT, "")) == pytest.approx(0.3 * weight)


def step(
    seq: int, emotion: EmotionLabel = EmotionLabel.CALM, script: str = "pitch", *, spoken: bool = True
) -> Step:
    return Step(seq, script, Action.SAY, emotion, spoken)


def test_what_follows_a_script_judges_it() -> None:
    steps = [step(1), step(2, EmotionLabel.ANNOYED), step(3, EmotionLabel.INTERESTED), step(4, script="")]
    found = signals(steps, EndCause.CUSTOMER_HUNG_UP, Disposition.REFUSED)
    assert [(one.seq, one.name) for one in found] == [(1, "soured"), (2, "warmed"), (3, "went_on")]
    (last,) = signals([step(1)], EndCause.CUSTOMER_HUNG_UP, Disposition.REFUSED)
    assert (last.name, last.score) == ("hung_up", 20)
    assert signals([step(1)], EndCause.BOT_HUNG_UP, Disposition.INTERESTED)[0].name == "reached"
    assert signals([step(1)], EndCause.BOT_HUNG_UP, Disposition.REFUSED) == []
    assert signals([], EndCause.NO_ANSWER, Disposition.NO_ANSWER) == []


def conducted(*, delivered: str | None, matches: str = "") -> FinishedCall:
    """A call in which a person answered a customer, beside the bot's proposal `pitch`."""
    turn = JudgedTurn(
        1,
        AT,
        "pitch",
        "浪花贷",
        "say",
        "利息多少",
        "speech",
        "calm",
        "opening",
        (),
        {},
        None,
        matches,
        delivered,
    )
    return FinishedCall("c", "loan", "customer_hung_up", "undecided", False, True, {}, {}, (turn,))


def clicked(script_id: str, use: SuggestionUse) -> Feedback:
    return Feedback("c", 1, AT, CLICK, "li", use.value, script_id, "", "", use.score, 0.5)


def weights(call: FinishedCall, *judged: Feedback) -> dict[str, float]:
    return {sample.script_id: sample.weight for sample in samples_of(call, judged, THRESHOLD)}


def test_what_a_person_really_said_becomes_the_sample_not_what_was_proposed() -> None:
    assert weights(conducted(delivered="年化四个点", matches="rate")) == {"rate": 0.5}
    assert weights(conducted(delivered="我说两句别的")) == {}
    assert weights(conducted(delivered="")) == {}
    assert weights(conducted(delivered=None)) == {}


def test_nothing_is_noticed_of_a_proposal_to_which_the_agent_was_silent() -> None:
    call = conducted(delivered="")
    (turn,) = call.turns
    assert (turn.said_script_id, turn.said_text) == ("", "")
    silent = replace(step(1), script_id=turn.said_script_id)
    assert [one.name for one in signals([step(1), step(2)], EndCause.NO_ANSWER, Disposition.UNDECIDED)]
    assert signals([silent, step(2)], EndCause.NO_ANSWER, Disposition.UNDECIDED) == []


def test_a_click_judges_the_script_that_was_clicked() -> None:
    call = conducted(delivered="年化四个点", matches="rate")
    used, dismissed = clicked("term", SuggestionUse.USED), clicked("pitch", SuggestionUse.DISMISSED)
    assert weights(call, used, dismissed) == {"term": 0.5, "pitch": -0.5, "rate": 0.5}
    assert weights(call, clicked("rate", SuggestionUse.DISMISSED)) == {"rate": -0.5}


def test_numbers_and_what_is_known_of_a_contact_are_hidden() -> None:
    assert hidden("我是张伟，电话幺三八零零一三八零零零", {"name": "张伟"}) == "我是{name}，电话＊＊＊＊"
    assert hidden("三千五百块", {"name": "李"}) == "三千五百块"


@given(st.integers(2, 8), st.floats(0, 1), st.integers(0, 2**31))
def test_exploration_stays_among_the_shown_and_within_its_share(shown: int, share: float, seed: int) -> None:
    features = np.random.default_rng(seed).normal(size=(shown, 4))
    model = LinearModel(4)
    choice = choose(model, features, np.random.default_rng(seed), share=share)
    assert 0 <= choice.index < shown
    assert 0 < choice.propensity <= 1
    again = choose(model, features, np.random.default_rng(seed), share=share)
    assert again == choice
    best = int(np.argmax(model.expected(features)))
    if choice.index == best:
        assert choice.propensity >= 1 - MOST_EXPLORED


def test_nothing_is_explored_where_it_is_protected() -> None:
    features = np.eye(3)
    for seed in range(50):
        choice = choose(LinearModel(3), features, np.random.default_rng(seed), protected=True)
        assert (choice.index, choice.propensity, choice.explored) == (0, 1.0, False)


def test_a_linear_model_learns_what_is_rewarded() -> None:
    chance, model = np.random.default_rng(1), LinearModel(3)
    truth = np.array([0.2, 0.5, -0.3])
    for _ in range(400):
        features = chance.normal(size=3)
        model.learn(features, float(features @ truth + chance.normal() * 0.1))
    assert model.mean == pytest.approx(truth, abs=0.05)
    shares = thompson(model, np.eye(3), chance)
    assert int(np.argmax(shares)) == 1
    assert shares.sum() == pytest.approx(1)


def test_an_ab_test_ends_only_when_it_is_sure() -> None:
    assert settled((30, 15), (100, 100)) is None
    assert settled((300, 150), (1000, 1000)) == 0
    assert settled((150, 300), (1000, 1000)) == 1


def test_an_ab_test_of_equals_is_hardly_ever_settled_though_looked_at_all_the_time() -> None:
    wrong = 0
    for seed in range(100):
        hits = np.random.default_rng(seed).random((2, 1500)) < 0.2
        sums = hits.cumsum(axis=1)
        wrong += any(
            settled((int(sums[0, n]), int(sums[1, n])), (n + 1, n + 1)) is not None
            for n in range(20, 1500, 20)
        )
    assert wrong <= 8  # 5 of 100 may be


def log_of(chance: np.random.Generator, count: int) -> tuple[Logged, float]:
    """Decisions of two scripts, logged at 0.8 and 0.2; the other policy always takes the second."""
    chosen = (chance.random(count) < 0.2).astype(float)
    means = np.where(chosen == 1, 0.7, 0.4)
    rewards = (chance.random(count) < means).astype(float)
    propensities = np.where(chosen == 1, 0.2, 0.8)
    expected = np.where(chosen == 1, 0.6, 0.4)  # a reward model that is a little wrong
    return Logged(rewards, propensities, chosen, expected, np.full(count, 0.6)), 0.7


def test_estimates_find_the_value_of_a_policy_that_never_ran() -> None:
    logged, truth = log_of(np.random.default_rng(3), 20_000)
    for estimate in estimates(logged):
        assert estimate.conclusive
        if estimate.name != "DM":  # which is only as good as its reward model
            assert estimate.value == pytest.approx(truth, abs=0.03)
            assert estimate.low < truth < estimate.high


def test_thin_data_are_refused() -> None:
    logged, _ = log_of(np.random.default_rng(3), 200)
    assert not any(estimate.conclusive for estimate in estimates(logged))


def test_a_bootstrap_tells_the_interval_of_a_difference() -> None:
    chance = np.random.default_rng(1)
    live = (chance.random(500) < 0.6).astype(float)
    mean, low, high = bootstrap_difference(live, live, chance)
    assert (mean, low, high) == (0, 0, 0)


def test_only_a_model_that_is_better_beyond_doubt_and_worse_nowhere_is_promoted() -> None:
    live = np.zeros(200)
    better = np.concatenate([np.ones(60), np.zeros(140)])
    everywhere = {"pitch": np.arange(200) < 100}
    assert compare(better, live, everywhere, 1).promote
    assert not compare(live, live, everywhere, 1).promote
    assert "50 are needed" in compare(better[:20], live[:20], {}, 1).why
    assert compare(live[:0], live[:0], {}, 1).why == "no cases; 50 are needed"
    spoiled = {"busy": np.arange(200) >= 160}
    live = np.concatenate([np.zeros(160), np.ones(40)])
    better = np.concatenate([np.ones(160), np.zeros(40)])
    assert compare(better, live, spoiled, 1).why == "worse in one scene or emotion"


def test_a_page_tells_in_its_language_why_a_candidate_is_better_or_not() -> None:
    """What the console words by the figures agrees with what the rule says in English."""
    zeros, better = np.zeros(200), np.concatenate([np.ones(60), np.zeros(140)])
    spoiled = np.concatenate([np.zeros(160), np.ones(40)])
    mended = np.concatenate([np.ones(160), np.zeros(40)])
    found = [
        compare(better, zeros, {}, 1),
        compare(better[:20], zeros[:20], {}, 1),
        compare(zeros[:0], zeros[:0], {}, 1),
        compare(zeros, zeros, {}, 1),
        compare(mended, spoiled, {"busy": np.arange(200) >= 160}, 1),
    ]
    said_by_page = [verdict_of(asdict(one)) for one in found]
    assert said_by_page == ["better", "few", "few", "same", "group"]
    for one, key in zip(found, said_by_page, strict=True):
        assert key == "few" or said(f"learning.why_{key}", "en") == one.why
