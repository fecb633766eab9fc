"""The simulated stream of the learning bench: contexts of human dialogues, a shortlist, noisy feedback.

A script is right in a context to the degree in which its dialogue acts are those of what the human answered.
Contexts never judged on make the stream; the split and all noise come from the seed.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer

from voicebot.domain.errors import DataError
from voicebot.ranker.ngrams import characters

Vector = NDArray[np.float64]

SHOWN = 5  # scripts of the shortlist, among which the policy chooses
KNOWN = 500  # pairs that the ranker of the first day knows
CONTEXT_SIZE, SCRIPT_SIZE = 40, 16  # of the vectors that a linear model crosses
GOOD, BAD = 80.0, 30.0  # mean feedback on a right and a wrong script
SPREAD = 12.0  # of a person's grades


@dataclass(frozen=True, slots=True)
class Field:
    """Contexts with their shortlists: n contexts, SHOWN scripts each."""

    features: NDArray[np.float64]  # n x SHOWN x size, for a linear model
    base: NDArray[np.float64]  # n x SHOWN: score of the first day's ranker, best first
    scripts: NDArray[np.int64]  # n x SHOWN: places in the bank
    vectors: csr_matrix  # n x terms, length 1: what a context says
    right: NDArray[np.float64]  # n x SHOWN: 0-1, how right a script is


@dataclass(frozen=True, slots=True)
class World:
    """One seed's split."""

    stream: Field
    held_out: Field  # promotion is judged on it
    truth: Field  # never seen by anybody but the bench


def load(path: Path) -> list[dict[str, Any]]:
    """Return the pairs of a file of the shape of the shared dialogue data. Raises DataError."""
    try:
        raw = json.loads(path.read_text("utf-8"))
        return [*raw["train"], *raw["dev"]]
    except (OSError, ValueError, KeyError) as wrong:
        raise DataError(
            f"{path} is no dialogue data ({wrong})", hint="a JSON file with train and dev"
        ) from wrong


def world(pairs: list[dict[str, Any]], seed: int) -> World:
    """Split by dialogue, fit the first day's ranker, and prepare the shortlists."""
    chance = np.random.default_rng(seed)
    dialogues = sorted({pair["did"] for pair in pairs})
    order = {name: place for place, name in enumerate(chance.permutation(dialogues))}
    pairs = sorted(pairs, key=lambda pair: (order[pair["did"]], pair["turn"]))
    known, rest = pairs[:KNOWN], pairs[KNOWN:]
    cut = len(rest) // 5
    bank = sorted({pair["reply"] for pair in known})
    acts = _acts(known, bank)
    weigh = TfidfVectorizer(analyzer=characters, sublinear_tf=True, min_df=2)
    known_vectors = weigh.fit_transform([_said(pair) for pair in known])
    project = TruncatedSVD(CONTEXT_SIZE, random_state=seed).fit(known_vectors)
    topics = TruncatedSVD(SCRIPT_SIZE, random_state=seed).fit_transform(weigh.transform(bank))
    owner = np.array([bank.index(pair["reply"]) for pair in known])

    def field(part: list[dict[str, Any]]) -> Field:
        vectors = weigh.transform([_said(pair) for pair in part])
        alike = (vectors @ known_vectors.T).toarray()
        scores = np.zeros((len(part), len(bank)))
        np.maximum.at(scores.T, owner, alike.T)
        scripts = np.argsort(-scores, axis=1)[:, :SHOWN]
        base = np.take_along_axis(scores, scripts, axis=1)
        right = np.array(
            [
                [_alike(acts[script], _key(pair)) for script in row]
                for pair, row in zip(part, scripts, strict=True)
            ]
        )
        crossed = _features(project.transform(vectors), topics[scripts], base)
        return Field(crossed, base, scripts, csr_matrix(vectors), right)

    return World(field(rest[2 * cut :]), field(rest[:cut]), field(rest[cut : 2 * cut]))


def feedback(right: float, chance: np.random.Generator, poison: float = 0.0) -> float:
    """Return a grade, 0-100, of a script; a poisoned share of grades says the opposite."""
    truly = chance.random() < right
    if chance.random() < poison:
        truly = not truly
    return float(np.clip(chance.normal(GOOD if truly else BAD, SPREAD), 0, 100))


def _said(pair: dict[str, Any]) -> str:
    return " ".join(text for _, text in pair["ctx"][-2:])


def _key(pair: dict[str, Any]) -> frozenset[tuple[str, ...]]:
    return frozenset(tuple(act) for act in pair["act"])


def _acts(known: list[dict[str, Any]], bank: list[str]) -> list[frozenset[tuple[str, ...]]]:
    counts: dict[str, Counter[frozenset[tuple[str, ...]]]] = {reply: Counter() for reply in bank}
    for pair in known:
        counts[pair["reply"]][_key(pair)] += 1
    return [counts[reply].most_common(1)[0][0] for reply in bank]


def _alike(first: frozenset[tuple[str, ...]], second: frozenset[tuple[str, ...]]) -> float:
    return len(first & second) / max(1, len(first | second))


def _features(contexts: Vector, scripts: Vector, base: Vector) -> Vector:
    """Return bias, score, place and the script's direction beside every product of it with the context's."""
    crossed = np.einsum("nc,nks->nkcs", contexts, scripts).reshape(*base.shape, -1)
    places = np.broadcast_to(1 / np.arange(1, SHOWN + 1), base.shape)
    plain = np.stack([np.ones_like(base), base, places], axis=2)
    both: Vector = np.concatenate([plain, 2 * scripts, 6 * crossed], axis=2)
    return both
