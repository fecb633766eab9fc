"""Trains the ranker for one playbook, and tells whether it is worth serving beside the examples alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from voicebot.domain.errors import DataError
from voicebot.domain.script import Playbook
from voicebot.ranker.calibration import fit_temperature, probabilities
from voicebot.ranker.encoder import E5Encoder, Encoder
from voicebot.ranker.examples import ExampleIndex, Scores
from voicebot.ranker.fusion import choose, fuse, ranks
from voicebot.ranker.history import examples
from voicebot.ranker.model import RankingModel
from voicebot.ranker.pairs import Pair
from voicebot.ranker.trained import VECTORS, Blend, certainty
from voicebot.ranker.training import CARD, Progress, Recipe, early_stop, fit_members, folds, has_torch
from voicebot.ranker.versions import NAME
from voicebot.registry import models

SHARES = (0.0, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0)
LEAST_EXAMPLES = 100  # below that nothing can be held out of a playbook

Ids = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Fold:
    """One fold's held-out pairs, scored by what the other pairs taught."""

    examples: Scores  # (pairs, scripts) log odds by the playbook's other examples
    members: dict[str, Scores]  # of the model
    certain: Scores  # (pairs, 1)
    right: Ids
    strange: Scores  # as `examples`, where the right script has no examples


@dataclass(frozen=True, slots=True)
class Verdict:
    """Cross-validated figures of both rankers, on the same held-out pairs."""

    figures: dict[str, float]
    wins: bool  # the model beside the examples is better by more than a standard error


def train(
    playbook: Playbook,
    samples: Sequence[Pair],
    encoder: Encoder,
    out: Path,
    recipe: Recipe,
    progress: Progress,
    others: Sequence[Playbook] = (),
) -> tuple[models.Manifest | None, Verdict]:
    """Train and judge; write <models>/ranker/<version> only if the model is worth serving.

    The vectors of the lines of `playbook` and `others` go with it, so that no start need encode them.

    Raises DataError if the playbook has too few examples.
    """
    known = examples(playbook)
    if len(known) < LEAST_EXAMPLES:
        raise DataError(
            f"playbook {playbook.id} has {len(known)} example lines",
            hint=f"the ranker wants {LEAST_EXAMPLES} or more to judge itself by",
        )
    pairs = [*known, *samples]
    if recipe.duals and not has_torch():
        progress("torch is absent: the dual encoders are left out (pip install 'voicebot[train]')")
        recipe = replace(recipe, duals=0)
    split = folds(pairs, recipe)
    recipe = early_stop(*split[0], encoder, recipe, progress)
    judged = [
        _fold(playbook, seen, held, encoder, recipe, step) for step, (seen, held) in _steps(split, progress)
    ]
    verdict = judge(judged)
    if not verdict.wins:
        return None, verdict
    progress("all pairs")
    weights = _weights(judged)
    model = replace(fit_members(pairs, encoder, recipe), weights=weights)
    blend = _blend(playbook.id, judged, weights, encoder.name)
    files = (*model.save(out), blend.save(out), *_vectors(encoder, (playbook, *others), out))
    figures = {"examples": float(len(known)), "samples": float(len(samples)), **verdict.figures}
    (out / CARD).write_text(_card(out.name, playbook, model, blend, figures, recipe), "utf-8")
    manifest = models.Manifest(NAME, out.name, dict.fromkeys((*files, CARD), ""), metrics=figures)
    return models.save(out, manifest), verdict


def _vectors(encoder: Encoder, books: Sequence[Playbook], out: Path) -> tuple[str, ...]:
    if not isinstance(encoder, E5Encoder):
        return ()
    scripts = [script for book in books for script in book.scripts.values()]
    lines = [line for script in scripts for line in (*script.examples, script.text)]
    encoder.write(out / VECTORS, lines)
    return (VECTORS,)


def judge(judged: Sequence[Fold]) -> Verdict:
    """Compare both rankers. Weights, share and temperature for a fold are chosen on the others."""
    alone, both, loss_alone, loss_both = [], [], [], []
    for place, fold in enumerate(judged):
        others = [one for number, one in enumerate(judged) if number != place]
        weights = _weights(others)
        chosen = _blend("", others, weights, encoder="")
        plain = _blend("", others, weights, encoder="", shares=(0.0,)).temperature
        blended = chosen.logits(fold.examples, fuse(fold.members, weights), fold.certain)
        alone.append(ranks(fold.examples, fold.right))
        both.append(ranks(blended, fold.right))
        loss_alone.append(_losses(fold.examples, fold.right, plain))
        loss_both.append(_losses(blended, fold.right, chosen.temperature))
    rank_alone, rank_both = np.concatenate(alone), np.concatenate(both)
    gain = (rank_both <= 1).astype(float) - (rank_alone <= 1)
    error = float(gain.std() / np.sqrt(len(gain)))
    figures = {
        "cv_pairs": float(len(gain)),
        "cv_r_at_1": float((rank_both <= 1).mean()),
        "cv_r_at_1_examples_alone": float((rank_alone <= 1).mean()),
        "cv_r_at_5": float((rank_both <= 5).mean()),
        "cv_r_at_5_examples_alone": float((rank_alone <= 5).mean()),
        "cv_mrr": float((1 / rank_both).mean()),
        "cv_mrr_examples_alone": float((1 / rank_alone).mean()),
        "cv_log_loss": float(np.concatenate(loss_both).mean()),
        "cv_log_loss_examples_alone": float(np.concatenate(loss_alone).mean()),
        "cv_gain": float(gain.mean()),
        "cv_gain_se": error,
    }
    calibrated = figures["cv_log_loss"] <= figures["cv_log_loss_examples_alone"]
    return Verdict(figures, figures["cv_gain"] > error and calibrated)


