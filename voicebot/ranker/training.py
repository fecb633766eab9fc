"""Trains the ranker's model: members fitted, weights and temperature chosen by cross-validation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voicebot.domain.errors import DataError
from voicebot.ranker.calibration import fit_temperature
from voicebot.ranker.dual import EMBEDDED_TURNS, MEANING_GAIN, DualMember
from voicebot.ranker.encoder import Encoder
from voicebot.ranker.fusion import choose, fuse, ranks
from voicebot.ranker.head import Head
from voicebot.ranker.kernel import KernelMembers
from voicebot.ranker.model import RankingModel
from voicebot.ranker.pairs import Pair
from voicebot.ranker.versions import NAME
from voicebot.ranker.views import TURNS, ContextView, Lens, ScriptView
from voicebot.registry import models

Ids = NDArray[np.int64]
Progress = Callable[[str], None]

CARD = "card.md"
LEAST = 20  # pairs; below that nothing can be held out
MOST_PAST = 6000  # pairs that the kernel members weigh: their system and their file grow with its square
HEARD = 5.0  # lines of a playbook that one pair of a call counts for in the head


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to train. The defaults take some minutes of one core for five thousand pairs."""

    seed: int = 1
    folds: int = 3
    bank: int = 640  # scripts that a held-out pair is ranked among
    duals: int = 2  # dual encoders to average; 0 = none, and no torch
    dimensions: int = 192
    epochs: int = 14
    patience: int = 3  # epochs without better ranks of held-out pairs, then the dual encoders stop
    stop: int = 0  # epochs after which they stop; 0 = after all
    batch: int = 256
    rate: float = 2e-3
    drop: float = 0.3  # of features
    drop_terms: float = 0.2  # of n-grams
    decay: float = 1e-3


def has_torch() -> bool:
    """Whether the dual encoder can be trained here."""
    return find_spec("torch") is not None


def fit(
    pairs: Sequence[Pair], encoder: Encoder, recipe: Recipe, progress: Progress = lambda _: None
) -> tuple[RankingModel, dict[str, float]]:
    """Return a model of the pairs and its cross-validated figures.

    Weights and temperature are chosen on pairs of conversations that the members did not see.
    Without torch the dual encoders are left out. Raises DataError if the pairs are too few.
    """
    if len(pairs) < LEAST:
        raise DataError(f"{len(pairs)} pairs", hint=f"the ranker wants {LEAST} pairs or more to learn from")
    if recipe.duals and not has_torch():
        progress("torch is absent: the dual encoders are left out (pip install 'voicebot[train]')")
        recipe = replace(recipe, duals=0)
    judged = []
    split = folds(pairs, recipe)
    recipe = early_stop(*split[0], encoder, recipe, progress)
    for number, (seen, held) in enumerate(split, 1):
        progress(f"fold {number} of {recipe.folds}: {len(seen)} pairs, {len(held)} held out")
        members = fit_members(seen, encoder, recipe)
        texts, right = _bank(held, pairs, recipe)
        scores = members.score([pair.context for pair in held], members.bank(texts), every=True)
        del scores["fused"]
        judged.append((scores, right))
    weights = choose(judged)
    fused = [fuse(scores, weights) for scores, _ in judged]
    rank = np.concatenate([ranks(s, right) for s, (_, right) in zip(fused, judged, strict=True)])
    found = [fit_temperature(scores, right) for scores, (_, right) in zip(fused, judged, strict=True)]
    temperature = float(np.exp(np.mean(np.log(found))))
    progress("all pairs")
    model = replace(fit_members(pairs, encoder, recipe), weights=weights, temperature=temperature)
    figures = {
        "pairs": float(len(pairs)),
        "cv_r_at_1": float((rank <= 1).mean()),
        "cv_r_at_10": float((rank <= 10).mean()),
        "cv_mrr": float((1 / rank).mean()),
    }
    return model, figures


def fit_members(pairs: Sequence[Pair], encoder: Encoder, recipe: Recipe) -> RankingModel:
    """Return a model whose members are fitted and equally weighted."""
    lens = Lens.fit(pairs, encoder)
    contexts = lens.contexts([pair.context for pair in pairs])
    replies = lens.scripts([pair.reply for pair in pairs])
    trust = np.array([pair.weight for pair in pairs])
    heard = np.array([HEARD if pair.context.agent else 1.0 for pair in pairs])
    head = Head.fit(contexts, replies.texts, trust * heard)
    past = _past(pairs)
    kernel = KernelMembers.fit(
        contexts.rows(past), replies.rows(past), recipe.seed, None if (trust == 1).all() else trust[past]
    )
    # the dual encoders learn from what was right alone
    right = [row for row, pair in enumerate(pairs) if pair.weight > 0]
    duals = tuple(
        train_dual(
            lens, contexts.rows(right), replies.rows(right), replace(recipe, seed=recipe.seed + number)
        )
        for number in range(recipe.duals if has_torch() else 0)
    )
    members = (*kernel.maps, *(("dual",) if duals else ()), *(("head",) if head else ()))
    return RankingModel(lens, kernel, duals, dict.fromkeys(members, 1.0), 1.0, head)


