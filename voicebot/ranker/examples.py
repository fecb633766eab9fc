"""The ranker that needs no training run: the playbook's example utterances most like what was said."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.lapack import spotrf, spotrs, strtrs

from voicebot.domain.dialogue import Candidate, DialogueState
from voicebot.domain.errors import ModelError
from voicebot.domain.script import Playbook
from voicebot.domain.understanding import Understanding
from voicebot.ranker.calibration import fit_temperature, probabilities
from voicebot.ranker.encoder import Encoder, NoEncoder
from voicebot.ranker.ngrams import NgramIndex, normalise
from voicebot.ranker.views import unit

Scores = NDArray[np.floating[Any]]
Seats = NDArray[np.int64]

SUPPORT = 1.0  # weight of the mean of a script's three nearest examples beside its nearest
RIDGE = 1.0
RIDGE_WEIGHT = 2.0  # of the regression beside the nearest examples
_SOLVED = 8000  # examples; beyond that the regression's system is too large to solve at start
_KEPT = 4  # playbooks in memory: running calls keep their version
_JUDGED = 400  # examples on which the temperature is fitted, evenly spread
_NOBODY = -1


class ExampleRanker:
    """Ranks scripts by the playbook's example utterances most like what was said.

    Likeness is the mean cosine of TF-IDF n-grams of characters and of toneless syllables, so that
    a homophone slip of the recogniser costs little; with an encoder, half of it is likeness of
    meaning. Two members read it: the nearest examples of a script (knn), and a kernel ridge
    regression from likeness to scripts (ridge). Their sum becomes probabilities by a softmax
    whose temperature is fitted on the playbook itself: each example is ranked with itself left
    out, and once more, as a text that nothing answers, with its whole script left out.
    Deterministic and thread-safe.
    """

    def __init__(self, encoder: Encoder | None = None, ridge: float = RIDGE_WEIGHT) -> None:
        """Make a ranker; a playbook is indexed when it is first seen.

        Args:
            encoder: with it choices are better, and every text costs its time: about 15 ms of
                CPU a decision, and as much an example when a playbook is indexed.
            ridge: weight of the regression; 0 = nearest examples alone.
        """
        self._ridge = ridge
        self._encoder = encoder or NoEncoder()
        self.version = "examples-1" + (f"+{self._encoder.name}" if self._encoder.name else "")
        self._lock = Lock()
        self._indexes: OrderedDict[tuple[str, str], ExampleIndex] = OrderedDict()

    def prepare(self, playbook: Playbook) -> ExampleIndex:
        """Return the playbook's index, building it first if need be."""
        key = (playbook.id, playbook.version)
        with self._lock:
            if key not in self._indexes:
                self._indexes[key] = ExampleIndex.of(playbook, self._encoder, self._ridge)
                self._encoder.keep()
                while len(self._indexes) > _KEPT:
                    self._indexes.popitem(last=False)
            self._indexes.move_to_end(key)
            return self._indexes[key]

    def rank(
        self,
        understanding: Understanding,
        state: DialogueState,
        playbook: Playbook,
        allowed: Sequence[str],
        k: int = 5,
    ) -> tuple[Candidate, ...]:
        """Return up to k of the allowed script ids, most probable first.

        Probabilities are over all allowed scripts, so those returned sum to at most 1. At least
        two are returned when two are allowed. When nothing was understood all are equally
        probable, the scene's default first.
        """
        ids = [script for script in dict.fromkeys(allowed) if script in playbook.scripts]
        if not ids:
            return ()
        index = self.prepare(playbook)
        members = index.score(understanding.transcript.text)
        rows = [index.place[script] for script in ids]
        chances = probabilities(index.fuse(members)[rows], index.temperature)
        return candidates(ids, chances, rows, members, state, playbook, k)


def candidates(
    ids: Sequence[str],
    chances: Scores,
    rows: Sequence[int],
    members: Mapping[str, Scores],
    state: DialogueState,
    playbook: Playbook,
    k: int,
) -> tuple[Candidate, ...]:
    """Return up to k candidates, two at least, most probable first; the scene's default wins a tie.

    Args:
        ids: the allowed scripts.
        chances: their probabilities.
        rows: where the members' scores of each stand.
        members: scores by member, for the record.
    """
    scene = playbook.scenes.get(state.scene)
    default = scene.default if scene else ""
    order = sorted(range(len(ids)), key=lambda i: (-chances[i], ids[i] != default, i))
    return tuple(
        Candidate(
            ids[i],
            float(chances[i]),
            {name: round(float(scores[rows[i]]), 4) for name, scores in members.items()},
        )
        for i in order[: max(k, 2)]
    )


