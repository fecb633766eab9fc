"""The ranker that needs no training: nearest example utterances of the playbook (kNN)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from voicebot.domain.dialogue import Candidate, DialogueState
from voicebot.domain.script import Playbook
from voicebot.domain.understanding import Understanding
from voicebot.ranker.calibration import fit_temperature, probabilities
from voicebot.ranker.ngrams import Matrix, NgramIndex, normalise

Scores = NDArray[np.float64]

SUPPORT = 0.25  # weight of the mean of a script's three nearest examples beside its nearest
_KEPT = 4  # playbooks in memory: running calls keep their version
_JUDGED = 400  # examples on which the temperature is fitted, evenly spread
_NOBODY = -1


class ExampleRanker:
    """Ranks scripts by the playbook's example utterances most like what was said.

    Likeness is the mean cosine of TF-IDF n-grams of characters and of toneless syllables, so
    that a homophone slip of the recogniser costs little. A script's score is its nearest example
    plus a share of the mean of its three nearest. Scores become probabilities by a softmax whose
    temperature is fitted on the playbook itself: each example is ranked with itself left out, and
    once more, as a text that nothing answers, with its whole script left out.
    Deterministic and thread-safe.
    """

    version = "examples-knn-1"

    def __init__(self) -> None:
        """Make a ranker; a playbook is indexed when it is first seen."""
        self._lock = Lock()
        self._indexes: OrderedDict[tuple[str, str], ExampleIndex] = OrderedDict()

    def prepare(self, playbook: Playbook) -> ExampleIndex:
        """Return the playbook's index, building it first if need be."""
        key = (playbook.id, playbook.version)
        with self._lock:
            if key not in self._indexes:
                self._indexes[key] = ExampleIndex.of(playbook)
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
        chances = probabilities(members["knn"][rows], index.temperature)
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
    seats: NDArray[np.int64]  # (scripts, most examples): the examples of each script, then NOBODY
    temperature: float
    place: Mapping[str, int]  # script id -> its row in seats

    @classmethod
    def of(cls, playbook: Playbook) -> ExampleIndex:
        """Index a playbook's examples and fit the temperature with examples left out."""
        pairs = [
            (place, example)
            for place, script in enumerate(playbook.scripts.values())
            for example in script.examples
            if normalise(example)
        ]
        owner = np.array([place for place, _ in pairs], np.int64)
        spoken = [example for _, example in pairs]
        texts = NgramIndex(spoken)
        seats = _seats(owner, len(playbook.scripts))
        judged = np.unique(np.linspace(0, len(pairs) - 1, min(len(pairs), _JUDGED)).astype(np.int64))
        alike = texts.similarity([spoken[i] for i in judged])
        alike[np.arange(len(judged)), judged] = 0.0
        scores = _pool(alike, seats)
        # with all examples of its own script left out, an example is a text that nothing answers
        strange = scores.copy()
        strange[np.arange(len(judged)), owner[judged]] = 0.0
        temperature = fit_temperature(scores, owner[judged], strange)
        return cls(texts, seats, temperature, {script: i for i, script in enumerate(playbook.scripts)})

    def score(self, text: str) -> dict[str, Scores]:
        """Return per member and script how well its examples fit: chars, pinyin and both (knn)."""
        chars, sounds = self.texts.compare([text])
        views = {"chars": chars, "pinyin": sounds, "knn": self.texts.mix(chars, sounds)}
        return {name: _pool(view, self.seats)[0] for name, view in views.items()}


def _seats(owner: NDArray[np.int64], scripts: int) -> NDArray[np.int64]:
    counts = np.bincount(owner, minlength=scripts)
    seats = np.full((scripts, max(3, int(counts.max(initial=0)))), _NOBODY, np.int64)
    for script in range(scripts):
        seats[script, : counts[script]] = np.flatnonzero(owner == script)
    return seats


def _pool(alike: Matrix, seats: NDArray[np.int64]) -> Scores:
    """Pool likenesses (texts, examples) into scores (texts, scripts)."""
    nobody = np.zeros((len(alike), 1), np.float32)
    own = np.concatenate((alike, nobody), axis=1)[:, seats]  # _NOBODY takes the last column
    nearest = -np.partition(-own, 2, axis=2)[:, :, :3].astype(np.float64)
    scores: Scores = nearest.max(axis=2) + SUPPORT * nearest.mean(axis=2)
    return scores
