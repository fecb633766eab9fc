"""Learning from feedback: frozen, the method's positives only, ours; estimators; promotions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voicebot.bench import learning_stream as streams
from voicebot.bench.frame import Options, Result
from voicebot.bench.learning_picture import curve
from voicebot.bench.learning_stream import Field, Vector, World
from voicebot.learning.estimators import Logged, estimates
from voicebot.learning.promote import compare
from voicebot.learning.scores import THRESHOLD
from voicebot.ranker.exploration import MOST_EXPLORED, REWARD_SCALE, LinearModel, choose

DECISIONS = 3000
EVERY = 250  # decisions between two looks at the curve
SEEDS = 10
TRIALS = 20
POISONS = (0.1, 0.2, 0.3)
SYSTEMS = ("frozen", "positives only", "ours")


def run(options: Options) -> Result:
    """Simulate a stream of decisions with noisy feedback, seeds 1 to 10. Data: a file with train and dev.

    --set decisions=N (3000), seeds=N (10), trials=N (20), picture=FILE.svg.
    """
    pairs = streams.load(options.need_data("dialogue/crosswoz-dev.json or a file of its shape"))
    decisions = int(options.extra.get("decisions", DECISIONS))
    seeds = int(options.extra.get("seeds", SEEDS))
    trials = int(options.extra.get("trials", TRIALS))
    worlds = {
        seed: streams.world(pairs, seed) for seed in range(options.seed, options.seed + max(seeds, trials))
    }
    numbers = list(worlds)[:seeds]
    curves = {
        name: np.array([_curve(name, worlds[seed], decisions, seed) for seed in numbers]) for name in SYSTEMS
    }
    if picture := options.extra.get("picture"):
        looks = np.arange(curves["ours"].shape[1]) * EVERY
        Path(picture).write_text(curve(looks, curves), "utf-8")
    rows: list[Mapping[str, Any]] = [
        {"what": name, "right": float(found[:, -1].mean()), "±": _half(found[:, -1]), "seeds": seeds}
        for name, found in curves.items()
    ]
    ceiling = float(np.mean([worlds[seed].truth.right.max(axis=1).mean() for seed in numbers]))
    rows.append({"what": "best of the shown", "right": ceiling, "seeds": seeds})
    gain = 100 * (curves["ours"][:, -1] - curves["positives only"][:, -1])
    rows.append(
        {"what": "points over positives only", "right": float(gain.mean()), "±": _half(gain), "seeds": seeds}
    )
    rows += _estimators([worlds[seed] for seed in numbers], decisions)
    good, bad, promoted = _promotions([worlds[seed] for seed in list(worlds)[:trials]], decisions)
    rows += [
        {"what": f"clean feedback: better model promoted (of {trials})", "right": good},
        {"what": f"poisoned feedback: worse model promoted (of {trials})", "right": bad},
        {"what": f"poisoned feedback: better model promoted (of {trials})", "right": promoted},
    ]
    summary = {
        "points_over_positives_only": float(gain.mean()),
        "bad_promotions": bad,
        "good_promotions": good,
    }
    return Result(
        summary, rows, tuple(numbers), ("a right script shares the dialogue acts of the human's answer",)
    )


def _half(values: Vector) -> float:
    """Return half of the 95 % interval of a mean."""
    return 1.96 * float(values.std(ddof=1)) / len(values) ** 0.5 if len(values) > 1 else 0.0


def _value(field: Field, index: NDArray[np.int64]) -> float:
    return float(field.right[np.arange(len(index)), index].mean())


def _curve(name: str, world: World, decisions: int, seed: int) -> list[float]:
    """Return the share of right scripts on unseen contexts, every so many decisions."""
    found = []
    learner = LEARNERS[name](world, seed)
    for step in range(decisions + 1):
        if step % EVERY == 0:
            found.append(_value(world.truth, learner.best(world.truth)))
        learner.step()
    return found


class Frozen:
    """The first day's ranker for ever."""

    def __init__(self, world: World, seed: int, poison: float = 0.0) -> None:
        self._stream = world.stream
        self._chance = np.random.default_rng((seed, 7))
        self._poison = poison

    def best(self, field: Field) -> NDArray[np.int64]:
        """Return which of the shown is chosen in each context."""
        return np.zeros(len(field.base), np.int64)

    def step(self) -> None:
        """Decide once in the stream, and take the feedback."""

    def _draw(self) -> int:
        return int(self._chance.integers(len(self._stream.base)))

    def _score(self, at: int, index: int) -> float:
        return streams.feedback(float(self._stream.right[at, index]), self._chance, self._poison)