@dataclass(frozen=True, slots=True)
class ExampleIndex:
    """The example utterances of one playbook, ready to be compared."""

    texts: NgramIndex
    encoder: Encoder
    mean: Scores  # of the examples' vectors of meaning
    meaning: Scores  # (examples, encoder size), centred unit rows
    owner: NDArray[np.int64]  # an example: the row of its script
    seats: Seats  # (scripts, most examples): the examples of each script, then _NOBODY
    ridge: Scores  # (examples, scripts) coefficients; no rows if there are too many to solve
    temperature: float
    place: Mapping[str, int]  # script id -> its row in seats
    weight: float  # of the regression beside the nearest examples

    @classmethod
    def of(cls, playbook: Playbook, encoder: Encoder, weight: float = RIDGE_WEIGHT) -> ExampleIndex:
        """Index a playbook's examples and fit the temperature with examples left out."""
        pairs = [
            (place, example)
            for place, script in enumerate(playbook.scripts.values())
            for example in script.examples
            if normalise(example)
        ]
        owner = np.array([place for place, _ in pairs], np.int64)
        spoken = [example for _, example in pairs]
        vectors = encoder.encode(spoken)
        mean = vectors.mean(axis=0) if spoken else np.zeros(encoder.size)
        texts = NgramIndex(spoken)
        meaning = unit(vectors - mean)
        seats = _seats(owner, len(playbook.scripts))
        judged = np.unique(np.linspace(0, len(pairs) - 1, min(len(pairs), _JUDGED)).astype(np.int64))
        nearest, ridge, regressed = _left_out(texts, meaning, spoken, owner, seats, judged)
        scores = np.asarray(nearest + weight * regressed)
        # with all examples of its own script left out, an example is a text that nothing answers
        strange = scores.copy()
        strange[np.arange(len(judged)), owner[judged]] = 0.0
        temperature = fit_temperature(scores, owner[judged], strange)
        place = {script: row for row, script in enumerate(playbook.scripts)}
        return cls(texts, encoder, mean, meaning, owner, seats, ridge, temperature, place, weight)

    def fuse(self, members: Mapping[str, Scores]) -> Scores:
        """Return the sum of the nearest examples and the regression."""
        return np.asarray(members["knn"] + self.weight * members["ridge"])

    def _nearest(self, alike: Scores) -> Scores:
        nearest = np.zeros(len(self.seats))
        if len(self.owner):
            first = np.flatnonzero(np.diff(self.owner, prepend=-1))  # examples stand together by script
            nearest[self.owner[first]] = np.maximum.reduceat(alike, first)
        return np.maximum(nearest, 0.0)

    def score(self, text: str) -> dict[str, Scores]:
        """Return each member's scores, one a script: how well the text fits its examples."""
        chars, sounds = self.texts.compare([text])
        views: dict[str, Scores] = {"chars": chars, "pinyin": sounds}
        if self.encoder.size:
            own = self.encoder.encode([text] if normalise(text) else [""])
            views["meaning"] = unit(np.where(own.any(), own - self.mean, 0)) @ self.meaning.T
        alike = _mix(self.texts.mix(chars, sounds), views.get("meaning"))
        found = {name: self._nearest(view[0]) for name, view in views.items()}
        found["knn"] = _pool(alike, self.seats)[0]
        found["ridge"] = (alike @ self.ridge)[0] if len(self.ridge) else np.zeros(len(self.seats))
        return found


def _mix(words: Scores, meaning: Scores | None) -> Scores:
    return words if meaning is None else np.asarray((words + meaning) / 2)


def _left_out(
    texts: NgramIndex,
    meaning: Scores,
    spoken: Sequence[str],
    owner: NDArray[np.int64],
    seats: Seats,
    judged: NDArray[np.int64],
) -> tuple[Scores, Scores, Scores]:
    """Return the judged examples' knn scores, the ridge's coefficients and the judged's ridge scores.

    Both kinds of scores are those that each example has when the rest is all there is; for the
    ridge by its closed form (Rifkin & Lippert 2007, "Notes on regularized least squares").
    """
    solved = len(spoken) <= _SOLVED
    rows = np.arange(len(spoken)) if solved else judged
    seen = meaning if meaning.shape[1] else None
    alike = _mix(texts.among(rows), None if seen is None else seen[rows] @ seen.T)
    ridge: Scores = np.zeros((0, len(seats)))
    regressed = np.zeros((len(judged), len(seats)))
    if solved and len(spoken):
        target = np.zeros((len(spoken), len(seats)))
        target[np.arange(len(spoken)), owner] = 1.0
        kernel = alike.astype(np.float32)
        kernel[np.diag_indices_from(kernel)] += RIDGE
        ridge, spread = _regression(kernel, target, judged)
        regressed = target[judged] - ridge[judged] / spread[:, None]
    own = (alike[judged] if solved else alike).copy()
    own[np.arange(len(judged)), judged] = 0.0
    return _pool(own, seats), ridge, regressed


def _regression(kernel: Scores, target: Scores, judged: NDArray[np.int64]) -> tuple[Scores, Scores]:
    """Return the solution of kernel @ x = target, and the judged part of the inverse's diagonal.

    The kernel is symmetric, positive definite and is written over. With thousands of examples this is most of
    what a start waits for; Cholesky's factor and as few columns of its inverse as are needed take a third of
    the time of the inverse.
    """
    chosen = np.zeros((len(kernel), len(judged)), np.float32)
    chosen[judged, np.arange(len(judged))] = 1.0
    factor, failed = spotrf(kernel.T, lower=True, overwrite_a=True)
    if failed:
        raise ModelError("the playbook's examples can not be told apart (their likeness is no kernel)")
    half, _ = strtrs(factor, chosen, lower=True)
    solved, _ = spotrs(factor, target.astype(np.float32), lower=True)
    return solved, np.asarray((half * half).sum(axis=0))


def _seats(owner: NDArray[np.int64], scripts: int) -> Seats:
    counts = np.bincount(owner, minlength=scripts)
    seats = np.full((scripts, max(3, int(counts.max(initial=0)))), _NOBODY, np.int64)
    for script in range(scripts):
        seats[script, : counts[script]] = np.flatnonzero(owner == script)
    return seats


def _pool(alike: Scores, seats: Seats) -> Scores:
    """Pool likenesses (texts, examples) into scores (texts, scripts)."""
    nobody = np.zeros((len(alike), 1), np.float32)
    own = np.concatenate((alike, nobody), axis=1)[:, seats]  # _NOBODY takes the last column
    nearest = -np.partition(-own, 2, axis=2)[:, :, :3].astype(np.float64)
    scores: Scores = nearest.max(axis=2) + SUPPORT * nearest.mean(axis=2)
    return scores
