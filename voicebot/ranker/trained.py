"""The trained target model behind the Ranker port: a model of past choices beside the examples."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Lock

import numpy as np

from voicebot.domain.dialogue import Candidate, DialogueState
from voicebot.domain.errors import ModelError
from voicebot.domain.script import Playbook
from voicebot.domain.understanding import Understanding
from voicebot.ranker.calibration import probabilities
from voicebot.ranker.encoder import E5Encoder, Encoder, open_encoder
from voicebot.ranker.examples import ExampleRanker, Scores, candidates
from voicebot.ranker.fusion import standardise
from voicebot.ranker.model import NAME, Bank, RankingModel
from voicebot.ranker.ngrams import normalise
from voicebot.ranker.pairs import Context
from voicebot.registry import models

BLEND = "blend.json"
ENCODED = "vectors"  # name of the model that holds them alone
VECTORS = "vectors.npz"  # of the playbooks' lines, so that the first start need not encode them
_KEPT = 4  # playbooks in memory: running calls keep their version


@dataclass(frozen=True, slots=True)
class Blend:
    """How the model counts beside the examples. Chosen by cross-validation in training."""

    playbook: str  # id of the playbook that it was chosen for
    share: float  # of the model's standardised scores beside the examples' log odds
    temperature: float
    certain: float  # certainty from which on the model counts in full
    encoder: str = ""  # of the model and the examples

    def logits(self, examples: Scores, model: Scores, certain: Scores) -> Scores:
        """Return log odds before the temperature, shape (..., scripts).

        The model counts less where it is less certain than usual: standardised, it would be as
        sure of words that are like nothing it knows.

        Args:
            examples: log odds by the examples.
            model: fused scores by the model.
            certain: shape (..., 1), see `certainty`.
        """
        weight = self.share * np.minimum(certain / self.certain, 1)
        return np.asarray(examples + weight * standardise(model))

    def save(self, directory: Path) -> str:
        """Write it beside the model; return the file's name."""
        (directory / BLEND).write_text(json.dumps(asdict(self), sort_keys=True) + "\n", "utf-8")
        return BLEND

    @classmethod
    def load(cls, directory: Path) -> Blend:
        """Read it. Raises ModelError."""
        try:
            return cls(**json.loads((directory / BLEND).read_text("utf-8")))
        except (OSError, ValueError, TypeError) as broken:
            raise ModelError(
                f"{directory / BLEND} can not be read ({broken!r})", hint="voicebot train ranker"
            ) from broken


class TrainedRanker:
    """Ranks by a trained model and the playbook's examples together.

    The gate comes first: only allowed scripts share the probability. The model sees the customer's
    words, the two turns before them, the scene, the emotion and the keywords. A playbook that the
    model was not trained for, and an utterance without words, are ranked by the examples alone.
    Deterministic and thread-safe.
    """

    def __init__(self, model: RankingModel, blend: Blend, label: str, examples: ExampleRanker) -> None:
        """Join a model and its blend with the ranker by examples, which must use the same encoder."""
        self._model = model
        self._blend = blend
        self._examples = examples
        self.version = f"{label}+{examples.version}"
        self.encoder = blend.encoder
        self._lock = Lock()
        self._banks: OrderedDict[tuple[str, str], Bank] = OrderedDict()

    @classmethod
    def load(cls, directory: Path, kept: Path | None = None) -> TrainedRanker:
        """Load a model with its encoder. Raises ModelError if a file or the encoder is amiss.

        `kept`: the file in which the encoder keeps its vectors of playbooks.
        """
        manifest = models.load(directory)
        blend = Blend.load(directory)
        encoder: Encoder = open_encoder(blend.encoder, kept)
        if isinstance(encoder, E5Encoder) and VECTORS in manifest.files:
            encoder.recall(directory / VECTORS)
        model = RankingModel.load(directory, encoder)
        return cls(model, blend, manifest.label, ExampleRanker(encoder))

    def prepare(self, playbook: Playbook) -> Bank:
        """Return the playbook's scripts as the model wants them, making them first if need be."""
        key = (playbook.id, playbook.version)
        with self._lock:
            if key not in self._banks:
                self._banks[key] = self._model.bank([script.text for script in playbook.scripts.values()])
                while len(self._banks) > _KEPT:
                    self._banks.popitem(last=False)
            self._banks.move_to_end(key)
            return self._banks[key]

    def rank(
        self,
        understanding: Understanding,
        state: DialogueState,
        playbook: Playbook,
        allowed: Sequence[str],
        k: int = 5,
    ) -> tuple[Candidate, ...]:
        """Return up to k of the allowed script ids, most probable first."""
        text = understanding.transcript.text
        ids = [script for script in dict.fromkeys(allowed) if script in playbook.scripts]
        if playbook.id != self._blend.playbook:
            return self._examples.rank(understanding, state, playbook, allowed, k)
        bank = self.prepare(playbook)  # also where nothing was said: the opening comes before any words
        if not normalise(text) or not ids:
            return self._examples.rank(understanding, state, playbook, allowed, k)
        index = self._examples.prepare(playbook)
        members = index.score(text)
        moment = context(understanding, state)
        scores = self._model.score([moment], bank)
        certain = certainty(self._model, [moment], scores)
        logits = self._blend.logits(index.fuse(members) / index.temperature, scores["fused"], certain)[0]
        rows = [index.place[script] for script in ids]
        chances = probabilities(logits[rows], self._blend.temperature)
        seen = members | {f"model {name}": values[0] for name, values in scores.items()}
        return candidates(ids, chances, rows, seen, state, playbook, k)


def certainty(model: RankingModel, contexts: Sequence[Context], members: Mapping[str, Scores]) -> Scores:
    """Return how far a model can judge contexts, shape (contexts, 1).

    The spread of its linear member, times the share of the utterance that training had seen.
    """
    known = np.array([[model.lens.context_terms.known(context.said)] for context in contexts])
    return np.asarray(members["linear"].std(axis=1, keepdims=True) * known)


def context(understanding: Understanding, state: DialogueState) -> Context:
    """Return what the model sees of a moment."""
    last = state.history[-1] if state.history else None
    shares = understanding.emotion.distribution
    return Context(
        understanding.transcript.text,
        last.script_text if last else "",
        last.customer_text if last else "",
        state.scene,
        understanding.keywords,
        asdict(shares),
    )


def open_ranker(roots: Sequence[Path], kept: Path | None = None) -> tuple[ExampleRanker | TrainedRanker, str]:
    """Return the newest trained ranker, else the one by examples alone, and why it is that.

    The examples are compared by meaning too where the sentence encoder is installed. A model that
    was trained without it gives way to them there: by cross-validation they rank better.
    """
    trained, encoder, why = None, None, ""
    try:
        trained = TrainedRanker.load(models.find(roots, NAME), kept)
    except ModelError as absent:
        why = str(absent)
    try:
        encoder = open_encoder(kept=kept)
        if isinstance(encoder, E5Encoder):
            encoder.recall(models.find(roots, ENCODED) / VECTORS)
    except ModelError as absent:
        # without vectors that came along they are computed at the first start
        why = why or str(absent)
    if trained is not None and (trained.encoder or encoder is None):
        return trained, ""
    if trained is not None:
        why = f"{trained.version} was trained without the sentence encoder: voicebot train ranker"
    return ExampleRanker(encoder), why


def newest(roots: Sequence[Path]) -> str:
    """Return what names the ranker that `open_ranker` would open; "" = by examples alone."""
    try:
        return str(models.find(roots, NAME))
    except ModelError:
        return ""
