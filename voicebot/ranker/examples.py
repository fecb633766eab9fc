"""The ranker that needs no training: nearest example utterances of the playbook (kNN)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from voicebot.domain.dialogue import Candidate, DialogueState
from voicebot.domain.script import Playbook
from voicebot.domain.understanding import Understanding
from voicebot.ranker.calibration import fit_temperature, probabilities
from voicebot.ranker.ngrams import NgramIndex, normalise

Scores = NDArray[np.float64]

SUPPORT = 0.25  # weight of the mean of a script's three nearest examples beside its nearest
_KEPT = 4  # playbooks in memory: running calls keep their version


class ExampleRanker:
    """Ranks scripts by the playbook's example utterances most like what was said.

    Likeness is the mean cosine of TF-IDF n-grams of characters and of toneless syllables, so
    that a homophone slip of the recogniser costs little. A script's score is its nearest example
    plus a share of the mean of its three nearest. Scores become probabilities by a softmax whose
    temperature is fitted on the playbook itself: each example is ranked with itself left out, and
    once more, as a text that nothing answers, with its whole script left out. Deterministic and thread-safe.
    """

    version = "examples-knn-1"

    def __init__(self) -> None:
        """Make a ranker; a playbook is indexed when it is first seen (tens of milliseconds)."""
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

    scripts: tuple[str, ...]
    owner: NDArray[np.int64]  # per example: its script's place
    texts: NgramIndex
    temperature: float
    place: Mapping[str, int] = field(default_factory=dict)  # script id -> its place

    @classmethod
    def of(cls, playbook: Playbook) -> ExampleIndex:
        """Index a playbook's examples and fit the temperature with each example left out."""
        scripts = tuple(playbook.scripts)
        pairs = [
            (place, example)
            for place, script in enumerate(scripts)
            for example in playbook.scripts[script].examples
            if normalise(example)
        ]
        owner = np.array([place for place, _ in pairs], np.int64)
        texts = NgramIndex([example for _, example in pairs])
        alike = texts.similarity([example for _, example in pairs]).astype(np.float64)
        np.fill_diagonal(alike, 0.0)
        scores = _per_script(alike, owner, len(scripts))
        # with all examples of its own script left out, an example is a text that nothing answers
        strange = scores.copy()
        strange[np.arange(len(owner)), owner] = 0.0
        return cls(
            scripts,
            owner,
            texts,
            fit_temperature(scores, owner, strange),
            {script: place for place, script in enumerate(scripts)},
        )

    def score(self, text: str) -> dict[str, Scores]:
        """Return per member and script how well its examples fit: chars, pinyin and both (knn)."""
        chars, sounds = self.texts.compare([text])
        views = {"chars": chars, "pinyin": sounds, "knn": self.texts.mix(chars, sounds)}
        return {
            name: _per_script(view.astype(np.float64), self.owner, len(self.scripts))[0]
            for name, view in views.items()
        }


def _per_script(alike: Scores, owner: NDArray[np.int64], scripts: int) -> Scores:
    """Pool similarities (texts, examples) into scores (texts, scripts); none is 0."""
    scores = np.zeros((len(alike), scripts))
    for script in np.unique(owner):
        own = -np.sort(-alike[:, owner == script], axis=1)
        scores[:, script] = own[:, 0] + SUPPORT * own[:, :3].mean(axis=1)
    return scores