def _steps(
    split: Sequence[tuple[list[Pair], list[Pair]]], progress: Progress
) -> list[tuple[Callable[[], None], tuple[list[Pair], list[Pair]]]]:
    def told(number: int, seen: int, held: int) -> Callable[[], None]:
        return lambda: progress(f"fold {number} of {len(split)}: {seen} pairs, {held} held out")

    return [(told(n, len(seen), len(held)), (seen, held)) for n, (seen, held) in enumerate(split, 1)]


def _fold(
    playbook: Playbook,
    seen: list[Pair],
    held: list[Pair],
    encoder: Encoder,
    recipe: Recipe,
    tell: Callable[[], None],
) -> Fold:
    tell()
    # the examples' side loses the held-out lines too
    gone = {(pair.reply, pair.context.said) for pair in held}
    scripts = {
        key: replace(
            script, examples=tuple(line for line in script.examples if (script.text, line) not in gone)
        )
        for key, script in playbook.scripts.items()
    }
    index = ExampleIndex.of(replace(playbook, scripts=scripts), encoder)
    place = {script.text: row for row, script in reversed(list(enumerate(scripts.values())))}
    right = np.array([place[pair.reply] for pair in held], np.int64)
    logits = np.stack([index.fuse(index.score(pair.context.said)) for pair in held]) / index.temperature
    strange = logits.copy()
    strange[np.arange(len(held)), right] = 0.0
    model = fit_members(seen, encoder, recipe)
    bank = model.bank([script.text for script in scripts.values()])
    contexts = [pair.context for pair in held]
    members = model.score(contexts, bank, every=True)
    del members["fused"]
    return Fold(logits, members, certainty(model, contexts, members), right, strange)


def _weights(judged: Sequence[Fold]) -> dict[str, float]:
    return choose([(fold.members, fold.right) for fold in judged])


def _blend(
    playbook: str,
    judged: Sequence[Fold],
    weights: dict[str, float],
    encoder: str,
    shares: Sequence[float] | None = None,
) -> Blend:
    """Return the share and the temperature with the least log loss."""
    right = np.concatenate([fold.right for fold in judged])
    known = np.concatenate([fold.examples for fold in judged])
    strange = np.concatenate([fold.strange for fold in judged])
    model = np.concatenate([fuse(fold.members, weights) for fold in judged])
    sure = np.concatenate([fold.certain for fold in judged])
    certain = float(np.median(sure)) or 1.0
    best: tuple[float, Blend] | None = None
    for share in SHARES if shares is None else shares:
        trial = Blend(playbook, share, 1.0, certain, encoder)
        logits = trial.logits(known, model, sure)
        # a text that nothing answers: no good score for the right script by either
        lost = logits - known
        lost[np.arange(len(right)), right] = lost.min(axis=1)
        temperature = fit_temperature(logits, right, strange + lost)
        loss = float(_losses(logits, right, temperature).mean())
        if best is None or loss < best[0]:
            best = loss, replace(trial, temperature=temperature)
    assert best is not None
    return best[1]


def _losses(logits: Scores, right: Ids, temperature: float) -> Scores:
    return np.asarray(-np.log(probabilities(logits, temperature)[np.arange(len(right)), right]))


def _card(
    version: str,
    playbook: Playbook,
    model: RankingModel,
    blend: Blend,
    figures: dict[str, float],
    recipe: Recipe,
) -> str:
    lines = [
        f"# {NAME} {version}",
        "",
        f"Ranks the scripts of playbook {playbook.id} (trained on its version {playbook.version}) for the "
        "customer's utterance, the two turns before it, the scene, the emotion and the keywords. "
        "Served beside the ranker by examples; other playbooks are ranked by their examples alone.",
        "",
        f"- sentence encoder: {blend.encoder or 'none'}",
        f"- members and weights: {', '.join(f'{n} {w:g}' for n, w in model.weights.items())}",
        f"- share beside the examples {blend.share:g}, temperature {blend.temperature:.3g}",
        f"- seed {recipe.seed}, {recipe.folds} folds, {len(model.duals)} dual encoders",
        *(f"- {name}: {value:.3f}" for name, value in figures.items()),
        "",
        "The figures are of held-out examples and samples, ranked among all scripts of the playbook, with "
        "all choices made on the other folds. The dual encoders do not see scene, emotion and keywords.",
    ]
    return "\n".join(lines) + "\n"
