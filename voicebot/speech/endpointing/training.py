"""Fits the endpoint head to one half of the cases. The recipe and its figures: the card beside it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import compress
from math import log
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from voicebot.domain.audio import LINE_RATE_HZ
from voicebot.domain.errors import DataError
from voicebot.registry import models
from voicebot.speech.endpointing import cues
from voicebot.speech.endpointing.cases import matched
from voicebot.speech.endpointing.head import CODEC, GROUPS, NAME, WEIGHTS, EndpointHead, Linear
from voicebot.speech.endpointing.hearing import Heard
from voicebot.text.normalise import comparable

F64 = NDArray[np.float64]

JOINS = (
    ("embedding",),
    ("sound",),
    ("words",),
    ("embedding", "sound"),
    ("embedding", "words"),
    ("sound", "words"),
    GROUPS,
)
STRENGTH = 0.01  # C over 512 numbers of the encoder
JOIN_STRENGTH = 0.3
FOLDS = 5
FEWEST = 20  # of each class


@dataclass(frozen=True, slots=True)
class _Table:
    """Cues of all cases; scores of the embedding and the n-grams by models that did not see the case."""

    final: NDArray[np.bool_]
    weights: F64
    groups: Mapping[str, F64]


def fit(heard: Sequence[Heard], *, seed: int, true_text: bool = False) -> EndpointHead:
    """Return a head fitted to these cases."""
    table = _table(heard, seed, true_text)
    use = table.weights > 0
    joins = {
        "+".join(names): _join(np.hstack([table.groups[name] for name in names]), table, use)
        for names in JOINS
    }
    return EndpointHead(
        "unpublished",
        _embedding(_vectors(heard)[use], table.final[use], table.weights[use]),
        _ngrams([_text(one, true_text) for one in heard], table.final),
        joins,
    )


def held_out(heard: Sequence[Heard], *, seed: int, true_text: bool = False) -> dict[str, F64]:
    """Return scores of cases by heads fitted without their utterances, for each set of groups of cues."""
    scores = {"+".join(names): np.zeros(len(heard)) for names in JOINS}
    for train, test in _folds(heard, seed):
        head = fit([heard[i] for i in train], seed=seed, true_text=true_text)
        for names in JOINS:
            scores["+".join(names)][test] = scored(head, [heard[i] for i in test], names, true_text=true_text)
    return scores


def scored(
    head: EndpointHead, heard: Sequence[Heard], names: Sequence[str], *, true_text: bool = False
) -> F64:
    """Return the head's scores from the named groups of cues."""
    return np.array(
        [
            head.score(
                embedding=one.embedding if "embedding" in names else None,
                sound=one.sound if "sound" in names else None,
                text=_text(one, true_text) if "words" in names else None,
            )
            for one in heard
        ]
    )


def auc(scores: F64, heard: Sequence[Heard]) -> float:
    """Return the area under the curve, ends against pauses after equally long speech."""
    final = np.array([one.case.final for one in heard])
    weights = matched([one.case for one in heard])
    return float(roc_auc_score(final, scores, sample_weight=weights))


def plain_auc(scores: F64, heard: Sequence[Heard]) -> float:
    """Return the area under the curve without weights: of a set that is matched already."""
    return float(roc_auc_score(np.array([one.case.final for one in heard]), scores))


def train(heard: Sequence[Heard], out: Path, *, seed: int) -> models.Manifest:
    """Fit to the half that may be fitted to, judge on the other, and write weights, card and manifest."""
    mine = [one for one in heard if not one.case.judged]
    others = [one for one in heard if one.case.judged]
    head = fit(mine, seed=seed)
    own = held_out(mine, seed=seed)
    metrics = {"cases": float(len(mine)), "pauses": float(sum(not one.case.final for one in mine))}
    for key in ("embedding", "sound"):
        metrics[f"auc_{key}_fitted_half_held_out"] = auc(own[key], mine)
        if others:
            metrics[f"auc_{key}_other_half"] = auc(scored(head, others, (key,)), others)
    return publish(head, metrics, _card(out.name, metrics, seed), out)


def _card(version: str, metrics: Mapping[str, float], seed: int) -> str:
    figures = "\n".join(f"| {name} | {value:.3f} |" for name, value in metrics.items())
    return f"""# endpoint {version}

The chance that the customer has finished, at the first short pause (200 ms).

## Made from
Read Mandarin speech of AISHELL-1 (OpenSLR 33, Apache-2.0), one speaker, 300-3400 Hz, 8 kHz, A-law,
at levels of -32 to -22 dBov. Ends of utterances against natural inner pauses of at least 150 ms, both
continued with the clip's own background through the same cross-fade, weighed alike by length of speech
before. Utterances are halved by a hash of their name; only one half was fitted to. Seed {seed}.

## How
Logistic regression over the mean of the last 10 frames (200 ms) of whisper-base's encoder output: the
speculative decoding computes it anyway. Without it (other recognisers): seven numbers on how the last
syllables sound. Recognised words were tried and add nothing on this speech; what the bot asked for and
hanging words move the score by constants that are set by hand, not fitted.

## Figures
| figure | value |
|---|---|
{figures}

Delays and false cut-offs: `voicebot bench turns`.

## Limits
One speaker, read speech. Thresholds shift between speakers: watch the realised rate of cut-offs.
"""