def _past(pairs: Sequence[Pair]) -> list[int]:
    """Return which pairs the kernel members weigh: those of conversations first, then evenly spread."""
    if len(pairs) <= MOST_PAST:
        return list(range(len(pairs)))
    lone = [row for row, pair in enumerate(pairs) if not pair.context.agent]
    heard = [row for row, pair in enumerate(pairs) if pair.context.agent][-MOST_PAST:]
    spread = np.linspace(0, len(lone) - 1, MOST_PAST - len(heard)).astype(np.int64)
    return sorted({*heard, *(lone[place] for place in spread)})


def train(pairs: Sequence[Pair], encoder: Encoder, out: Path, recipe: Recipe, progress: Progress) -> Any:
    """Train, and write weights, card and manifest to <models>/ranker/<version>. Returns the manifest."""
    model, figures = fit(pairs, encoder, recipe, progress)
    files = model.save(out)
    (out / CARD).write_text(_card(out.name, model, figures, recipe), "utf-8")
    manifest = models.Manifest(NAME, out.name, dict.fromkeys((*files, CARD), ""), metrics=figures)
    return models.save(out, manifest)


def early_stop(
    seen: Sequence[Pair], held: Sequence[Pair], encoder: Encoder, recipe: Recipe, progress: Progress
) -> Recipe:
    """Return the recipe with the number of epochs that ranks held-out pairs best."""
    if not recipe.duals or not has_torch():
        return recipe
    lens = Lens.fit(seen, encoder)
    texts, right = _bank(held, (), recipe)
    scripts, contexts = lens.scripts(texts), lens.contexts([pair.context for pair in held])
    found: list[float] = []

    def enough(member: DualMember) -> bool:
        rank = ranks(member.score(contexts, member.bank(scripts)), right)
        found.append(float((1 / rank).mean()))
        return len(found) - 1 - int(np.argmax(found)) >= recipe.patience

    views = lens.contexts([pair.context for pair in seen]), lens.scripts([pair.reply for pair in seen])
    train_dual(lens, *views, recipe, enough)
    best = int(np.argmax(found)) + 1
    progress(f"dual encoders: {best} of {recipe.epochs} epochs are enough")
    return replace(recipe, stop=best)


def folds(pairs: Sequence[Pair], recipe: Recipe) -> list[tuple[list[Pair], list[Pair]]]:
    """Return (seen, held out) per fold; conversations are never split, wrong choices never held out."""
    # a pair without a conversation is one of its own
    names = [pair.conversation or f"\0{place}" for place, pair in enumerate(pairs)]
    order = sorted(set(names))
    np.random.default_rng(recipe.seed).shuffle(order)
    fold = {name: place % recipe.folds for place, name in enumerate(order)}
    split = []
    for number in range(recipe.folds):
        seen = [pair for pair, name in zip(pairs, names, strict=True) if fold[name] != number]
        own = (pair for pair, name in zip(pairs, names, strict=True) if fold[name] == number)
        held = [pair for pair in own if pair.weight > 0]
        split.append((seen, held))
    return split


def _bank(held: Sequence[Pair], pairs: Sequence[Pair], recipe: Recipe) -> tuple[list[str], Ids]:
    right = sorted({pair.reply for pair in held})
    others = sorted({pair.reply for pair in pairs} - set(right))
    np.random.default_rng(recipe.seed).shuffle(others)
    texts = right + others[: max(recipe.bank - len(right), 0)]
    place = {text: number for number, text in enumerate(texts)}
    return texts, np.array([place[pair.reply] for pair in held], np.int64)


