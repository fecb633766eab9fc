"""The ranker on templates of human dialogues: whole-bank ranking beside trivial and known baselines."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import structlog
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from voicebot.bench.frame import Options, Result
from voicebot.dialogue.policy import RulePolicy
from voicebot.dialogue.relation_model import RelationModel
from voicebot.domain.dialogue import Exchange
from voicebot.domain.emotion import CALM, Emotion, EmotionLabel
from voicebot.domain.errors import DataError, ModelError
from voicebot.domain.script import Playbook, Scene, Script
from voicebot.domain.speech import Transcript, Utterance, UtteranceKind
from voicebot.domain.understanding import Understanding
from voicebot.ranker.encoder import E5, Encoder, NoEncoder, open_encoder
from voicebot.ranker.examples import ExampleRanker
from voicebot.ranker.fusion import ranks
from voicebot.ranker.kernel import Array
from voicebot.ranker.model import RankingModel
from voicebot.ranker.pairs import Context, Pair
from voicebot.ranker.terms import Terms, pieces
from voicebot.ranker.trained import Blend, TrainedRanker
from voicebot.ranker.training import LEAST, Recipe, fit, fit_members, has_torch
from voicebot.ranker.views import Lens
from voicebot.registry.resources import models_dir

log = structlog.get_logger()

SIZES = (50, 500, 1000, 5000)  # scripts, for the cost of a decision
TIMED = 30  # decisions a size
CURVE = (0.1, 0.25, 0.5)  # shares of the conversations; the whole is the main row


@dataclass(frozen=True, slots=True)
class Task:
    """A file of the shape of the shared dialogue data: fitted on train, judged on dev."""

    train: list[Pair]
    contexts: list[Context]
    right: NDArray[np.int64]
    bank: list[str]
    same_act: list[frozenset[int]]  # a judged row: scripts known to have the right act
    known: NDArray[np.bool_]  # a judged row: its reply occurs in train
    shortlists: list[list[int]]  # a judged row: places of ten scripts, the right one first


def run(options: Options) -> Result:
    """Fit on train, choose inside train, score dev once. --set encoder=no or duals=0 leave members out."""
    task = read(options.need_data("a JSON file with train, dev and bank"), options.limit)
    encoder, notes = _encoder(options.extra.get("encoder", "yes") != "no")
    recipe = Recipe(seed=options.seed, duals=int(options.extra.get("duals", "2")))
    if recipe.duals and not has_torch():
        notes.append("torch is absent: no dual encoders (extra `train`)")
    began = time.process_time()
    model, cv = fit(task.train, encoder, recipe, lambda step: log.info("ranker bench", step=step))
    notes.append(f"training: {time.process_time() - began:.0f} CPU-s for {len(task.train)} pairs")
    notes += [f"{name}: {value:.3f}" for name, value in cv.items() if name != "pairs"]
    notes.append("weights: " + ", ".join(f"{name} {weight:g}" for name, weight in model.weights.items()))
    scores = model.score(task.contexts, model.bank(task.bank), every=True)
    fused = scores.pop("fused")
    ours = _figures("ours", fused, task)
    rows: list[Mapping[str, Any]] = [ours]
    for name, chosen in (("ours, reply occurs in train", task.known), ("ours, reply is new", ~task.known)):
        rows.append(_figures(name, fused, task, chosen))
    rows += [
        _figures(f"member {name}", score, task)
        for name, score in scores.items()
        if name not in ("direct", "common", "knn")
    ]
    rows += [
        _figures(name, score, task)
        for name, score in _baselines(task, model.lens, scores, options.seed).items()
    ]
    rows += _curve(task, encoder, recipe, model)
    with threadpool_limits(limits=1):  # as every process of the service has it
        cost = _cost(task, model)
    rows += [{"system": f"a decision, {size} scripts", "cpu_ms": ms} for size, ms in cost.items()]
    notes.append("act@1 counts a first script whose dialogue act the file does not tell as wrong")
    notes.append("cpu_ms: text to decision (gate, ranker as served, relation, policy); earlier turns cached")
    summary = {key: float(ours[key]) for key in ("r_at_1", "r_at_10", "mrr", "act_at_1")}
    return Result({**summary, "cpu_ms_1000_scripts": cost[1000]}, rows, (options.seed,), tuple(notes))


def read(path: Path, limit: int = 0) -> Task:
    """Read a file with train, dev and bank. Raises DataError if it has another shape."""
    try:
        raw: dict[str, Any] = json.loads(path.read_text("utf-8"))
        train = [Pair(_context(row), row["reply"], row["did"]) for row in raw["train"]]
        dev = raw["dev"][:limit] if limit else raw["dev"]
        bank = list(dict.fromkeys([*raw["bank"], *(row["reply"] for row in raw["dev"])]))
        place = {text: number for number, text in enumerate(bank)}
        acts: dict[str, set[int]] = {}
        for row in (*raw["train"], *raw["dev"]):
            if row["reply"] in place:
                acts.setdefault(_act(row), set()).add(place[row["reply"]])
        learnt = {pair.reply for pair in train}
        return Task(
            train,
            [_context(row) for row in dev],
            np.array([place[row["reply"]] for row in dev], np.int64),
            bank,
            [frozenset(acts[_act(row)]) for row in dev],
            np.array([row["reply"] in learnt for row in dev], bool),
            [[place[text] for text in (row["reply"], *row.get("rand", ())) if text in place] for row in dev],
        )
    except (OSError, ValueError, KeyError, TypeError, IndexError) as wrong:
        raise DataError(
            f"{path.name} is not of this bench's shape ({wrong!r})",
            hint="JSON with train, dev (did, ctx, reply, act) and bank (texts)",
        ) from wrong


def _context(row: Mapping[str, Any]) -> Context:
    turns = [text for _, text in reversed(row["ctx"])]
    return Context(*(turns[:3]))


def _act(row: Mapping[str, Any]) -> str:
    return json.dumps(sorted(row["act"]), ensure_ascii=False)


def _encoder(wanted: bool) -> tuple[Encoder, list[str]]:
    try:
        return open_encoder(E5 if wanted else ""), []
    except ModelError as absent:
        return NoEncoder(), [f"{absent.detail}: n-grams alone (extra `encoder`)"]


def _figures(name: str, scores: Array, task: Task, chosen: NDArray[np.bool_] | None = None) -> dict[str, Any]:
    rows = np.ones(len(scores), bool) if chosen is None else chosen
    rank = ranks(scores, task.right)[rows]
    first = scores.argmax(axis=1)
    act = np.array([top in good for top, good in zip(first, task.same_act, strict=True)])[rows]
    short = np.array([_leads(line, places) for line, places in zip(scores, task.shortlists, strict=True)])
    found: dict[str, Any] = {"system": name, "n": len(rank)}
    parts = {"r_at_1": rank <= 1, "r_at_10": rank <= 10, "mrr": 1 / rank, "act_at_1": act}
    for key, values in parts.items():
        found[key] = float(np.mean(values)) if len(rank) else None
        found[f"{key}_se"] = float(np.std(values) / np.sqrt(len(rank))) if len(rank) else None
    found["r10_at_1"] = float(np.mean(short[rows])) if len(rank) else None
    return found


def _leads(line: Array, places: Sequence[int]) -> float:
    """Return 1 if the first of the places scores best, shared out among ties."""
    values = line[list(places)]
    best = values == values.max()
    return float(best[0] / best.sum())


def _baselines(task: Task, lens: Lens, members: Mapping[str, Array], seed: int) -> dict[str, Array]:
    said = [context.said for context in task.contexts]
    shape = (len(said), len(task.bank))
    terms = Terms.fit(pieces, [*task.bank, *(pair.reply for pair in task.train)])
    found = {
        "random": np.random.default_rng(seed).random(shape),
        "shortest reply": np.tile([-float(len(text)) for text in task.bank], (shape[0], 1)),
        "BM25": _bm25(said, task.bank),
        "char TF-IDF": (terms.vectors(said) @ terms.vectors(task.bank).T).toarray(),
    }
    if lens.encoder.size:
        found["zero-shot encoder"] = lens.encoder.encode(said) @ lens.encoder.encode(task.bank).T
    return {**found, "kNN over past pairs": members["knn"]}


def _bm25(queries: Sequence[str], texts: Sequence[str], k1: float = 1.5, b: float = 0.75) -> Array:
    """Okapi BM25 (Robertson & Zaragoza 2009) over character runs."""
    bags = [Counter(pieces(text)) for text in texts]
    long = np.array([sum(bag.values()) for bag in bags], float)
    document = Counter(term for bag in bags for term in bag)
    scores = np.zeros((len(queries), len(texts)))
    counts: dict[str, NDArray[np.float64]] = {}
    for row, query in enumerate(queries):
        for term in set(pieces(query)) & document.keys():
            if term not in counts:
                found = np.array([bag[term] for bag in bags], float)
                idf = np.log(1 + (len(texts) - document[term] + 0.5) / (document[term] + 0.5))
                length = k1 * (1 - b + b * long / long.mean())
                counts[term] = idf * found * (k1 + 1) / (found + length)
            scores[row] += counts[term]
    return scores


def _curve(task: Task, encoder: Encoder, recipe: Recipe, model: RankingModel) -> list[dict[str, Any]]:
    """Learn from fewer conversations, with the weights that the whole gave."""
    talks = sorted({pair.conversation for pair in task.train})
    np.random.default_rng(recipe.seed).shuffle(talks)
    rows = []
    for share in CURVE:
        kept = set(talks[: int(len(talks) * share)])
        pairs = [pair for pair in task.train if pair.conversation in kept]
        if len(pairs) < LEAST:
            continue
        log.info("ranker bench", step=f"learning curve: {len(pairs)} pairs")
        part = fit_members(pairs, encoder, recipe)
        part = replace(part, weights=model.weights, temperature=model.temperature)
        scores = part.score(task.contexts, part.bank(task.bank))["fused"]
        rows.append(_figures(f"ours, learnt from {len(pairs)} pairs", scores, task))
    return rows


def _cost(task: Task, model: RankingModel) -> dict[int, float]:
    """CPU ms of a whole decision from an utterance's text, by number of scripts.

    Gate, ranker as it is served (model and examples), relation and policy; earlier turns were
    encoded before, when they were heard.
    """
    ranker = TrainedRanker(model, Blend("bench", 1.0, 1.0, 1.0), "bench", ExampleRanker(model.lens.encoder))
    policy = RulePolicy(RelationModel.load([models_dir()]))
    costs = {}
    for size in SIZES:
        book = _book(task, size)
        ranker.prepare(book)
        state = policy.begin(book, {})
        spent = []
        for number in range(TIMED):
            context = task.contexts[number % len(task.contexts)]
            before = replace(state, history=(Exchange(context.before, "s0", context.agent),))
            # an utterance that no cache has seen
            heard = _heard(f"{context.said}{size}")
            ranker.rank(_heard(context.before or "喂"), state, book, policy.allowed(state, book))
            model.lens.contexts([Context("", context.agent, context.before)])
            began = time.process_time()
            found = ranker.rank(heard, before, book, policy.allowed(before, book))
            relation = policy.relate(heard, before, book, found)
            policy.choose(Utterance(UtteranceKind.SPEECH, 0, 1), heard, relation, found, before, book, seed=1)
            spent.append((time.process_time() - began) * 1000)
        costs[size] = float(np.median(spent))
    return costs


def _heard(text: str) -> Understanding:
    return Understanding(Transcript(text, confidence=0.9), (), None, Emotion(EmotionLabel.CALM, CALM))


def _book(task: Task, size: int) -> Playbook:
    """Return a playbook of that many scripts, all allowed, with what customers said as examples."""
    said: dict[str, list[str]] = {}
    for pair in task.train:
        said.setdefault(pair.reply, []).append(pair.context.said)
    texts = list(dict.fromkeys([*said, *task.bank]))
    # more scripts than the file has: the same with a number behind
    texts = [texts[i % len(texts)] + (str(i) if i >= len(texts) else "") for i in range(size)]
    scripts = {
        f"s{place}": Script(f"s{place}", "talk", text, tuple(said.get(text, ())))
        for place, text in enumerate(texts)
    }
    role = Script("role", "talk", "好的。", act="ask_back", repeatable=True)
    return Playbook(
        "bench",
        str(size),
        "bench",
        "",
        "",
        {"talk": Scene("talk", "talk")},
        {**scripts, role.id: role},
        *("role", "role", ("role",), ("role",), "role", "role", "role", "role", "role"),
    )