def publish(head: EndpointHead, metrics: Mapping[str, float], card: str, out: Path) -> models.Manifest:
    """Write weights, card and manifest into <models>/endpoint/<version>."""
    out.mkdir(parents=True, exist_ok=True)
    raw = {
        "embedding": _raw(head.embedding),
        "ngrams": {key: round(value, 4) for key, value in sorted(head.ngrams.items())},
        "joins": {key: _raw(value) for key, value in head.joins.items()},
    }
    (out / WEIGHTS).write_text(json.dumps(raw, ensure_ascii=False, indent=1) + "\n", "utf-8")
    (out / "card.md").write_text(card, "utf-8")
    manifest = models.Manifest(
        NAME,
        out.name,
        {WEIGHTS: "", "card.md": ""},
        rate_hz=LINE_RATE_HZ,
        codec=CODEC,
        feature_version=cues.VERSION,
        metrics=dict(metrics),
    )
    return models.save(out, manifest)


def _table(heard: Sequence[Heard], seed: int, true_text: bool) -> _Table:
    final = np.array([one.case.final for one in heard])
    if min(final.sum(), (~final).sum()) < FEWEST:
        raise DataError(
            f"{int(final.sum())} ends and {int((~final).sum())} pauses of speech are too few to fit",
            hint=f"give recordings with at least {FEWEST} of each",
        )
    weights = matched([one.case for one in heard])
    vectors, texts = _vectors(heard), [_text(one, true_text) for one in heard]
    embedding = np.zeros((len(heard), 1))
    words = np.zeros((len(heard), len(cues.WORDS)))
    for train, test in _folds(heard, seed):
        use = train[weights[train] > 0]
        sound = _embedding(vectors[use], final[use], weights[use])
        ngrams = _ngrams([texts[i] for i in train], final[train])
        for i in test:
            embedding[i] = sound.logit(vectors[i])
            words[i] = cues.words(texts[i], ngrams)
    return _Table(
        final, weights, {"embedding": embedding, "sound": np.array([h.sound for h in heard]), "words": words}
    )


def _folds(heard: Sequence[Heard], seed: int) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    groups = [one.case.clip for one in heard]
    return list(GroupKFold(FOLDS, shuffle=True, random_state=seed).split(groups, groups=groups))


def _vectors(heard: Sequence[Heard]) -> F64:
    return np.array([one.embedding for one in heard], np.float64)


def _text(heard: Heard, true_text: bool) -> str:
    return heard.case.text if true_text else heard.text


def _embedding(vectors: F64, final: NDArray[np.bool_], weights: F64) -> Linear:
    return _linear(vectors, final, weights, STRENGTH)


def _join(inputs: F64, table: _Table, use: NDArray[np.bool_]) -> Linear:
    return _linear(inputs[use], table.final[use], table.weights[use], JOIN_STRENGTH)


def _linear(inputs: F64, final: NDArray[np.bool_], weights: F64, strength: float) -> Linear:
    """Fit on standardised inputs and return the model over raw ones."""
    model = make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=3000))
    model.fit(inputs, final, logisticregression__sample_weight=weights)
    scaler, inner = model[0], model[1]
    coef = inner.coef_[0] / scaler.scale_
    return Linear(tuple(coef.tolist()), float(inner.intercept_[0] - coef @ scaler.mean_))


def _ngrams(texts: Sequence[str], final: NDArray[np.bool_]) -> dict[str, float]:
    """Return log odds that a sentence ends in one or two characters, against going on after them."""
    sentences = [plain for text in compress(texts, final) if (plain := comparable(text))]
    ends: Counter[str] = Counter()
    inner: Counter[str] = Counter()
    for plain in sentences:
        ends.update({plain[-1:], plain[-2:]})
        for at in range(1, len(plain)):
            inner.update({plain[at - 1 : at], plain[max(0, at - 2) : at]})
    for plain in (comparable(text) for text in compress(texts, ~final)):
        inner.update({plain[-1:], plain[-2:]})
    total = sum(inner.values()) / max(1, sum(ends.values()))
    return {
        key: log((ends[key] + 0.5) * total / (inner[key] + 0.5 * total))
        for key in {*ends, *inner}
        if key and ends[key] + inner[key] >= 4
    }


def _raw(linear: Linear) -> dict[str, object]:
    return {"coef": [float(f"{value:.5g}") for value in linear.coef], "intercept": round(linear.intercept, 5)}