def train_dual(
    lens: Lens,
    contexts: ContextView,
    replies: ScriptView,
    recipe: Recipe,
    enough: Callable[[DualMember], bool] = lambda _: False,
) -> DualMember:
    """Train one dual encoder with torch: cross-entropy of the right reply among a batch's replies.

    (van den Oord et al. 2018, "Contrastive predictive coding"; equal replies are one choice.)
    `enough` is asked after every epoch whether to stop.
    """
    import torch
    from torch.nn import functional

    torch.manual_seed(recipe.seed)
    torch.set_num_threads(1)
    random = np.random.default_rng(recipe.seed)
    distinct, target = np.unique(np.array(replies.texts), return_inverse=True)
    first = {text: row for row, text in reversed(list(enumerate(replies.texts)))}
    rows = [first[str(text)] for text in distinct]
    script_bags = [replies.bags[row] for row in rows]
    script_meaning = torch.tensor(replies.meaning[rows])
    turn_meaning = [torch.tensor(meaning) for meaning in contexts.meaning]
    wide = len(lens.script_terms) + len(lens.slot_terms)
    net = _net(torch, len(lens.context_terms), wide, turn_meaning[0].shape[1], recipe)
    best = torch.optim.AdamW(net.values(), lr=recipe.rate, weight_decay=recipe.decay)
    scale = net["scale"]

    def bag(table: Any, bags: Sequence[Sequence[int]]) -> Any:
        kept = [[place for place in one if random.random() > recipe.drop_terms] for one in bags]
        ends = np.cumsum([0, *map(len, kept)])[:-1]
        flat = torch.tensor([place for one in kept for place in one], dtype=torch.long)
        total = functional.embedding_bag(flat, table, torch.tensor(ends, dtype=torch.long), mode="sum")
        sizes = torch.tensor([max(len(one), 1) for one in kept], dtype=torch.float32)
        return total / sizes.sqrt()[:, None]

    def drop(values: Any) -> Any:
        return functional.dropout(values, recipe.drop)

    for epoch in range(recipe.stop or recipe.epochs):
        for group in best.param_groups:
            group["lr"] = recipe.rate * (1.05 - epoch / recipe.epochs)
        order = random.permutation(len(target))
        for start in range(0, len(order), recipe.batch):
            batch = order[start : start + recipe.batch]
            choices, right = np.unique(target[batch], return_inverse=True)
            place = sum(
                MEANING_GAIN * drop(turn_meaning[turn][batch]) @ net[f"meaning_{turn}"]
                for turn in range(TURNS)
            )
            for turn in range(EMBEDDED_TURNS):
                place = place + bag(net[f"terms_{turn}"], [contexts.bags[turn][row] for row in batch])
            reply = MEANING_GAIN * drop(script_meaning[choices]) @ net["script_meaning"]
            reply = reply + bag(net["script_terms"], [script_bags[choice] for choice in choices])
            near = functional.normalize(drop(place)) @ functional.normalize(drop(reply)).T
            loss = functional.cross_entropy(near * scale.exp(), torch.tensor(right))
            best.zero_grad()
            loss.backward()
            best.step()
        if enough(_member(net)):
            break
    return _member(net)


def _member(net: dict[str, Any]) -> DualMember:
    done = {name: value.detach().numpy().copy() for name, value in net.items()}
    return DualMember(
        tuple(done[f"terms_{turn}"] for turn in range(EMBEDDED_TURNS)),
        tuple(done[f"meaning_{turn}"] for turn in range(TURNS)),
        done["script_terms"],
        done["script_meaning"],
    )


def _net(torch: Any, context_terms: int, script_terms: int, meaning: int, recipe: Recipe) -> dict[str, Any]:
    def table(rows: int, spread: float) -> Any:
        return torch.nn.Parameter(torch.randn(rows, recipe.dimensions) * spread)

    reading = 1 / np.sqrt(3 * max(meaning, 1))
    net = {f"terms_{turn}": table(context_terms, 0.05) for turn in range(EMBEDDED_TURNS)}
    net |= {f"meaning_{turn}": table(meaning, reading) for turn in range(TURNS)}
    net |= {"script_terms": table(script_terms, 0.05), "script_meaning": table(meaning, reading)}
    net["scale"] = torch.nn.Parameter(torch.tensor(2.5))
    return net


def _card(version: str, model: RankingModel, figures: dict[str, float], recipe: Recipe) -> str:
    lines = [
        f"# {NAME} {version}",
        "",
        "Ranks scripts for a context (the customer's utterance and the two turns before it).",
        "",
        f"- sentence encoder: {model.lens.encoder.name or 'none'}",
        f"- members and weights: {', '.join(f'{n} {w:g}' for n, w in model.weights.items())}",
        f"- seed {recipe.seed}, {recipe.folds} folds by conversation, {len(model.duals)} dual encoders",
        *(f"- {name}: {value:.3f}" for name, value in figures.items()),
        "",
        "The figures are of held-out conversations of the training pairs, ranked among "
        f"{recipe.bank} scripts or all of them if fewer.",
    ]
    return "\n".join(lines) + "\n"
