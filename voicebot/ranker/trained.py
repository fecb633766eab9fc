"""The trained target model behind the Ranker port: a model of past choices beside the examples."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Lock, local

import numpy as np

from voicebot.domain.dialogue import Candidate, DialogueState
from voicebot.domain.errors import ModelError
from voicebot.domain.script import Playbook
from voicebot.domain.understanding import Understanding
from voicebot.ranker.calibration import probabilities
from voicebot.ranker.encoder import E5Encoder, Encoder, open_encoder
from voicebot.ranker.examples import ExampleRanker, Scores, candidates
from voicebot.ranker.fusion import standardise
from voicebot.ranker.model import Bank, RankingModel
from voicebot.ranker.ngrams import normalise
from voicebot.ranker.pairs import Context
from voicebot.ranker.versions import BLEND, NAME, playbook_of, versions
from voicebot.registry import models

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
        self.playbook = blend.playbook
        self._encoder = model.lens.encoder
        self._lock = Lock()
        self._banks: OrderedDict[tuple[str, str], Bank] = OrderedDict()

    @classmethod
    def load(
        cls, directory: Path, kept: Path | None = None, encoders: dict[str, Encoder] | None = None
    ) -> TrainedRanker:
        """Load a model with its encoder. Raises ModelError if a file or the encoder is amiss.

        Args:
            directory: of the version.
            kept: the file in which the encoder keeps its vectors of playbooks.
            encoders: those that are open already, by name; takes up what is opened.
        """
        manifest = models.load(directory)
        blend = Blend.load(directory)
        open_ones = {} if encoders is None else encoders
        if blend.encoder not in open_ones:
            open_ones[blend.encoder] = open_encoder(blend.encoder, kept)
        encoder = open_ones[blend.encoder]
        if isinstance(encoder, E5Encoder) and VECTORS in manifest.files:
            encoder.recall(directory / VECTORS)
        model = RankingModel.load(directory, encoder)
        return cls(model, blend, manifest.label, ExampleRanker(encoder))

    def recall(self, file: Path) -> None:
        """Take the vectors of lines that were written after the model was trained."""
        if isinstance(self._encoder, E5Encoder):
            self._encoder.recall(file)

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


class TrainedRankers:
    """Trained rankers of several playbooks, each for its own. Thread-safe."""

    def __init__(self, rankers: Sequence[TrainedRanker]) -> None:
        """Take one ranker a playbook; the first one ranks for playbooks that have none."""
        self._rankers = {ranker.playbook: ranker for ranker in reversed(rankers)}
        self._first = rankers[0]
        self._turn = local()

    @property
    def version(self) -> str:
        """The version that this thread's last turn was ranked by."""
        return str(getattr(self._turn, "version", self._first.version))

    def rank(
        self,
        understanding: Understanding,
        state: DialogueState,
        playbook: Playbook,
        allowed: Sequence[str],
        k: int = 5,
    ) -> tuple[Candidate, ...]:
        """Return up to k of the allowed script ids, most probable first."""
        ranker = self._rankers.get(playbook.id, self._first)
        self._turn.version = ranker.version
        return ranker.rank(understanding, state, playbook, allowed, k)


def open_ranker(
    roots: Sequence[Path], kept: Path | None = None
) -> tuple[ExampleRanker | TrainedRanker | TrainedRankers, str]:
    """Return the newest trained ranker of each playbook, else the one by examples alone, and why it is that.

    The examples are compared by meaning too where the sentence encoder is installed. A model that
    was trained without it gives way to them there: by cross-validation they rank better. One that is
    broken gives way to the version before it.
    """
    rankers, why = _trained(roots, kept)
    encoder, lines = None, None
    try:
        encoder = open_encoder(kept=kept)
        lines = models.find(roots, ENCODED) / VECTORS
        if isinstance(encoder, E5Encoder):
            encoder.recall(lines)
    except ModelError as absent:
        # without vectors that came along they are computed at the first start
        why = why or str(absent)
    usable = [ranker for ranker in rankers if ranker.encoder or encoder is None]
    if usable:
        for ranker in usable:
            if lines is not None:
                ranker.recall(lines)
        return (usable[0] if len(usable) == 1 else TrainedRankers(usable)), ""
    if rankers:
        why = f"{rankers[0].version} was trained without the sentence encoder: voicebot train ranker"
    return ExampleRanker(encoder), why


def _trained(roots: Sequence[Path], kept: Path | None) -> tuple[list[TrainedRanker], str]:
    """Return the newest ranker of each playbook that can be loaded, and why a newer one can not."""
    found: dict[str, TrainedRanker] = {}
    encoders: dict[str, Encoder] = {}
    why = f"no {NAME} model in {', '.join(str(root / NAME) for root in roots)}"
    for directory in versions(roots):
        try:
            if playbook_of(directory) not in found:
                ranker = TrainedRanker.load(directory, kept, encoders)
                found[ranker.playbook] = ranker
        except ModelError as broken:
            why = str(broken)
    return list(found.values()), why