class PositivesOnly(Frozen):
    """The method's rule: a choice above the threshold joins the samples, the others are forgotten."""

    def __init__(self, world: World, seed: int, poison: float = 0.0) -> None:
        super().__init__(world, seed, poison)
        self._known: list[tuple[int, int]] = []  # context and script of each sample
        self._sure = world.stream.base.copy()  # what speaks for each shown script of the stream

    def best(self, field: Field) -> NDArray[np.int64]:
        """Return the script that the known pairs and the samples of alike contexts speak for."""
        sure = field.base.copy()
        for at, script in self._known:
            self._hear(field, sure, at, script)
        found: NDArray[np.int64] = np.argmax(sure, axis=1)
        return found

    def step(self) -> None:
        """Take the best; keep it if it was liked."""
        at = self._draw()
        index = int(np.argmax(self._sure[at]))
        if self._score(at, index) > THRESHOLD:
            script = int(self._stream.scripts[at, index])
            self._known.append((at, script))
            self._hear(self._stream, self._sure, at, script)

    def _hear(self, field: Field, sure: Vector, at: int, script: int) -> None:
        """Let one sample speak for its script wherever that is shown, as loud as the contexts are alike."""
        rows, places = np.nonzero(field.scripts == script)
        alike = field.vectors[rows] @ self._stream.vectors[at].T
        sure[rows, places] = np.maximum(sure[rows, places], np.asarray(alike.todense()).ravel())


class Ours(Frozen):
    """All scores count, bad ones too; a bounded share explores among the shown."""

    def __init__(self, world: World, seed: int, poison: float = 0.0) -> None:
        super().__init__(world, seed, poison)
        self.model = LinearModel(world.stream.features.shape[2])
        self.log: list[tuple[int, int, float, float]] = []  # context, index, propensity, reward

    def best(self, field: Field) -> NDArray[np.int64]:
        """Return what is expected to be liked most."""
        found: NDArray[np.int64] = np.argmax(field.features @ self.model.mean, axis=1)
        return found

    def step(self) -> None:
        """Choose, explore a little, and learn from whatever comes back."""
        at = self._draw()
        choice = choose(self.model, self._stream.features[at], self._chance, share=MOST_EXPLORED)
        reward = self._score(at, choice.index) / REWARD_SCALE
        self.model.learn(self._stream.features[at, choice.index], reward)
        self.log.append((at, choice.index, choice.propensity, reward))


LEARNERS: Mapping[str, Callable[..., Any]] = {"frozen": Frozen, "positives only": PositivesOnly, "ours": Ours}


def _trained(world: World, seed: int, decisions: int, poison: float) -> Ours:
    learner = Ours(world, seed, poison)
    for _ in range(decisions):
        learner.step()
    return learner


def _estimators(worlds: list[World], decisions: int) -> list[dict[str, Any]]:
    """Return each estimator's error about the greedy policy's value, from the second half of the log."""
    errors: dict[str, list[float]] = {}
    for seed, world in enumerate(worlds, 1):
        learner = _trained(world, seed, decisions // 2, 0.0)
        policy = learner.best(world.stream)
        # the model that is judged stays fixed while the log it is judged on grows
        guess = world.stream.features @ learner.model.mean
        learner.log.clear()
        for _ in range(decisions // 2):
            learner.step()
        at, index, propensity, reward = (np.array(column) for column in zip(*learner.log, strict=True))
        logged = Logged(
            reward,
            propensity,
            (policy[at] == index).astype(float),
            guess[at, index],
            guess[at, policy[at]],
        )
        right = world.stream.right[at, policy[at]]
        truth = float((right * streams.GOOD + (1 - right) * streams.BAD).mean()) / REWARD_SCALE
        for estimate in estimates(logged):
            errors.setdefault(estimate.name, []).append(estimate.value - truth)
    return [
        {"what": f"{name}: error against truth (RMSE)", "right": float(np.sqrt(np.mean(np.square(found))))}
        for name, found in errors.items()
    ]


def _liked(field: Field, chance: np.random.Generator, poison: float) -> Vector:
    """Return 1 where a shown script was graded above the threshold, as noisy and poisoned as the stream."""
    return np.array(
        [[float(streams.feedback(right, chance, poison) > THRESHOLD) for right in row] for row in field.right]
    )


def _promotions(worlds: list[World], decisions: int) -> tuple[int, int, int]:
    """Return better models promoted on clean feedback; worse ones, and better ones, on poisoned feedback."""
    good = bad = promoted = 0
    for number, world in enumerate(worlds):
        for poison in (0.0, POISONS[number % len(POISONS)]):
            # a poisoner's model sees little: that is when it does harm
            learner = _trained(world, 100 + number, decisions // (1 if poison == 0 else 6), poison)
            held = world.held_out
            liked = _liked(held, np.random.default_rng((number, 11)), poison)
            candidate = liked[np.arange(len(held.base)), learner.best(held)]
            verdict = compare(candidate, liked[:, 0], {}, number)
            better = _value(world.truth, learner.best(world.truth)) > float(world.truth.right[:, 0].mean())
            if poison == 0:
                good += verdict.promote and better
            else:
                bad += verdict.promote and not better
                promoted += verdict.promote and better
    return good, bad, promoted
